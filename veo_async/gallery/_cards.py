"""The cards of the page, one for each item, from records that may have been edited.

A record names its files; only files in the folder itself are shown. A field of the wrong type
counts as absent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypedDict
from urllib.parse import quote, urlsplit

from .._batch.file_names import UPSCALED, VIDEO, fold
from .._batch.record_files import names_in, records_in
from ..models import Generation

STATES = ("succeeded", "failed", "uncertain", "pending")

LONGEST_TEXT = 20_000
LONGEST_LIST = 100
"""Characters of a text, and entries of a list, that are shown. A page with more could not be read,
and a record may have been edited."""


class Link(TypedDict):
    """A file of the folder."""

    name: str
    href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One item on the page.

    Attributes:
        title: its prompt; without one, the id of its source video or the name of its file.
        state: one of `STATES`.
        number: its position in the input, from 1.
        key: its key in the batch.
        action, model: the action and the model of its request.
        shape: the aspect ratio and the resolution, such as ``16:9``.
        asked: further fields of its request, as pairs of name and value.
        reason: a short reason why there is no video.
        message: the whole error message.
        task_id, trace_id: the ids of its task.
        made_at: the time of its end, as a text for people.
        seconds: the length of the video in seconds, if it is known.
        took: the time that the service needed, in seconds.
        url: the address of the video at the service.
        files: the files of the video; the last one has the best resolution.
        poster: the relative address of its poster.
        record: the file of its record.
    """

    title: str
    state: str = "succeeded"
    number: int | None = None
    key: str = ""
    action: str = ""
    model: str = ""
    shape: tuple[str, ...] = ()
    asked: tuple[tuple[str, str], ...] = ()
    reason: str = ""
    message: str = ""
    task_id: str = ""
    trace_id: str = ""
    made_at: str = ""
    seconds: float | None = None
    took: float | None = None
    url: str = ""
    files: tuple[Link, ...] = ()
    poster: str = ""
    record: Link | None = None


def cards_of(folder: Path) -> tuple[list[Card], list[str]]:
    """The cards of a folder by their numbers, and notes on files that cannot be shown."""
    names = names_in(folder)
    own = [name for name in names if name.lower().endswith(VIDEO)]
    # Exact names come first: a file system may keep two names that another one takes for one.
    videos = {fold(name): name for name in own} | {name: name for name in own}
    cards: list[Card] = []
    notes: list[str] = []
    for name, record in records_in(folder, names):
        if record is None:
            notes.append(f"{name} is no record of a batch, so it is not shown.")
        else:
            cards.append(_card(name, record, videos))
    shown = {link["name"] for card in cards for link in card.files}
    cards += [_bare(name) for name in own if name not in shown]
    return sorted(cards, key=_place), notes


def _place(card: Card) -> tuple[bool, int, str]:
    return card.number is None, card.number or 0, card.title


def _bare(name: str) -> Card:
    return Card(title=name, files=(_link(name),))


def _link(name: str) -> Link:
    return {"name": name, "href": href(name)}


def href(*parts: str) -> str:
    """The relative address of a file. It begins with ``./``: so no name looks like a scheme."""
    return "/".join((".", *(quote(part, safe="", errors="surrogateescape") for part in parts)))


def _card(name: str, record: Mapping[str, Any], videos: Mapping[str, str]) -> Card:
    request, result, error = (_object(record.get(part)) for part in ("request", "result", "error"))
    files = [
        videos.get(file) or videos[fold(file)]
        for file in _texts(record.get("files"))
        if fold(file) in videos
    ]
    state, number = _text(record.get("state")), record.get("number")
    card = Card(
        title=_text(request.get("prompt")) or _text(request.get("video_id")) or name,
        state=state if state in STATES else "pending",
        number=number if type(number) is int and 0 < number < 10**12 else None,
        key=_text(record.get("key")),
        action=_text(request.get("action")),
        model=_text(request.get("model")),
        shape=tuple(_shape(request, files)),
        asked=tuple(_asked(request)),
        reason=_text(error.get("summary")) or _text(error.get("message")),
        message=_text(error.get("message")),
        task_id=_text(record.get("task_id")),
        trace_id=_text(record.get("trace_id")),
        made_at=_text(record.get("ended_at")).replace("T", " ").replace("+00:00", " UTC"),
        files=tuple(map(_link, files)),
        record=_link(name),
    )
    return _with_result(card, result)


def _shape(request: Mapping[str, Any], files: Iterable[str]) -> Iterator[str]:
    said = [_text(request.get(field)) for field in ("aspect_ratio", "resolution")]
    yield from filter(None, said)
    if "1080p" not in said and any(Path(name).stem.endswith(UPSCALED) for name in files):
        yield "1080p"


def _asked(request: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for number, url in enumerate(_texts(request.get("image_urls")), 1):
        yield f"Image {number}", url
    if request.get("action") == "get_1080p":
        yield "Video", _text(request.get("video_id"))


def _with_result(card: Card, result: Mapping[str, Any]) -> Card:
    try:
        videos = [video for video in Generation.model_validate(result).data if video.video_url]
    except ValueError:  # the name of a field is not valid text, such as half of a surrogate pair
        return card
    if not videos:
        return card
    begun, ended = videos[0].created_at, videos[0].complete_at
    took = (ended - begun).total_seconds() if begun and ended else 0.0
    url = videos[0].video_url or ""
    return replace(card, took=took if took > 0 else None, url=url if _is_web(url) else "")


def _is_web(url: str) -> bool:
    try:
        return urlsplit(url).scheme in ("http", "https")
    except ValueError:
        return False


def _text(value: object) -> str:
    return value[:LONGEST_TEXT] if isinstance(value, str) else ""


def _texts(value: object) -> Iterable[str]:
    """The texts of a list, each once."""
    texts = value[:LONGEST_LIST] if isinstance(value, list) else []
    return dict.fromkeys(_text(text) for text in texts if isinstance(text, str))


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}

"""Requests, results and errors as JSON for a later run, never as a pickle.

The texts are compact, and ASCII, so they can store any text that a service may send.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, TypeAdapter

from .. import errors
from .._base.redaction import without_callbacks
from ..errors import JournalError, VeoError, _revive
from ..models import Cost, Generation, Video, VideoRequest

CLIP = 200
"""Characters of a value that an error shows."""

KEEP = (
    "Nothing was sent for it. Keep the file, and begin a new journal with the requests whose tasks "
    "you do not find with veo.tasks.list() or veo-async tasks"
)
"""The next step of somebody whose journal is damaged."""

_REQUEST: TypeAdapter[VideoRequest] = TypeAdapter(VideoRequest)


def dumps(value: Any) -> str:
    """A value as JSON, in the one form that is stored.

    Raises:
        JournalError: it cannot be written.
    """
    try:
        return _ENCODER.encode(value)
    except (TypeError, ValueError, RecursionError) as exc:
        raise JournalError(f"It cannot be written as JSON: {exc}.") from exc


def _plain(value: object) -> object:
    """A JSON form of values that have none: our models; the text of all others, such as a path."""
    if not isinstance(value, BaseModel):
        return str(value)
    received = isinstance(value, Cost | Generation | Video)  # a request needs its defaults
    return value.model_dump(mode="json", exclude_unset=received)


# Made once: `json.dumps` makes a new one in each call with options.
_ENCODER = json.JSONEncoder(separators=(",", ":"), sort_keys=True, default=_plain)


def load_object(text: str) -> dict[str, Any]:
    """The JSON object in a stored text.

    Raises:
        JournalError: the text is damaged.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise _unreadable(text)
    return value


def _unreadable(text: str) -> JournalError:
    shown = without_callbacks(text[:CLIP])
    return JournalError(f"The journal holds something that this version cannot read: {shown!r}.")


def damaged(key: object, what: str) -> JournalError:
    """The error for an item whose row cannot be believed."""
    name = key if isinstance(key, str) else repr(key)
    return JournalError(f"The item {name!r} of the journal is damaged: {what}. {KEEP}.", key=name)


def dump_request(request: VideoRequest) -> str:
    """A request, canonically: equal requests give equal texts."""
    fields = request.chosen_fields()
    if request.extra_body:
        fields["extra_body"] = request.extra_body  # here a null is sent, so it is kept
    return dumps(fields)


def load_request(text: str) -> VideoRequest:
    """The request in a stored text.

    Raises:
        JournalError: this version has no such request.
    """
    try:
        return _REQUEST.validate_python(load_object(text))
    except ValueError as exc:
        raise _unreadable(text) from exc


def differing(recorded: str, given: str) -> str:
    """The fields in which two stored requests differ, for a person."""
    old, new = load_object(recorded), load_object(given)
    names = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    shown = [f"{name}: recorded {_clip(old, name)}, given {_clip(new, name)}" for name in names]
    return "; ".join(shown)


def _clip(fields: dict[str, Any], name: str) -> str:
    text = repr(fields[name]) if name in fields else "nothing"
    return text if len(text) <= CLIP else f"{text[:CLIP]}... ({len(text)} characters)"


def dump_generation(generation: Generation) -> str:
    """A result with the wire's own field names, including unknown ones."""
    return dumps(generation)


def load_generation(text: str) -> Generation:
    """The result in a stored text.

    Raises:
        JournalError: the text is damaged.
    """
    try:
        return Generation.model_validate(load_object(text))
    except ValueError as exc:  # the name of a field is not valid text
        raise _unreadable(text) from exc


def load_file(text: str) -> tuple[str, int]:
    """The path and the length of the file in a stored text.

    Raises:
        JournalError: the text is damaged.
    """
    fields = load_object(text)
    path, length = fields.get("path"), fields.get("bytes")
    if not isinstance(path, str) or not isinstance(length, int):
        raise _unreadable(text)
    return path, length


def dump_error(error: VeoError) -> str:
    """An error: the name of its class and its attributes, without its cause."""
    return dumps({"class": type(error).__name__, "facts": vars(error)})


def load_error(text: str) -> VeoError:
    """The error in a stored text. An unknown class is read as `VeoError`.

    Raises:
        JournalError: the text is damaged.
    """
    fields = load_object(text)
    name, facts = fields.get("class"), fields.get("facts")
    if not isinstance(name, str) or not isinstance(facts, dict):
        raise _unreadable(text)
    known = getattr(errors, name, None) if name in errors.__all__ else None
    facts = _defaults(known or VeoError) | facts
    revived = _revive(known or VeoError, (facts["message"],), facts)
    _give_types_back(revived, text)
    return revived


def _defaults(cls: type[VeoError]) -> dict[str, Any]:
    """The class's defaults, for attributes that an earlier version did not store."""
    defaults: dict[str, Any] = {"message": "an error of an unknown kind"}
    for base in cls.__mro__:
        own = getattr(vars(base).get("__init__"), "__kwdefaults__", None)
        defaults = (own or {}) | defaults
    return defaults


def _give_types_back(error: VeoError, text: str) -> None:
    """Make models again of an error's request and videos, which JSON stores as objects."""
    try:
        if isinstance(error, errors.SubmissionUncertainError) and error.request is not None:
            error.request = _REQUEST.validate_python(error.request)
        if isinstance(error, errors.GenerationFailedError):
            error.videos = tuple(Video.model_validate(video) for video in error.videos)
    except (TypeError, ValueError) as exc:
        raise _unreadable(text) from exc

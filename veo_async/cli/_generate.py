"""The commands that buy a video."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import typer

from ..models import Get1080p, ImageToVideo, IngredientsToVideo, TextToVideo, VideoRequest
from . import _rows
from ._exits import OK
from ._fields import addresses
from ._options import Generating, Seams, Submitting, Waiting
from ._outputs import Output, output
from ._progress_view import shown
from ._rows import Row
from ._screen import Screen
from ._session import Session, offline, online, run
from ._text import plain
from ._videos import End, make_video, report, run_item, submit

REQUESTS: dict[str, type[TextToVideo | ImageToVideo | IngredientsToVideo | Get1080p]] = {
    "text2video": TextToVideo,
    "image2video": ImageToVideo,
    "ingredients2video": IngredientsToVideo,
    "get_1080p": Get1080p,
}

FIELDS = ("model", "callback_url", "aspect_ratio", "resolution", "translation")
"""The options that are fields of a request. The library has the defaults."""


def generate(action: str, options: Submitting, seams: Seams, **fields: Any) -> int:
    """Buy one video, and return the exit code."""
    fields = {name: _as_typed(value) for name, value in fields.items()}
    chosen = {name: getattr(options, name, None) for name in FIELDS}
    given = {name: value for name, value in chosen.items() if value is not None}
    if "image_urls" in fields:
        fields["image_urls"] = [one for text in fields["image_urls"] for one in addresses(text)]

    async def work(screen: Screen) -> int:
        request = REQUESTS[action](**fields, **given)
        to = _output(options)
        async with _opened(screen, options, seams) as session:
            return await _one(session, request, options, to)

    return run(work, options, seams)


def _as_typed(value: Any) -> Any:
    """A text of the command line in UTF-8, which a locale such as ``C`` did not decode."""
    if not isinstance(value, str):
        return value
    try:
        return value.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeError:
        return value


def _output(options: Submitting) -> Output | None:
    if options.out is None:
        return None
    if options.no_wait:
        raise typer.BadParameter("it cannot go together with --out.", param_hint="--no-wait")
    to = output(options.out, force=options.force)
    to.check()
    return to


def _opened(
    screen: Screen, options: Submitting, seams: Seams
) -> AbstractAsyncContextManager[Session]:
    if not (isinstance(options, Generating) and options.emulator):
        return online(screen, options, seams)
    refuse_address(options)
    return offline(screen, options, seams)


def refuse_address(options: Waiting) -> None:
    """Refuse ``--base-url`` together with ``--emulator``, which has its own address."""
    if options.base_url is not None:
        raise typer.BadParameter("it cannot go together with --base-url.", param_hint="--emulator")


async def _one(
    session: Session, request: VideoRequest, options: Submitting, to: Output | None
) -> int:
    async with shown(session.screen, session.progress):
        if options.no_wait:
            end = await _submit(session, request)
        else:
            end = await make_video(session, request, to)
    if options.no_wait and end.error is None and end.row.task_id and not options.json:
        session.screen.print(plain(end.row.task_id))
        return OK
    return report(end, session.screen)


async def _submit(session: Session, request: VideoRequest) -> End:
    """Submit one video without waiting for it."""
    item = session.progress.add(request.title, "submitting", is_saved=False)

    async def work() -> End:
        task = await submit(session, request, item)
        if task.state == "pending":
            return End(Row(task_id=task.id, state=task.state))
        return End(_rows.of_result(await task.result()))

    end = await run_item(work(), session.progress, item)
    return replace(end, row=_rows.with_request(end.row, request))

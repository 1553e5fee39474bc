"""The effects that a fault can have on a call, a task or a callback.

Times of a connection are the caller's seconds, as a socket shows them. Times of a task or of a
callback are seconds of service time (see `Emulator`, ``clock_factor``).

``at`` names the stage of the call: ``unread`` (no byte was read), ``read`` (the service has read
the call and done nothing), ``accepted`` (the call was carried out: a submit is on the bill).

The effects are pydantic models: a value out of range raises `pydantic.ValidationError`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Time = Annotated[float, Field(ge=0, le=366 * 86_400)]
"""Seconds, at most a year."""

FRAMING = frozenset({"connection", "content-length", "date", "transfer-encoding"})
"""The headers that every answer has from the server itself."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_VALUE = re.compile(r"(?:[\x21-\x7e\xa0-\xff](?:[\t\x20-\x7e\xa0-\xff]*[\x21-\x7e\xa0-\xff])?)?")


def _field_name(name: str) -> str:
    if not _TOKEN.fullmatch(name.lower()) or name.lower() in FRAMING:
        raise ValueError("is no name of a header that can be added")
    return name.lower()


def _field_value(value: str) -> str:
    if not _VALUE.fullmatch(value):
        raise ValueError("is no value of a header")
    return value


FieldName = Annotated[str, AfterValidator(_field_name)]
FieldValue = Annotated[str, AfterValidator(_field_value)]
"""A header (RFC 9110, section 5)."""
At = Literal["unread", "read", "accepted"]


class _Effect(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Refuse(_Effect):
    """The connection is not made.

    A real port is open, so there the connection is closed before the call is read.

    Args:
        silent: nothing answers at all, until the caller's connect timeout expires.
    """

    kind: Literal["refuse"] = "refuse"
    at: Literal["unread"] = "unread"
    silent: bool = False


class Drop(_Effect):
    """The connection is closed without an answer.

    Args:
        at: the stage at which it is closed: ``unread``, ``read`` or ``accepted``.
        reset: close it with a reset instead of an orderly end.
    """

    kind: Literal["drop"] = "drop"
    at: At = "read"
    reset: bool = False


class Hang(_Effect):
    """The answer is delayed, or never comes.

    Args:
        at: the stage at which the call stops: ``unread``, ``read`` or ``accepted``.
        seconds: the delay in the caller's seconds; the call then continues, even if the caller has
            disconnected. ``None`` delays it until the caller disconnects, and then drops it.
    """

    kind: Literal["hang"] = "hang"
    at: At = "read"
    seconds: Time | None = None


class Answer(_Effect):
    """The call gets another answer than its own.

    Args:
        at: ``read`` refuses the call, ``accepted`` hides that it was carried out.
        status: the HTTP status; ``None`` uses the documented status of ``code``.
        code: the error code of the documented error body.
        message: its message; ``None`` uses the usual one of ``code``.
        body: a text that is sent instead of the documented error body. It stands for a gateway's
            answer, and has no ``x-trace-id``.
        headers: additional headers, such as ``{"retry-after": "3"}``; not those of the framing.
    """

    kind: Literal["answer"] = "answer"
    at: Literal["read", "accepted"] = "read"
    status: Annotated[int, Field(ge=200, le=599)] | None = None
    code: str = "api_error"
    message: str | None = None
    body: str | None = None
    headers: dict[FieldName, FieldValue] = {}


class Garble(_Effect):
    """The call is carried out, but its answer (or the callback) has an unreadable body.

    Args:
        body: the body that is sent, such as ``<html>`` or half of a JSON object.
        media_type: its ``Content-Type``.
    """

    kind: Literal["garble"] = "garble"
    body: str = "<html><body>502 Bad Gateway</body></html>"
    media_type: FieldValue = "text/html"


class Torn(_Effect):
    """Only a part of the answer's body is sent.

    Args:
        fraction: the part of the body that is sent, from 0 up to but not including 1.
        reset: end the connection with a reset instead of an orderly end.
        declared: announce the length of the whole body, and end the connection after the part. If
            false, ``Content-Length`` is that of the part: the answer is complete, but its document
            cannot be parsed.
    """

    kind: Literal["torn"] = "torn"
    fraction: Annotated[float, Field(ge=0, lt=1)] = 0.5
    reset: bool = False
    declared: bool = True


class Slow(_Effect):
    """The answer comes in pieces, with a pause before each.

    Args:
        seconds: the pause before each piece, in the caller's seconds.
        pieces: the number of pieces of a small answer, at most 10,000; a file's pieces are its
            chunks.
    """

    kind: Literal["slow"] = "slow"
    seconds: Time = 1.0
    pieces: Annotated[int, Field(ge=1, le=10_000)] = 4


class Bomb(_Effect):
    """The answer is a gzip body that inflates about a thousandfold.

    Args:
        size: its size in bytes after decompression, at most 256 MiB.
    """

    kind: Literal["bomb"] = "bomb"
    size: Annotated[int, Field(ge=1, le=256 * 2**20)] = 64 * 2**20


class Fail(_Effect):
    """The submitted task is accepted and then fails.

    Args:
        code: the error code in its record.
        message: the message in its record; ``None`` uses the usual one of ``code``.
    """

    kind: Literal["fail"] = "fail"
    code: str = "api_error"
    message: str | None = None


class Provisional(_Effect):
    """The record shows a failure that is not final, and the task continues.

    The failure stands beside ``finished_at: null`` until the task ends: with its video or, together
    with `Fail`, with a failure that has a ``finished_at``.

    Args:
        seconds: seconds of service time, from its acceptance, until the failure appears.
        code: the error code that is shown.
        message: its message; ``None`` uses the usual one of ``code``.
    """

    kind: Literal["provisional"] = "provisional"
    seconds: Time = 0.0
    code: str = "api_error"
    message: str | None = None


class Ending(_Effect):
    """The submitted task ends with a response of another form.

    It is the form of the record, the callback and the synchronous answer. `endings` has many.

    Args:
        fields: fields of ``response``, in addition to or in place of the usual ones.
        entry: the same for each entry of its ``data``.
        without: the names of fields that ``response`` and the entries lack.
        finished_at: the place of ``finished_at`` and ``elapsed``: the record, its ``response``, or
            nowhere.
        as_text: the record contains ``response`` as a JSON text.
    """

    kind: Literal["ending"] = "ending"
    fields: dict[str, Any] = {}
    entry: dict[str, Any] = {}
    without: frozenset[str] = frozenset()
    finished_at: Literal["record", "response", "absent"] = "record"
    as_text: bool = False


_RESULT = frozenset({"success", "task_id", "trace_id", "data"})
_WORDS = ("filtered", "timeout", "fail", "blocked", "FAILURE")


def _word(word: str) -> Ending:
    """An end without a video that only a word of an entry shows."""
    return Ending(entry={"state": word}, without=frozenset({"success", "video_url"}))


_WITHOUT_VIDEO: Mapping[str, Ending] = {
    "empty": Ending(fields={"data": []}),
    "null_error": Ending(fields={"success": False, "error": None}, without=_RESULT),
    "text_error": Ending(fields={"success": False, "error": "temporary"}, without=_RESULT),
    **{word: _word(word) for word in _WORDS},
    "failed_status": Ending(fields={"status": "failed"}, without=_RESULT, finished_at="absent"),
    "empty_inside": Ending(fields={"data": []}, finished_at="response"),
    "nothing": Ending(without=_RESULT),
}
_WITH_VIDEO: Mapping[str, Ending] = {
    "status_word": Ending(
        fields={"status": "succeeded"},
        without=frozenset({"success", "state"}),
        finished_at="absent",
    ),
    "state_word": Ending(without=frozenset({"success"}), finished_at="absent"),
    "finished_at": Ending(without=frozenset({"success", "state"})),
    "inside": Ending(without=frozenset({"success", "state"}), finished_at="response"),
    "text": Ending(as_text=True),
    "cost": Ending(fields={"cost": {"amount": 0.4, "list_amount": 0.5, "currency": "USD"}}),
}


def endings(*, video: bool) -> Mapping[str, Ending]:
    """The forms of an end that were seen or may be expected, by name.

    Args:
        video: those with a video, or those without.
    """
    return _WITH_VIDEO if video else _WITHOUT_VIDEO


class Unreadable(_Effect):
    """Entries of a list have a form without a readable id.

    A rule on submits is about the submitted task, in all lists. A rule on queries is about the
    first entries of the page.

    Args:
        form: the form of the entry: its ``id`` is null; its ``id`` is a number, by which a query
            finds the task, too; it is ``{}``; it is null; or it has only its ``_id``.
        items: the number of entries of a page; ``None`` is all.
    """

    kind: Literal["unreadable"] = "unreadable"
    form: Literal["null_id", "number_id", "empty", "null", "record_id"] = "null_id"
    items: Annotated[int, Field(ge=1)] | None = None


class Hide(_Effect):
    """The submitted task is unknown to every query at first: its record is written late.

    Args:
        seconds: seconds of service time, from its acceptance, until queries find it.
    """

    kind: Literal["hide"] = "hide"
    seconds: Time = 5.0


class Lag(_Effect):
    """The submitted task is missing from listings at first; a query by its id finds it.

    Args:
        seconds: seconds of service time, from its acceptance, until listings contain it.
    """

    kind: Literal["lag"] = "lag"
    seconds: Time = 5.0


class Scramble(_Effect):
    """A page of tasks is shuffled; some items are repeated, some are missing.

    Args:
        repeat: the number of items that appear twice.
        omit: the number of items that are missing.
    """

    kind: Literal["scramble"] = "scramble"
    repeat: Annotated[int, Field(ge=0)] = 0
    omit: Annotated[int, Field(ge=0)] = 0


class Early(_Effect):
    """The task finishes immediately, and its callback arrives before the answer to its submit."""

    kind: Literal["early"] = "early"


class Late(_Effect):
    """The callback is delayed.

    Args:
        seconds: seconds of service time between the end of the task and the callback.
    """

    kind: Literal["late"] = "late"
    seconds: Time = 30.0


class Repeat(_Effect):
    """The callback is sent more than once.

    Args:
        times: the number of callbacks in total, at most 1,000.
        every: seconds of service time between two of them.
    """

    kind: Literal["repeat"] = "repeat"
    times: Annotated[int, Field(ge=1, le=1_000)] = 2
    every: Time = 1.0


class Never(_Effect):
    """The callback is never sent."""

    kind: Literal["never"] = "never"


Effect = (
    Refuse
    | Drop
    | Hang
    | Answer
    | Garble
    | Torn
    | Slow
    | Bomb
    | Fail
    | Provisional
    | Ending
    | Unreadable
    | Hide
    | Lag
    | Scramble
    | Early
    | Late
    | Repeat
    | Never
)
"""Any of the effects."""

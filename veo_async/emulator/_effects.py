"""The effects that a fault can have on a call, a task or a callback.

Times of a connection are the caller's seconds, as a socket shows them. Times of a task or of a
callback are seconds of service time (see `Emulator`, ``clock_factor``).

``at`` names the stage of the call: ``unread`` (no byte was read), ``read`` (the service has read
the call and done nothing), ``accepted`` (the call was carried out: a submit is on the bill).

The effects are pydantic models: a value out of range raises `pydantic.ValidationError`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Time = Annotated[float, Field(ge=0, allow_inf_nan=False)]
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
        body: a text that is sent instead of the documented error body.
        headers: additional headers, such as ``{"retry-after": "3"}``.
    """

    kind: Literal["answer"] = "answer"
    at: Literal["read", "accepted"] = "read"
    status: Annotated[int, Field(ge=200, le=599)] | None = None
    code: str = "api_error"
    message: str | None = None
    body: str | None = None
    headers: dict[str, str] = {}


class Garble(_Effect):
    """The call is carried out, but its answer (or the callback) has an unreadable body.

    Args:
        body: the body that is sent, such as ``<html>`` or half of a JSON object.
        media_type: its ``Content-Type``.
    """

    kind: Literal["garble"] = "garble"
    body: str = "<html><body>502 Bad Gateway</body></html>"
    media_type: str = "text/html"


class Torn(_Effect):
    """The answer ends before its ``Content-Length``.

    Args:
        fraction: the part of the body that is sent, from 0 up to but not including 1.
        reset: end the connection with a reset instead of an orderly end.
    """

    kind: Literal["torn"] = "torn"
    fraction: Annotated[float, Field(ge=0, lt=1)] = 0.5
    reset: bool = False


class Slow(_Effect):
    """The answer comes in pieces, with a pause before each.

    Args:
        seconds: the pause before each piece, in the caller's seconds.
        pieces: the number of pieces of a small answer; a file's pieces are its chunks.
    """

    kind: Literal["slow"] = "slow"
    seconds: Time = 1.0
    pieces: Annotated[int, Field(ge=1)] = 4


class Bomb(_Effect):
    """The answer is a gzip body that inflates about a thousandfold.

    Args:
        size: its size in bytes after decompression.
    """

    kind: Literal["bomb"] = "bomb"
    size: Annotated[int, Field(ge=1)] = 64 * 2**20


class Fail(_Effect):
    """The submitted task is accepted and then fails.

    Args:
        code: the error code in its record.
        message: the message in its record; ``None`` uses the usual one of ``code``.
    """

    kind: Literal["fail"] = "fail"
    code: str = "api_error"
    message: str | None = None


class Hide(_Effect):
    """The submitted task is unknown to every query at first.

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
        times: the number of callbacks in total.
        every: seconds of service time between two of them.
    """

    kind: Literal["repeat"] = "repeat"
    times: Annotated[int, Field(ge=1)] = 2
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
    | Hide
    | Lag
    | Scramble
    | Early
    | Late
    | Repeat
    | Never
)
"""Any of the effects."""

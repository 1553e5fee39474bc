"""What a fault does. Times about a connection are the caller's seconds, as the socket would show
them; times about a task or a callback are seconds of service time.

``at`` says how far the call came: ``unread`` (nothing was read), ``read`` (the service knows it but
has done nothing), ``accepted`` (it was carried out: a submit is on the bill).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Time = Annotated[float, Field(ge=0, allow_inf_nan=False)]
At = Literal["unread", "read", "accepted"]


class _Effect(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Refuse(_Effect):
    """The connection is not made. On a real port, which is open, it is cut before it is read.

    Args:
        silent: nothing answers at all, so that the caller's connect timeout runs out.
    """

    kind: Literal["refuse"] = "refuse"
    at: Literal["unread"] = "unread"
    silent: bool = False


class Drop(_Effect):
    """The connection is cut without an answer.

    Args:
        at: how far the call came.
        reset: with a reset instead of an orderly end.
    """

    kind: Literal["drop"] = "drop"
    at: At = "read"
    reset: bool = False


class Hang(_Effect):
    """Nothing is answered for a time.

    Args:
        at: how far the call came before that.
        seconds: how long; the call then goes on, even if the caller is gone. ``None``: until the
            caller is gone.
    """

    kind: Literal["hang"] = "hang"
    at: At = "read"
    seconds: Time | None = None


class Answer(_Effect):
    """Something else is answered.

    Args:
        at: ``read`` refuses the call, ``accepted`` hides that it was carried out.
        status: the status; ``None`` is the documented one of the code.
        code, message: the documented error body.
        body: any other body, as text.
        headers: more headers, such as ``{"retry-after": "3"}``.
    """

    kind: Literal["answer"] = "answer"
    at: Literal["read", "accepted"] = "read"
    status: Annotated[int, Field(ge=200, le=599)] | None = None
    code: str = "api_error"
    message: str | None = None
    body: str | None = None
    headers: dict[str, str] = {}


class Garble(_Effect):
    """The call is carried out, and its answer (or the callback) has another body.

    Args:
        body: that body, such as ``<html>`` or half of a JSON object.
        media_type: what it is called.
    """

    kind: Literal["garble"] = "garble"
    body: str = "<html><body>502 Bad Gateway</body></html>"
    media_type: str = "text/html"


class Torn(_Effect):
    """The answer ends before its ``Content-Length``.

    Args:
        fraction: the part that is sent.
        reset: with a reset instead of an orderly end.
    """

    kind: Literal["torn"] = "torn"
    fraction: Annotated[float, Field(ge=0, lt=1)] = 0.5
    reset: bool = False


class Slow(_Effect):
    """The answer comes in pieces.

    Args:
        seconds: the pause before each piece.
        pieces: how many pieces of a small answer; a file's pieces are its chunks.
    """

    kind: Literal["slow"] = "slow"
    seconds: Time = 1.0
    pieces: Annotated[int, Field(ge=1)] = 4


class Bomb(_Effect):
    """The answer is gzip and inflates a thousandfold.

    Args:
        size: bytes when inflated.
    """

    kind: Literal["bomb"] = "bomb"
    size: Annotated[int, Field(ge=1)] = 64 * 2**20


class Fail(_Effect):
    """The submitted task is accepted and then fails.

    Args:
        code, message: the error in its record.
    """

    kind: Literal["fail"] = "fail"
    code: str = "api_error"
    message: str | None = None


class Hide(_Effect):
    """The submitted task is unknown to every query for a while.

    Args:
        seconds: service time from its acceptance.
    """

    kind: Literal["hide"] = "hide"
    seconds: Time = 5.0


class Lag(_Effect):
    """The submitted task is missing from listings for a while; by its id it is found.

    Args:
        seconds: service time from its acceptance.
    """

    kind: Literal["lag"] = "lag"
    seconds: Time = 5.0


class Scramble(_Effect):
    """The items of a page come shuffled, some of them twice, some not at all.

    Args:
        repeat: how many come twice.
        omit: how many are missing.
    """

    kind: Literal["scramble"] = "scramble"
    repeat: Annotated[int, Field(ge=0)] = 0
    omit: Annotated[int, Field(ge=0)] = 0


class Early(_Effect):
    """The task is finished at once, and the callback comes before the answer to its submit."""

    kind: Literal["early"] = "early"


class Late(_Effect):
    """The callback comes late.

    Args:
        seconds: service time after the task is finished.
    """

    kind: Literal["late"] = "late"
    seconds: Time = 30.0


class Repeat(_Effect):
    """The callback comes again.

    Args:
        times: how often in all.
        every: service time in between.
    """

    kind: Literal["repeat"] = "repeat"
    times: Annotated[int, Field(ge=1)] = 2
    every: Time = 1.0


class Never(_Effect):
    """The callback does not come."""

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
"""Everything that a rule can do."""

"""What can go wrong with one call, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from veo_async.emulator import (
    Answer,
    Drop,
    Early,
    Fail,
    Garble,
    Hang,
    Hide,
    Lag,
    Late,
    Never,
    Provisional,
    Refuse,
    Repeat,
    Scramble,
    Slow,
    Torn,
    Unreadable,
    endings,
)

PATIENCE = 120.0
"""Seconds for which the simulated clients await the answer to a submit."""

SUBMIT: Mapping[str, tuple[Any, ...]] = {
    "lost answer": (Drop(at="accepted"), Drop(at="accepted", reset=True)),
    "cut": (Drop(at="read"), Drop(at="read", reset=True)),
    "cut unread": (Drop(at="unread", reset=True),),
    "refused connection": (Refuse(), Refuse(silent=True)),
    "refused content": (Answer(status=403, code="content_refused"),),
    "429": (
        Answer(code="too_many_requests"),
        Answer(code="too_many_requests", headers={"retry-after": "3"}),
        Answer(status=429, body="slow down", headers={"retry-after": "20"}),
    ),
    "5xx": (
        Answer(code="api_error"),
        Answer(status=502, body="<html>Bad Gateway</html>"),
        Answer(status=504, body=""),
    ),
    "5xx after acceptance": (
        Answer(at="accepted", code="api_error"),
        Answer(at="accepted", status=502, body="<html>Bad Gateway</html>"),
        Answer(at="accepted", status=503, body=""),
    ),
    "timed out": (Answer(status=408, body=""), Answer(status=499, body="")),
    "timed out after acceptance": (Answer(at="accepted", status=408, body=""),),
    "torn JSON": (Torn(), Torn(fraction=0.0, reset=True)),
    "garbled": (Garble(), Garble(body='{"task_id": ', media_type="application/json")),
    "slow body": (Slow(seconds=0.5), Slow(seconds=3.0)),
    "late answer": (Hang(at="accepted", seconds=20.0), Hang(at="read", seconds=20.0)),
    "no answer": (Hang(at="accepted"), Hang(at="accepted", seconds=PATIENCE + 60.0)),
    "accepted late": (Hang(at="read", seconds=PATIENCE + 15.0),),
    "failed": (Fail(),),
    "no video": tuple(endings(video=False).values()),
    "provisional": (Provisional(), Provisional(seconds=10.0)),
    "other end": tuple(endings(video=True).values()),
    "unreadable": (Unreadable(), Unreadable(form="empty"), Unreadable(form="null")),
    "hidden": (Hide(seconds=5.0), Hide(seconds=25.0)),
}
"""What can strike a submit. None is accepted later than the README says is reckoned with."""

ENDED_BADLY = frozenset({"failed", "no video"})
"""What ends without a video at the service."""

UNREADABLE = frozenset({"unreadable", "entries unreadable"})
"""What keeps a list from being read."""

UNBILLED = frozenset(
    {"cut", "cut unread", "refused connection", "refused content", "429", "5xx", "timed out"}
)
"""What strikes before the service accepts anything."""

REFUSED = frozenset({"refused content", "429"})
"""Those of them that are the service's own word."""

UNANSWERED = frozenset(
    {
        "lost answer",
        "5xx after acceptance",
        "timed out after acceptance",
        "torn JSON",
        "garbled",
        "no answer",
        "accepted late",
    }
)
"""What loses the answer to a submit that was accepted."""

ALL_SUBMITS: Mapping[str, tuple[Any, ...]] = {
    "list lags": (Lag(seconds=5.0), Lag(seconds=60.0)),
}
"""What strikes every submit of a world."""

QUESTION: Mapping[str, tuple[Any, ...]] = {
    "polls cut": (Drop(at="read"), Drop(at="unread", reset=True)),
    "polls 5xx": (Answer(code="api_error"), Answer(status=502, body="<html>")),
    "polls 429": (Answer(code="too_many_requests", headers={"retry-after": "2"}),),
    "polls 403": (Answer(status=403, body="WAF"),),
    "polls torn": (Torn(),),
    "polls garbled": (Garble(),),
    "polls slow": (Slow(seconds=2.0), Hang(seconds=40.0)),
    "polls scrambled": (Scramble(repeat=2),),
}
"""What can strike a question. Free, so it may be asked again."""

LIST: Mapping[str, tuple[Any, ...]] = {
    "pages fail": (Drop(at="read"), Answer(code="api_error"), Torn(), Torn(declared=False)),
    "entries unreadable": (Unreadable(items=1), Unreadable(form="record_id", items=1)),
}
"""What can strike a page of the list."""

FILE: Mapping[str, tuple[Any, ...]] = {
    "files cut": (Drop(at="read"), Torn(), Torn(reset=True)),
    "files refused": (Answer(status=404, body=""), Answer(status=503, body="")),
}
"""What can strike a download."""

CALLBACK: Mapping[str, tuple[Any, ...]] = {
    "callbacks lost": (Never(),),
    "callbacks repeated": (Repeat(times=3, every=0.0), Repeat(times=4, every=7.0)),
    "callbacks late": (Late(seconds=3.0), Late(seconds=90.0)),
    "callbacks early": (Early(),),
    "callbacks garbled": (Garble(), Garble(body='{"success": true, "data": []}')),
}
"""What can strike a callback: a call of the service's own, and no more than a hint."""

_NAMES = {
    repr(effect): name
    for table in (SUBMIT, ALL_SUBMITS)
    for name, effects in table.items()
    for effect in effects
}


def name_of(effect: Any) -> str:
    """The name of an effect on a submit. Not all effects can be hashed."""
    return _NAMES[repr(effect)]

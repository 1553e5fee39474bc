"""The record of one item of a batch: the ``.json`` that lies beside its video.

It is for people and for other programs: what was asked for, what came of it, and the ids by which
the service knows it. Nobody trusts it unread, since anybody may have changed it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ..errors import VeoError
from ..models import Generation, Outcome, VideoRequest

VERSION = 1
"""What ``veo_async`` says in a record of this form."""

LONGEST = 4_000_000
"""Bytes of a record that are read: a prompt is text, so what is longer is something else."""


def write(outcome: Outcome, *, number: int, ends: Sequence[Generation], at: float) -> bytes:
    """The record of an item.

    Args:
        number: its number in the order of the input.
        ends: the results of its stages, in their order.
        at: Unix time in seconds when it ended.
    """
    source: Generation | VeoError | None = outcome.result or outcome.error
    return _record(
        outcome.key,
        number,
        outcome.request,
        state=outcome.state,
        task_id=getattr(source, "task_id", None),
        trace_id=getattr(source, "trace_id", None),
        task_ids=[end.task_id for end in ends],
        result=outcome.result and outcome.result.model_dump(mode="json", exclude_unset=True),
        error=outcome.error and _error(outcome.error),
        files=[path.name for path in outcome.files],
        ended_at=datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds"),
    )


def claim(key: str, *, number: int, request: VideoRequest, tasks: Iterable[str] = ()) -> bytes:
    """The record of an item that is not over: it says whose the name is, and of which tasks."""
    return _record(key, number, request, state="pending", task_ids=sorted(tasks))


def tasks_in(fields: Mapping[str, Any]) -> frozenset[str]:
    """The tasks whose results a record speaks of."""
    tasks = fields.get("task_ids")
    texts = tasks if isinstance(tasks, list) else []
    return frozenset(task for task in texts if isinstance(task, str))


def _record(key: str, number: int, request: VideoRequest, **fields: Any) -> bytes:
    asked = request.model_dump(mode="json", exclude_none=True)
    told = {name: fields.pop(name, None) for name in ("state", "task_id", "trace_id")}
    record = {"veo_async": VERSION, "number": number, "key": key, **told, "request": asked}
    text = json.dumps({**record, **fields}, ensure_ascii=False, indent=2, default=str)
    # A service may send half of a surrogate pair, which JSON writes as an escape.
    return text.encode(errors="backslashreplace") + b"\n"


def _error(error: VeoError) -> dict[str, Any]:
    return {
        "type": type(error).__name__,
        "summary": error.message,
        "message": str(error),
        "code": getattr(error, "code", None),
        "may_have_cost": error.may_have_cost,
    }


def read(data: bytes) -> dict[str, Any] | None:
    """The fields of a record; ``None`` if it is something else."""
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or not isinstance(fields.get("veo_async"), int):
        return None
    return fields


def tells_the_same(old: bytes, new: bytes) -> bool:
    """Whether two records differ in the time alone: then the first one has the right time."""
    before, after = read(old), read(new)
    if before is None or after is None:
        return False
    return before | {"ended_at": None} == after | {"ended_at": None}

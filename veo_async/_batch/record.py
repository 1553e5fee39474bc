"""The record of one item of a batch: the ``.json`` that lies beside its video.

It is for people and for other programs: the request, the outcome, and the service's ids. Anybody
may have changed it, so its fields are checked before they are used.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ..models import Generation, Outcome, VideoRequest

VERSION = 1
"""The value of ``veo_async`` in a record of this form."""

LONGEST = 4_000_000
"""Bytes of a record that are read: a prompt is text, so a longer file is something else."""

ERROR_FIELDS = ("type", "summary", "message", "code", "may_have_cost")
"""The fields of an error in a record, in their order."""


def write(outcome: Outcome, *, number: int, results: Sequence[Generation], at: float) -> bytes:
    """The record of an item that has ended.

    Args:
        number: its number in the order of the input.
        results: the results of its stages, in their order.
        at: Unix time in seconds when it ended.
    """
    fields, result, error = outcome.to_dict(), outcome.result, outcome.error
    if error:
        more = {"summary": error.message, "code": getattr(error, "code", None)}
        fields["error"] = dict.fromkeys(ERROR_FIELDS) | fields["error"] | more
    return _record(
        number,
        outcome.key,
        outcome.request,
        state=fields["state"],
        task_id=getattr(result or error, "task_id", None),
        trace_id=fields["trace_id"],
        task_ids=[one.task_id for one in results],
        result=result and result.model_dump(mode="json", exclude_unset=True),
        error=fields["error"],
        files=[path.name for path in outcome.files],
        ended_at=datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds"),
    )


def claim(key: str, *, number: int, request: VideoRequest, tasks: Iterable[str] = ()) -> bytes:
    """The record of an item that has not ended: it reserves the name for this key and its tasks."""
    return _record(number, key, request, state="pending", task_ids=sorted(tasks))


def tasks_in(fields: Mapping[str, Any]) -> frozenset[str]:
    """The ids of the tasks whose results are in a record."""
    tasks = fields.get("task_ids")
    texts = tasks if isinstance(tasks, list) else []
    return frozenset(task for task in texts if isinstance(task, str))


def purchase_in(fields: Mapping[str, Any]) -> str | None:
    """The purchase, certain or possible, that a record names, as a text for a person."""
    given = fields.get("task_id")
    tasks = sorted(tasks_in(fields) | ({given} if isinstance(given, str) and given else set()))
    if tasks:
        return f"task {', '.join(tasks)}"
    return "a submit whose outcome is unknown" if fields.get("state") == "uncertain" else None


def _record(number: int, key: str, request: VideoRequest, **fields: Any) -> bytes:
    known = {name: fields.pop(name, None) for name in ("state", "task_id", "trace_id")}
    asked = request.model_dump(mode="json", exclude_none=True)
    record = {"veo_async": VERSION, "number": number, "key": key, **known, "request": asked}
    text = json.dumps({**record, **fields}, ensure_ascii=False, indent=2, default=str)
    # A service may send half of a surrogate pair, which JSON writes as an escape.
    return text.encode(errors="backslashreplace") + b"\n"


def read(data: bytes) -> dict[str, Any] | None:
    """The fields of a record; ``None`` for any other bytes."""
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        return None
    is_ours = isinstance(fields, dict) and isinstance(fields.get("veo_async"), int)
    return fields if is_ours else None


def same_except_time(old: bytes, new: bytes) -> bool:
    """True if two records differ at most in their time. Then the older time is the right one."""
    before, after = read(old), read(new)
    if before is None or after is None:
        return False
    return before | {"ended_at": None} == after | {"ended_at": None}

"""The record of one item of a batch: the ``.json`` that lies beside its video.

It is for people and for other programs: what was asked for, what came of it, and the ids by which
the service knows it. Nobody trusts it unread, since anybody may have changed it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from ..models import Generation, Outcome

VERSION = 1
"""What ``veo_async`` says in a record of this form."""

LONGEST = 4_000_000
"""Bytes of a record that are read: a prompt is text, so what is longer is something else."""


def write(
    outcome: Outcome,
    *,
    number: int,
    ends: Sequence[Generation] = (),
    at: float,
) -> bytes:
    """The record of an item.

    Args:
        number: its number in the order of the input.
        ends: the results of its stages, in their order; ``outcome.files`` are theirs.
        at: Unix time in seconds when it ended.
    """
    error, task_ids = outcome.error, [end.task_id for end in ends]
    record = {
        "veo_async": VERSION,
        "number": number,
        "key": outcome.key,
        "state": outcome.state,
        "task_id": (outcome.result and outcome.result.task_id) or getattr(error, "task_id", None),
        "trace_id": (outcome.result and outcome.result.trace_id)
        or getattr(error, "trace_id", None),
        "request": outcome.request.model_dump(mode="json", exclude_none=True),
        "result": outcome.result and outcome.result.model_dump(mode="json", exclude_unset=True),
        "error": error
        and {
            "type": type(error).__name__,
            "message": str(error),
            "code": getattr(error, "code", None),
            "may_have_cost": error.may_have_cost,
        },
        "task_ids": task_ids,
        "files": [path.name for path in outcome.files],
        "ended_at": datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds"),
    }
    text = json.dumps(record, ensure_ascii=False, indent=2, default=str)
    # A service may send half of a surrogate pair, which JSON writes as an escape.
    return text.encode(errors="backslashreplace") + b"\n"


def read(data: bytes) -> dict[str, Any] | None:
    """The fields of a record; ``None`` if it is something else."""
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or not isinstance(fields.get("veo_async"), int):
        return None
    return fields

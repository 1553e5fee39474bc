"""The service's state and answers, as light as they can be: bytes in, bytes out, no I/O.

The emulator is the service for everything but measuring: it checks what it is sent and can fail in
every documented way, which takes longer than all that a client does. This one speaks the part of
the contract that the contenders use, with records of the same fields; a test compares the two.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

PAGE = 12
"""How many records a batch shows unless ``limit`` asks for more (seen in public clients)."""

REFUSED = b'{"success":false,"error":{"code":"%s","message":"%s"},"trace_id":"none"}'

RECORD = (
    '{"_id":"68834aa8d2c1f0a7b3e49d15","id":"%s","api_id":"00000000-0000-4000-8000-000000000001",'
    '"application_id":"00000000-0000-4000-8000-000000000002","created_at":%.3f,'
    '"credential_id":"00000000-0000-4000-8000-000000000003","request":%s,"trace_id":"%s",'
    '"type":"videos","user_id":"00000000-0000-4000-8000-000000000004"'
)
RESPONSE = (
    ',"response":{"success":true,"task_id":"%s","trace_id":"%s","data":[{"id":"%s",'
    '"video_url":"https://platform.cdn.acedata.cloud/veo/%s.mp4",'
    '"created_at":"2025-07-25 17:19:20","complete_at":"2025-07-25 17:21:45",'
    '"state":"succeeded"}]}}'
)

Answer = tuple[int, bytes]


@dataclass(slots=True)
class Task:
    """One accepted task, and its record as it reads before and after its end.

    Attributes:
        finish_at: when it is finished, on the clock of whoever asks.
    """

    finish_at: float
    pending: bytes
    finished: bytes

    def record(self, now: float) -> bytes:
        """Write how it stands."""
        return self.finished if now >= self.finish_at else self.pending


class Backend:
    """All tasks since the last reset.

    Args:
        mean, sigma: the log-normal distribution of the durations, in seconds.
        seed: the same seed gives the nth accepted task the same duration, after each `reset`.
        forgets: whether a task is gone once it was shown finished, so that a long run needs no
            more memory here than a short one.
    """

    def __init__(self, *, mean: float, sigma: float, seed: int, forgets: bool = False) -> None:
        self._forgets = forgets
        self._mu, self._sigma, self._seed = math.log(mean) - sigma**2 / 2, sigma, seed
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._ids, self._luck = Random(f"{self._seed}/ids"), Random(f"{self._seed}/durations")
        self.tasks: dict[str, Task] = {}
        self.durations: list[float] = []
        self.counters: Counter[str] = Counter()

    def answer(self, path: str, body: bytes, now: float) -> Answer:
        """Answer a POST with a status and a body."""
        call = self._calls.get(path)
        if call is None:
            return 404, REFUSED % (b"no_api", b"no such path")
        try:
            fields = json.loads(body)
        except ValueError:
            return 400, REFUSED % (b"bad_request", b"no JSON")
        return call(self, fields, now)

    def _submit(self, fields: dict[str, Any], now: float) -> Answer:
        if not fields.get("async"):
            return 400, REFUSED % (b"bad_request", b"only async is offered here")
        self.counters["submit"] += 1
        task_id, trace_id, video_id = (self._uuid() for _ in range(3))
        duration = self._luck.lognormvariate(self._mu, self._sigma)
        record = RECORD % (task_id, now, json.dumps(fields), trace_id)
        response = RESPONSE % (task_id, trace_id, video_id.replace("-", ""), task_id)
        if not self._forgets:
            self.durations.append(duration)
        self.tasks[task_id] = Task(
            now + duration, f"{record}}}".encode(), f"{record}{response}".encode()
        )
        return 200, b'{"task_id":"%s"}' % task_id.encode()

    def _uuid(self) -> str:
        digits = f"{self._ids.getrandbits(128):032x}"
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

    def _look(self, fields: dict[str, Any], now: float) -> Answer:
        action = fields.get("action")
        if action == "retrieve":
            return self._retrieve(fields["id"], now)
        if action == "retrieve_batch" and "ids" in fields:
            return self._retrieve_batch(fields["ids"], fields.get("limit", PAGE), now)
        return 400, REFUSED % (b"bad_request", b"only questions by id are answered here")

    def _retrieve(self, task_id: str, now: float) -> Answer:
        self.counters["retrieve"] += 1
        return 200, self._record(task_id, now) if task_id in self.tasks else b"{}"

    def _record(self, task_id: str, now: float) -> bytes:
        task = self.tasks[task_id]
        if self._forgets and now >= task.finish_at:
            del self.tasks[task_id]
        return task.record(now)

    def _retrieve_batch(self, ids: list[str], limit: int, now: float) -> Answer:
        self.counters["retrieve_batch"] += 1
        found = [task_id for task_id in ids if task_id in self.tasks][:limit]
        items = b",".join([self._record(task_id, now) for task_id in found])
        return 200, b'{"items":[%s],"count":%d}' % (items, len(found))

    _calls: ClassVar[dict[str, Callable[[Backend, dict[str, Any], float], Answer]]] = {
        "/veo/videos": _submit,
        "/veo/tasks": _look,
    }

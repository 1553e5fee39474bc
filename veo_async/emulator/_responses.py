"""The service's answers as dictionaries, written by hand, independently of the client's models.

Sources: the API guide (results, errors) and the vendor's tasks guide (records).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ..models import SERVICE_ZONE
from ._clock import Clock
from ._errors import ServiceError
from ._options import Wire
from ._state import Task

ACCOUNT = {
    "api_id": "9a628863-8879-462b-bbee-5dc46505b733",
    "application_id": "9dec7b2a-1cad-41ff-8536-d4ddaf2525d4",
    "credential_id": "68253cc8-504b-4b68-9b6d-d3f2a3e0f2d1",
    "user_id": "ad7afe47-cea9-4cda-980f-2ad8810e51cf",
}
"""The ids of the emulated account; invented."""


def local_time(moment: float) -> str:
    """A Unix time in the format of a video's times: without a zone, in the service's own (the tasks
    guide)."""
    return datetime.fromtimestamp(moment, SERVICE_ZONE).strftime("%Y-%m-%d %H:%M:%S")


class Responses:
    """Builds the answers of one deployment.

    Args:
        wire: the behaviour of the deployment.
        clock: the service's clock.
        skew: seconds by which the times in answers are ahead of that clock.
    """

    def __init__(self, wire: Wire, clock: Clock, skew: float = 0.0) -> None:
        self._wire = wire
        self._clock = clock
        self._skew = skew

    def accepted(self, task: Task) -> dict[str, Any]:
        """The answer to an asynchronous submit."""
        return {"task_id": task.id}

    def error(self, error: ServiceError, trace_id: str) -> dict[str, Any]:
        """The documented error body."""
        return {
            "success": False,
            "error": {"code": error.code, "message": error.message},
            "trace_id": trace_id,
        }

    def outcome(self, task: Task, files_url: str) -> dict[str, Any]:
        """The outcome of a finished task: its result or its error body."""
        if task.failure is not None:
            return self.error(task.failure, task.trace_id)
        return {
            "success": True,
            "task_id": task.id,
            "trace_id": task.trace_id,
            "data": [self._video(task, files_url)],
        }

    def callback(self, task: Task, files_url: str) -> dict[str, Any]:
        """The outcome, always with the task id: a receiver has nothing else to match it by."""
        return {"task_id": task.id, **self.outcome(task, files_url)}

    def _video(self, task: Task, files_url: str) -> dict[str, Any]:
        # A 1080p answer contains the id and the times of its source (the API guide's example).
        origin = task.origin
        return {
            "id": task.video_id,
            "video_url": f"{files_url}/files/{task.id}.mp4{self._until()}",
            "created_at": local_time(origin.accepted_at + self._skew),
            "complete_at": local_time(origin.finish_at + self._skew),
            "state": "succeeded",
        }

    def _until(self) -> str:
        lifetime = self._wire.url_lifetime
        return "" if lifetime is None else f"?expires={self._clock.now() + lifetime:.3f}"

    def record(self, task: Task, now: float, files_url: str) -> dict[str, Any]:
        """The record of a task, as queries answer it."""
        record = {
            "_id": task.record_id,
            "id": task.id,
            "api_id": ACCOUNT["api_id"],
            "application_id": ACCOUNT["application_id"],
            "created_at": round(task.accepted_at + self._skew, 3),
            "credential_id": ACCOUNT["credential_id"],
            "request": task.request,
            "trace_id": task.trace_id,
            "type": "videos",
            "user_id": ACCOUNT["user_id"],
        }
        if not task.finished(now):
            return record | self._pending(task)
        if self._wire.timings:
            record["finished_at"] = round(task.finish_at + self._skew, 3)
            record["elapsed"] = round(task.finish_at - task.accepted_at, 3)
        return record | {"response": self.outcome(task, files_url)}

    def _pending(self, task: Task) -> dict[str, Any]:
        match self._wire.pending:
            case "null":
                return {"response": None}
            case "empty":
                return {"response": {}}
            case "processing":
                entry = {"id": task.video_id, "state": "processing"}
                return {"response": {"task_id": task.id, "data": [entry]}}
            case _:
                return {}

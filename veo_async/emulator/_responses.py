"""The service's answers as dictionaries, written by hand, independently of the client's models.

Sources: the API guide (results, errors) and the vendor's tasks guide (records).
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from ..models import SERVICE_ZONE
from ._clock import TICK, Clock
from ._effects import Ending, Unreadable
from ._errors import ServiceError
from ._options import Wire
from ._state import Task, number_of

ACCOUNT = {
    "api_id": "9a628863-8879-462b-bbee-5dc46505b733",
    "application_id": "9dec7b2a-1cad-41ff-8536-d4ddaf2525d4",
    "credential_id": "68253cc8-504b-4b68-9b6d-d3f2a3e0f2d1",
}
"""The ids of the emulated application; invented."""


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

    Attributes:
        files_url: the address of the files.
    """

    def __init__(self, wire: Wire, clock: Clock, skew: float = 0.0) -> None:
        self.wire = wire
        self._clock = clock
        self._skew = skew
        self.files_url = ""

    def accepted(self, task: Task) -> dict[str, Any]:
        """The answer to an asynchronous submit."""
        return {"task_id": task.id}

    def error(self, error: ServiceError, trace_id: str) -> dict[str, Any]:
        """The documented error body."""
        return self.failure(error) | {"trace_id": trace_id}

    def failure(self, error: ServiceError) -> dict[str, Any]:
        """The error body without a trace id, as records contain it: theirs is their own."""
        return {"success": False, "error": {"code": error.code, "message": error.message}}

    def outcome(self, task: Task, *, traced: bool = True) -> dict[str, Any]:
        """The outcome of a finished task: its result or its error body.

        Args:
            task: the task.
            traced: an error body contains the trace id.
        """
        if task.failure is not None:
            error = self.failure(task.failure)
            return shaped(error | ({"trace_id": task.trace_id} if traced else {}), task.ending)
        result = {
            "success": True,
            "task_id": task.id,
            "trace_id": task.trace_id,
            "data": [self._video(task)],
        }
        return shaped(result, task.ending)

    def callback(self, task: Task) -> dict[str, Any]:
        """The outcome, always with the task id: a receiver has nothing else to match it by."""
        return {"task_id": task.id, **self.outcome(task)}

    def _video(self, task: Task) -> dict[str, Any]:
        # A 1080p answer contains the id and the times of its source (the API guide's example).
        origin = task.origin
        return {
            "id": task.video_id,
            "video_url": f"{self.files_url}/files/{task.id}.mp4{self._until()}",
            "created_at": local_time(origin.accepted_at + self._skew),
            "complete_at": local_time(origin.finish_at + self._skew),
            "state": "succeeded",
        }

    def _until(self) -> str:
        lifetime = self.wire.url_lifetime
        return "" if lifetime is None else f"?expires={self._clock.now() + lifetime:.3f}"

    def record(self, task: Task, now: float) -> dict[str, Any]:
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
            "type": type_of(task),
            "user_id": task.user_id,
        }
        end = self._end(task) if task.finished(now) else self._pending(task, now)
        return record | end

    def _end(self, task: Task) -> dict[str, Any]:
        # The record's own trace id is the one that support asks for.
        response = self.outcome(task, traced=False)
        place = self._place_of_times(task)
        times = {
            "finished_at": round(task.finish_at + self._skew, 3),
            "elapsed": round(task.finish_at - task.accepted_at, 3),
        }
        if place == "response":
            response |= times
        as_text = task.ending is not None and task.ending.as_text
        shown = {"response": json.dumps(response) if as_text else response}
        return times | shown if place == "record" else shown

    def _place_of_times(self, task: Task) -> str:
        if task.ending is not None:
            return task.ending.finished_at
        return "record" if self.wire.timings or task.provisional else "absent"

    def _pending(self, task: Task, now: float) -> dict[str, Any]:
        provisional = task.provisional
        if provisional and now >= task.accepted_at + provisional.seconds - TICK:
            error = ServiceError(provisional.code, provisional.message)
            return {"finished_at": None, "response": self.failure(error)}
        response = self._preliminary(task)
        times = {"finished_at": None} if self.wire.timings else {}
        return times if response is ABSENT else times | {"response": response}

    def _preliminary(self, task: Task) -> Any:
        video = {"id": task.video_id}
        match self.wire.pending:
            case "null":
                return None
            case "empty":
                return {}
            case "processing":
                return {"task_id": task.id, "data": [video | {"state": "processing"}]}
            case "preview":
                video |= {"video_url": f"{self.files_url}/files/{task.id}.mp4", "state": "running"}
                return {"success": True, "status": "running", "data": [video]}
            case "unstructured":
                return {"success": False, "error": "temporary"}
            case _:
                return ABSENT


ABSENT = object()


def type_of(task: Task) -> str:
    """The type of a record. An upscale with the name of the other endpoint has its type."""
    return "upsample" if task.request.get("action") == "1080p" else "videos"


def shaped(response: dict[str, Any], ending: Ending | None) -> dict[str, Any]:
    """A response in the form of an ending."""
    if ending is None:
        return response
    response = _changed(response, ending.fields, ending.without)
    if "data" not in ending.fields and "data" in response:
        response["data"] = [_changed(v, ending.entry, ending.without) for v in response["data"]]
    return response


def _changed(
    usual: dict[str, Any], fields: dict[str, Any], without: frozenset[str]
) -> dict[str, Any]:
    return {key: value for key, value in usual.items() if key not in without} | fields


def unreadable(record: dict[str, Any], effect: Unreadable) -> Any:
    """The entry of a list in the form that an effect gives it. An empty entry stays."""
    match effect.form if record else "empty":
        case "null_id":
            return record | {"id": None}
        case "number_id":
            return record | {"id": number_of(record["_id"])}
        case "empty":
            return {}
        case "null":
            return None
        case _:
            return {"_id": record["_id"]}

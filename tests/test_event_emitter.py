from __future__ import annotations

import asyncio
from typing import Any

import pytest

from veo_async import GenerationFailedError, InvalidRequestError, TextToVideo, events
from veo_async._events import UNKNOWN, EventContext, EventEmitter
from veo_async._submit.verdict import (
    Accepted,
    NotSent,
    Refused,
    Uncertain,
    Verdict,
    event_of_verdict,
)
from veo_async._tracking.wait_errors import event_of_end
from veo_async._wire.arguments import read_listener
from veo_async._wire.replies import Failure
from veo_async._wire.task_status import PENDING, TaskStatus
from veo_async.errors import BadRequestError
from veo_async.models import Generation

CONTEXT = EventContext.of(TextToVideo(prompt="a mug"), key="mug", sent_at=100.0)
RESULT = Generation(success=True, task_id="t", trace_id="tr")
REFUSAL = BadRequestError("no", status_code=400, code="bad_request", trace_id="tr")
FAILURE = GenerationFailedError("no", task_id="t", code=None, trace_id="tr", videos=())


@pytest.mark.parametrize(
    "verdict, name, ids, own",
    [
        (Accepted("t", PENDING), "accepted", ("t", None), {}),
        (Accepted("t", PENDING, "tr"), "accepted", ("t", "tr"), {}),
        (Accepted("t", TaskStatus("succeeded", RESULT), "tr"), "accepted", ("t", "tr"), {}),
        (Accepted(None, TaskStatus("succeeded", RESULT), "tr"), "accepted", (None, "tr"), {}),
        (Refused(REFUSAL), "refused", (None, "tr"), {"error": REFUSAL}),
        (Uncertain("cut", "tr"), "uncertain", (None, "tr"), {"reason": "cut"}),
        (
            NotSent(Failure("httpx", (), (), "no way")),
            "notsent",
            (None, None),
            {"reason": "no way"},
        ),
    ],
)
def test_verdicts(
    verdict: Verdict, name: str, ids: tuple[str | None, str | None], own: dict[str, Any]
) -> None:
    """Each verdict is an event that names its video and has the duration of the POST."""
    event = event_of_verdict(CONTEXT, verdict, at=102.5)

    assert event.name == name
    assert (event.key, event.action, event.model) == ("mug", "text2video", "veo3-fast")
    assert (event.task_id, event.trace_id) == ids
    assert (event.at, event.seconds) == (102.5, 2.5)  # type: ignore[attr-defined]
    assert {field: getattr(event, field) for field in own} == own


def test_ends() -> None:
    """The end of a task has its result or its error, and the time since its submit."""
    finished = event_of_end(CONTEXT, "t", TaskStatus("succeeded", RESULT), at=160.0)
    failed = event_of_end(CONTEXT, "t", TaskStatus("failed", error=FAILURE), at=160.0)

    assert isinstance(finished, events.Finished)
    assert (finished.generation, finished.trace_id, finished.seconds) == (RESULT, "tr", 60.0)
    assert isinstance(failed, events.Failed)
    assert (failed.error, failed.trace_id, failed.seconds) == (FAILURE, "tr", 60.0)


def test_unknown_origins() -> None:
    """The id is all that is known of a task that was submitted elsewhere; no time is made up for
    it."""
    event = event_of_end(UNKNOWN, "t", TaskStatus("succeeded", RESULT), at=160.0)

    assert (event.key, event.action, event.task_id, event.seconds) == (None, None, "t", None)


def test_a_clock_that_was_set_back() -> None:
    """No time is negative, also if the clock of an earlier run was ahead."""
    assert CONTEXT.age(99.0) == 0.0


async def coroutine(event: events.Event) -> None:
    """A listener that would have to be awaited."""


@pytest.mark.parametrize("listener", [coroutine, "print", 3])
def test_listeners_that_cannot_be(listener: object) -> None:
    """A listener that cannot be called, or would have to be awaited, is refused at once."""
    with pytest.raises(InvalidRequestError) as caught:
        read_listener(listener)

    assert caught.value.field == "on_event"


def test_listeners() -> None:
    """Any plain callable of one event can listen; ``None`` is no listener."""
    put = asyncio.Queue[events.Event]().put_nowait

    assert read_listener(put) is put
    assert read_listener(None) is None


def test_an_emitter_without_a_listener_is_false() -> None:
    """So no event is built without a listener; one that is emitted nevertheless is dropped."""
    emitter = EventEmitter()

    emitter.emit(events.Throttled(at=0.0, seconds=1.0))

    assert not emitter
    assert EventEmitter(print)

"""The progress of a command, from the events of its client."""

from __future__ import annotations

from typing import Any

import pytest

from veo_async import GenerationFailedError, InsufficientBalanceError, Outcome, TextToVideo
from veo_async import events as of
from veo_async.cli._progress import Item, Progress, final_state
from veo_async.errors import BadRequestError, SubmissionLimitError, VeoError, WaitTimeoutError
from veo_async.events import Event
from veo_async.models import Generation, Get1080p

REQUEST = TextToVideo(prompt="a mug")
RESULT = Generation(success=True)


class Clock:
    """Time that goes on when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def begun(key: str, step: Any = "start") -> Event:
    """An item is under way."""
    return of.Begun(at=0, key=key, request=REQUEST, step=step)


def submitted(key: str) -> Event:
    """It is sent."""
    return of.Submitted(at=0, key=key, request=REQUEST)


def accepted(key: str) -> Event:
    """It was taken."""
    return of.Accepted(at=0, key=key, seconds=1.0)


def finished(key: str, seconds: float | None = 60.0) -> Event:
    """It was made."""
    return of.Finished(at=0, key=key, action="text2video", generation=RESULT, seconds=seconds)


def ended(key: str, error: VeoError | None = None) -> Event:
    """It is over."""
    outcome = Outcome(key, REQUEST, None if error else RESULT, error)
    return of.Ended(at=0, key=key, outcome=outcome, seconds=1.0)


def progress(*heard: Event, total: int = 10) -> tuple[Progress, Clock]:
    """The progress of these events, and its clock."""
    clock = Clock()
    made = Progress(clock, total)
    for event in heard:
        made.on_event(event)
    return made, clock


@pytest.mark.parametrize(
    "event, doing",
    [
        (submitted("a"), "submitting"),
        (accepted("a"), "making"),
        (of.Refused(at=0, key="a", error=VeoError("no"), seconds=1.0), "waiting"),
        (of.NotSent(at=0, key="a", reason="no", seconds=1.0), "waiting"),
        (of.Uncertain(at=0, key="a", reason="cut", seconds=1.0), "looking"),
        (of.Adopted(at=0, key="a", seconds=1.0), "making"),
        (of.Absent(at=0, key="a", seconds=1.0), "waiting"),
        (finished("a"), "downloading"),
    ],
)
def test_each_event(event: Event, doing: str) -> None:
    """After each event something else is done about the item; nothing is counted twice."""
    counts = progress(begun("a"), event)[0].steps()

    assert counts[doing] == (10 if doing == "waiting" else 1)
    assert counts.total() == 10


@pytest.mark.parametrize(
    "step, doing",
    [("wait", "making"), ("reconcile", "looking"), ("finished", "downloading")],
)
def test_resumed_items(step: str, doing: str) -> None:
    """What an earlier run began goes on where it was."""
    assert progress(begun("a", step))[0].steps()[doing] == 1


def test_what_changes_nothing() -> None:
    """Events of single calls, of unknown items and of files change no count."""
    failed = of.Failed(
        at=0, key="a", seconds=1.0, error=GenerationFailedError("no", task_id="t", code=None)
    )
    before, _ = progress(begun("a"), accepted("a"))

    after, _ = progress(begun("a"), accepted("a"), failed, accepted("else"), Event(at=0))

    assert after.steps() == before.steps()


@pytest.mark.parametrize(
    "error, is_submitted, end",
    [
        (None, True, "succeeded"),
        (VeoError("no"), True, "failed"),
        (VeoError("the journal is full"), False, "left"),
        (SubmissionLimitError("no more"), True, "left"),
        (InsufficientBalanceError("no", code="used_up"), True, "left"),
        (BadRequestError("no"), True, "failed"),
        (WaitTimeoutError("late", task_id="t"), True, "pending"),
        (VeoError("no", may_have_cost=True), False, "failed"),
    ],
)
def test_ends(error: VeoError | None, *, is_submitted: bool, end: str) -> None:
    """What was never bought, for no fault of its own, is left; all else has ended."""
    moving = Item("a mug", "waiting", 0.0, is_submitted=is_submitted)

    assert final_state(Outcome("a", REQUEST, None, error), moving) == end


def test_earlier_failures_are_not_left() -> None:
    """What stays failed from an earlier run has failed, and is not left to do."""
    made, _ = progress(begun("a", "failed"), ended("a", BadRequestError("no")))

    assert made.take("a") == "failed"
    assert made.ended == {"failed": 1}
    assert not made.items


def test_time_left() -> None:
    """The rest is estimated by how long videos took: at most as many at once as there were, and
    no faster than they were taken."""
    made, clock = progress(*(event for key in "ab" for event in (begun(key), accepted(key))))
    assert made.seconds_left is None
    clock.now = 40.0
    made.on_event(finished("a", 40.0))
    made.on_event(ended("a"))

    by_width = made.seconds_left
    clock.now = 400.0
    by_rate = made.seconds_left

    assert by_width == 8 * 40.0 / 2 + 40.0
    assert by_rate == 8 * 400.0 / 2 + 40.0


def test_time_left_at_the_end() -> None:
    """Once all are under way, the youngest decides; a late one may come at any moment."""
    made, clock = progress(begun("a"), accepted("a"), begun("b"), accepted("b"), total=2)
    clock.now = 40.0
    made.on_event(finished("a", 40.0))
    made.on_event(ended("a"))
    made.on_event(of.Adopted(at=0, key="b", seconds=1.0))

    assert made.seconds_left == 40.0
    clock.now = 60.0
    assert made.seconds_left == 20.0
    clock.now = 600.0
    assert made.seconds_left == 0.0
    made.on_event(ended("b"))
    assert made.seconds_left == 0.0


def test_results_of_elsewhere_teach_nothing() -> None:
    """A task whose submit nobody saw says nothing of how long videos take."""
    made, clock = progress(begun("a"), finished("a", None))
    clock.now = 60.0

    assert made.seconds_left is made.per_minute is None


def test_pauses() -> None:
    """The longest pause holds."""
    made, clock = progress(of.Throttled(at=0, seconds=20.0), of.Throttled(at=0, seconds=10.0))
    clock.now = 15.0

    assert (made.pauses, made.pause) == (2, 5.0)
    clock.now = 25.0
    assert made.pause == 0.0


def test_newest() -> None:
    """The items about which something new is done are shown, the last one first."""
    made, clock = progress(begun("a"), begun("b"), begun("c"))
    for key in "ba":
        clock.now += 1.0
        made.on_event(submitted(key))
    upscale = of.Begun(at=0, key="d", request=Get1080p(video_id="v1"), step="wait")
    made.on_event(upscale)
    clock.now += 1.0
    made.on_event(of.Adopted(at=0, key="d", seconds=1.0))

    assert [item.label for item in made.newest(2)] == ["v1", "a mug"]
    assert len(made.newest(9)) == 3


def finished_task(task_id: str) -> Event:
    """A task of a single call was made: its event has no key."""
    return of.Finished(at=0, task_id=task_id, generation=RESULT, seconds=60.0)


def calls(label: str, *, is_saved: bool) -> tuple[Progress, Item, list[str]]:
    """The progress of one call, its item, and a list of its steps and its final state."""
    seen: list[str] = []
    made = Progress(Clock(), on_change=lambda item, _: seen.append(item.state or item.step))
    return made, made.add(label, "submitting", is_saved=is_saved), seen


@pytest.mark.parametrize(
    "is_saved, steps",
    [
        (True, ["submitting", "making", "downloading", "succeeded"]),
        (False, ["submitting", "making", "succeeded"]),
    ],
)
def test_single_calls(*, is_saved: bool, steps: list[str]) -> None:
    """The events of a single call find its item by the task; each change is told once."""
    made, item, seen = calls("a mug", is_saved=is_saved)

    made.on_event(of.Submitted(at=0, request=REQUEST))
    made.assign(item, "t", is_finished=False)
    made.on_event(finished_task("t"))
    made.on_event(finished_task("else"))
    made.end(item, "succeeded")
    made.on_event(finished_task("t"))

    assert seen == steps
    assert (made.done, made.total, made.steps().total(), item.detail) == (1, 1, 0, "t")


@pytest.mark.parametrize("is_saved, step", [(True, "downloading"), (False, "making")])
def test_an_answer_with_the_video(*, is_saved: bool, step: str) -> None:
    """A task may be finished before the command knows its id."""
    made, item, seen = calls("a mug", is_saved=is_saved)
    made.on_event(finished_task("t"))

    made.assign(item, "t", is_finished=True)

    assert item.step == seen[-1] == step
    assert "making" in seen


def test_a_task_without_an_id() -> None:
    """The item of a task without an id is found by no event, such as that of another submit."""
    made, item, _ = calls("a mug", is_saved=False)

    made.assign(item, "", is_finished=True)
    made.on_event(of.Submitted(at=0, request=REQUEST))

    assert item.step == "making"

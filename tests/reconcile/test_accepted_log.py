"""The log of accepted submits: the order, the forgetting, and the memory that it states."""

from __future__ import annotations

import tracemalloc

from veo_async import TextToVideo
from veo_async._reconcile.accepted_log import AcceptedLog
from veo_async._reconcile.comparison import chosen
from veo_async._reconcile.window import Receipt


def accepted(number: int) -> Receipt:
    """An accepted submit that ended at that second."""
    request = TextToVideo(prompt=f"video {number}", model="veo3-fast", aspect_ratio="16:9")
    fields = {**chosen(request), "action": "text2video"}
    return Receipt(f"{number:036}", fields, number - 0.1, float(number), number / 7)


def test_all_are_given_in_the_order_in_which_they_came() -> None:
    """Each as it was added."""
    log, added = AcceptedLog(), [accepted(number) for number in range(1000)]

    for one in added:
        log.add(one)

    assert len(log) == 1000
    assert list(log) == added


def test_the_oldest_ones_are_forgotten_one_by_one() -> None:
    """Each that ended before the time is removed, and its id is given, in order; all others stay
    as they are. Where nothing is that old, nothing changes."""
    log = AcceptedLog()
    added = [accepted(number) for number in range(1000)]
    for one in added:
        log.add(one)

    gone = [list(log.forget_before(time)) for time in (0.0, 300.0, 300.5, 300.5)]

    assert [len(ids) for ids in gone] == [0, 300, 1, 0]
    assert [*gone[1], *gone[2]] == [one.task_id for one in added[:301]]
    assert list(log) == added[301:]
    assert not log.reaches_before(301.0)
    assert log.reaches_before(301.5)

    assert len(list(log.forget_before(1e9))) == 699
    assert not len(log)
    assert not log.reaches_before(1e9)


def test_one_that_ended_late_keeps_those_behind_it() -> None:
    """The order is that of their answers: where a clock was set back, a younger one stays as long
    as an older one of a later time."""
    log = AcceptedLog()
    for number in (5, 3):
        log.add(accepted(number))

    assert not list(log.forget_before(4.0))
    assert len(log) == 2
    assert len(list(log.forget_before(6.0))) == 2


def test_each_takes_about_half_a_kilobyte() -> None:
    """As the module says: besides the texts of its request."""
    log = AcceptedLog()
    log.add(accepted(0))
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(1000):
            log.add(accepted(number))
        each = (tracemalloc.get_traced_memory()[0] - before) / 1000
    finally:
        tracemalloc.stop()

    assert 256 < each < 640

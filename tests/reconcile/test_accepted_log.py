"""The log of accepted submits: the order, the forgetting, and the memory that it states."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

from veo_async._reconcile.accepted_log import AcceptedLog
from veo_async._reconcile.window import AcceptedSubmit

TEXT, IMAGE = ("text2video", False), ("image2video", False)


def accepted(number: int) -> AcceptedSubmit:
    """An accepted submit that ended at that second."""
    mark = f"{number:036}"
    return AcceptedSubmit(mark, TEXT, number - 0.1, float(number), number / 7, mark)


def test_all_are_given_in_the_order_in_which_they_came() -> None:
    """Each as it was added, and by its id."""
    log, added = AcceptedLog(), [accepted(number) for number in range(1000)]

    for one in added:
        log.add(one)

    assert len(log) == 1000
    assert list(log) == added
    assert log.get(added[7].task_id) is added[7]
    assert log.get("other") is None


def test_the_oldest_ones_are_forgotten_one_by_one() -> None:
    """Each that ended before the time is removed, and its id is given, in order; all others stay
    as they are. Where nothing is that old, nothing changes."""
    log = AcceptedLog()
    added = [accepted(number) for number in range(1000)]
    for one in added:
        log.add(one)

    gone = [list(log.forget_before(time)) for time in (0.0, 300.0, 300.5, 300.5)]

    # The id of the last one is given when another one takes its place as a control.
    assert [len(ids) for ids in gone] == [0, 299, 1, 0]
    assert [*gone[1], *gone[2]] == [one.task_id for one in added[:300]]
    assert list(log) == added[300:]
    assert not log.reaches_before(301.0)
    assert log.reaches_before(301.5)

    assert len(list(log.forget_before(1e9))) == 699
    assert not len(log)
    assert not log.reaches_before(1e9)


def test_the_last_control_of_each_kind_is_kept() -> None:
    """With a mark and without; and it is known by its id, so that the list shows it as ours."""
    log = AcceptedLog()
    plain = replace(accepted(1), mark=None)
    kinds = [accepted(0), plain, replace(accepted(2), kind=IMAGE), accepted(3)]
    others = [replace(accepted(4), proven=False), replace(accepted(5), task_id="")]
    for one in (*kinds, *others):
        log.add(one)

    forgotten = list(log.forget_before(1e9))

    assert set(forgotten) == {kinds[0].task_id, others[0].task_id}
    assert list(log) == [kinds[3], *kinds[1:3]]
    assert not len(log)
    assert [log.get(one.task_id) for one in kinds] == [None, *kinds[1:]]


def test_one_that_ended_late_keeps_those_behind_it() -> None:
    """The order is that of their answers: where a clock was set back, a younger one stays as long
    as an older one of a later time."""
    log = AcceptedLog()
    for number in (5, 3):
        log.add(accepted(number))

    assert not list(log.forget_before(4.0))
    assert len(log) == 2
    assert len(list(log.forget_before(6.0))) == 1
    assert not len(log)


def test_an_id_that_two_answers_name_is_given_once() -> None:
    """A service may answer two submits with one id."""
    log = AcceptedLog()
    for number in (1, 1, 2):
        log.add(accepted(number))

    assert list(log.forget_before(1e9)) == [accepted(1).task_id]


def test_each_takes_about_half_a_kilobyte() -> None:
    """As the module says: besides the texts of its id and its mark."""
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

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.wire import bounded
from veo_async._reconcile.window import (
    NEAR,
    SLACK,
    WIDE,
    AcceptedSubmit,
    LostSubmit,
    is_near,
    is_one_near,
    precedence,
    slack_of,
    window,
    window_of_all,
)

T0 = 1_753_435_158.0
MUG = {"action": "text2video", "model": "veo3-fast", "prompt": "a mug"}
CUP = {**MUG, "prompt": "a cup"}
RAIN = {**MUG, "prompt": "rain"}
LOST = LostSubmit(MUG, begun=T0, ended=T0 + 10)
EARLIER = AcceptedSubmit("earlier", CUP, begun=T0 - 60, ended=T0 - 59)
LATER = AcceptedSubmit("later", RAIN, begun=T0 + 11, ended=T0 + 12)


def test_windows_are_in_the_services_time() -> None:
    """A window runs from the send to a grace after the end, shifted by the clocks' offset."""
    assert window(LOST, 100.0) == (T0 + 95, T0 + 145)
    assert window(EARLIER, 0.0, slack=0.0) == (T0 - 60, T0 - 29)


def test_a_look_reaches_over_all_windows_and_further_without_a_task_of_ours() -> None:
    """Without any task of ours near in time the clocks may disagree, so more is read; with some,
    the controls next to it are read too, and no others."""
    late = LostSubmit(MUG, T0 + 50, T0 + 60)
    before = AcceptedSubmit("before", CUP, begun=T0 - 120, ended=T0 - 119)
    after = AcceptedSubmit("after", RAIN, begun=T0 + 80, ended=T0 + 81)

    assert window_of_all([LOST, late], [before, EARLIER], 0.0) == (T0 - 65, T0 + 95)
    assert window_of_all([LOST], [EARLIER, LATER, after], 0.0) == (T0 - 65, T0 + 47)
    assert window_of_all([LOST], (), None) == (T0 - 900, T0 + 940)
    assert window_of_all([LOST], [replace(EARLIER, answered=False)], 0.0) == (T0 - 900, T0 + 940)


def test_equal_ones_leave_each_other_what_lies_in_their_windows() -> None:
    """The submit whose window ends first adopts the oldest record; a trace id comes before all."""
    early, late = LostSubmit(MUG, T0, T0 + 1), LostSubmit(MUG, T0 + 20, T0 + 21)
    long, traced = LostSubmit(MUG, T0, T0 + 99), LostSubmit(MUG, T0, T0 + 99, trace_id="trace")

    ordered = sorted([long, late, traced, early], key=precedence)

    assert ordered == [traced, early, late, long]


moments = st.integers(0, 2000)


@bounded
@given(
    # Those of ours begin off the full second, so that no two are equally near.
    st.dictionaries(moments, st.tuples(st.integers(0, 50), st.booleans()), max_size=30),
    st.lists(st.tuples(moments, st.integers(0, 50)), min_size=1, max_size=4),
)
def test_a_look_reaches_to_the_nearest_tasks_of_ours(
    ours: dict[int, tuple[int, bool]], theirs: list[tuple[int, int]]
) -> None:
    """Of thousands of tasks of ours the same ones are found as by going through all of them: on
    each side the nearest one of the same action, else the nearest one."""
    image = {**CUP, "action": "image2video"}
    receipts = [
        AcceptedSubmit(str(at), CUP if same else image, T0 + at + 0.25, T0 + at + 0.25 + took)
        for at, (took, same) in ours.items()
    ]
    lost = [LostSubmit(MUG, T0 + at, T0 + at + took) for at, took in theirs]
    times = []
    for one in lost:
        near = sorted(
            (receipt for receipt in receipts if abs(receipt.begun - one.begun) <= NEAR),
            key=lambda receipt: abs(receipt.begun - one.begun),
        )
        times.append(window(one, 0.0, slack=SLACK if near else WIDE))
        before = [receipt for receipt in near if receipt.begun < one.ended]
        after = [receipt for receipt in near if receipt.begun >= one.ended]
        for side in (before, after):
            alike = [receipt for receipt in side if receipt.chosen == CUP]
            times += [window(receipt, 0.0) for receipt in (alike or side)[:1]]

    assert window_of_all(lost, receipts, 0.0) == (
        min(first for first, _ in times),
        max(last for _, last in times),
    )


@pytest.mark.parametrize(
    "at, near", [(-NEAR, True), (NEAR, True), (-NEAR - 1, False), (NEAR + 1, False), (0.0, True)]
)
def test_what_is_near(at: float, near: bool) -> None:
    """Ten minutes before and after, the last moments included."""
    receipt = AcceptedSubmit("r", CUP, T0 + at, T0 + at + 1)

    assert is_near(receipt, LOST) is is_one_near(LOST, [receipt.begun]) is near
    assert slack_of(LOST, [receipt.begun]) == (SLACK if near else WIDE)

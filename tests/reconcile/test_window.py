from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.wire import bounded
from veo_async._reconcile.window import (
    FAR,
    SLACK,
    WIDE,
    AcceptedSubmit,
    Kind,
    LostSubmit,
    is_one_within,
    lead_of,
    span_of,
    window,
)

T0 = 1_753_435_158.0
MUG = {"action": "text2video", "model": "veo3-fast", "prompt": "a mug"}
TEXT, IMAGE, HELD = ("text2video", False), ("image2video", False), ("text2video", True)
LOST = LostSubmit(MUG, begun=T0, ended=T0 + 10)
EARLIER = AcceptedSubmit("earlier", TEXT, begun=T0 - 60, ended=T0 - 59)
LATER = AcceptedSubmit("later", TEXT, begun=T0 + 11, ended=T0 + 12)
MARK = "00000000-0000-4000-8000-000000000000"


def test_windows_are_in_the_services_time() -> None:
    """A window runs from the send to a grace after the end, shifted by the clocks' offset."""
    assert window(LOST, 100.0) == (T0 + 95, T0 + 145)
    assert window(EARLIER, 0.0) == (T0 - 65, T0 - 24)


def test_windows_span_a_sleep_of_this_machine() -> None:
    """The offset jumps when this machine's clock is set; the record may be from before or after."""
    lost = replace(LOST, offset=5.0)

    assert window(lost, 605.0) == (T0, T0 + 10 + 605 + 35)


@pytest.mark.parametrize(
    "action, held, kind",
    [
        ("text2video", False, TEXT),
        ("text2video", True, HELD),
        ("get1080p", False, ("get_1080p", False)),
        (None, False, ("None", False)),
    ],
)
def test_a_kind_is_an_action_in_one_spelling_and_the_way_of_the_answer(
    action: str | None, held: bool, kind: Kind
) -> None:
    """A list that shows tasks of one kind need not show those of another."""
    assert replace(LOST, chosen={"action": action}, is_held=held).kind == kind


@pytest.mark.parametrize(
    "control, is_one",
    [
        (EARLIER, True),
        (replace(EARLIER, task_id=""), False),
        (replace(EARLIER, proven=False), False),
    ],
)
def test_a_control_has_an_id_and_is_proven(control: AcceptedSubmit, is_one: bool) -> None:
    """Without an id it cannot be seen, and one that was found by comparison may be a stranger's."""
    assert control.is_control is is_one


@pytest.mark.parametrize("then, over", [(None, 700.0), (7.0, 8.0)])
def test_patience_is_measured_by_the_services_clock(then: float | None, over: float) -> None:
    """This machine's may be set meanwhile. If nothing ties the time of an earlier run to it, the
    time since this run asked counts."""
    lost = LostSubmit(MUG, T0, T0 + 1.0, offset=then, asked=T0 + 700.0)

    assert lost.ended_at(-593.0) == T0 + over - (593.0 if then is None else 0.0)
    assert replace(lost, offset=None, asked=-inf).ended_at(-593.0) == T0 - 592.0


@pytest.mark.parametrize(
    "control, offset, lead",
    [
        pytest.param(EARLIER, 7.0, 400.0, id="by the same offset"),
        pytest.param(EARLIER, 8.5, 398.5, id="by nearly the same one"),
        pytest.param(replace(EARLIER, offset=403.0), 403.0, 0.0, id="within the slack"),
        pytest.param(EARLIER, 307.0, None, id="a clock was set since"),
        pytest.param(EARLIER, None, None, id="the clock of now is unknown"),
        pytest.param(
            replace(EARLIER, ended=T0 - 59.1), 7.0, None, id="the clock of then is unknown"
        ),
        pytest.param(replace(EARLIER, offset=7.0, ended=T0 - 50), 7.0, None, id="answered slowly"),
        pytest.param(replace(EARLIER, offset=7.0, proven=False), 7.0, None, id="found in the list"),
    ],
)
def test_the_lead_of_the_records_clock_is_that_of_a_control_answered_quickly(
    control: AcceptedSubmit, offset: float | None, lead: float | None
) -> None:
    """If the offset of ``Date`` has stayed as it was when the control was sent. Else it may be this
    machine's clock that was set, and then the times of other submits are shifted otherwise."""
    then = replace(control, offset=7.0) if control == EARLIER else control

    assert lead_of(then, T0 - 59.5 + 407.0, offset) == lead


@pytest.mark.parametrize("at, near", [(-10, True), (10, True), (-11, False), (11, False)])
def test_what_is_near(at: float, near: bool) -> None:
    """As near as asked for, the last moments included."""
    assert is_one_within(10, T0, [T0 + at]) is near


def test_the_window_of_an_untied_submit_is_wide() -> None:
    """Nobody knows how this machine's clock was when an earlier run sent it."""
    first, last = window(LOST, 0.0)

    assert window(replace(LOST, asked=T0, offset=0.0), 0.0) == (first, last)
    assert window(replace(LOST, asked=T0), 0.0) == (first + SLACK - WIDE, last - SLACK + WIDE)


def test_a_list_is_read_over_all_windows_and_to_the_nearest_controls() -> None:
    """Before the first submit and after the last."""
    late = LostSubmit(MUG, T0 + 50, T0 + 60)

    assert span_of([LOST, late], [EARLIER, LATER], 0.0) == (T0 - 65, T0 + 95)
    assert span_of([LOST], [EARLIER, LATER], 0.0) == (T0 - 65, T0 + 47)
    assert span_of([LOST], (), None) == (T0 - 5, T0 + 45)


@pytest.mark.parametrize("side", [-1, 1])
def test_a_control_of_up_to_an_hour_is_asked_for_where_none_is_nearer(side: int) -> None:
    """On either side, and none that is further away."""
    far, further = (
        replace(EARLIER, begun=T0 + side * at, ended=T0 + side * at) for at in (FAR, FAR + 1)
    )
    first, last = span_of([LOST], [far], 0.0)

    assert first <= far.begun <= last
    assert span_of([LOST], [further], 0.0) == span_of([LOST], (), 0.0)


def test_the_nearest_control_is_one_of_the_same_kind() -> None:
    """Only that shows what the list does with such tasks; and a marked one for a mark."""
    others = [replace(EARLIER, kind=kind, begun=T0 - 2) for kind in (IMAGE, HELD)]
    marked = replace(EARLIER, begun=T0 - 90, mark=MARK)

    assert span_of([LOST], [EARLIER, *others], 0.0)[0] == T0 - 65
    assert span_of([LOST], [EARLIER, marked], 0.0)[0] == T0 - 65
    assert span_of([replace(LOST, mark=MARK)], [EARLIER, marked], 0.0)[0] == T0 - 95


moments = st.integers(0, 6000)


@bounded
@given(
    st.lists(st.tuples(moments, st.sampled_from([TEXT, IMAGE]), st.booleans()), max_size=30),
    st.lists(st.tuples(moments, st.booleans()), min_size=1, max_size=4),
)
def test_for_each_lost_submit_its_nearest_controls_are_read(
    ours: list[tuple[int, Kind, bool]], theirs: list[tuple[int, bool]]
) -> None:
    """Of those that are near enough at least one is: of the same kind, and with a mark where it has
    one."""
    controls = [
        AcceptedSubmit(str(at), kind, T0 + at, T0 + at + 1, mark=MARK if marked else None)
        for at, kind, marked in ours
    ]
    lost = [
        LostSubmit(MUG, T0 + at, T0 + at + 1, mark=MARK if marked else None)
        for at, marked in theirs
    ]

    first, last = span_of(lost, controls, 0.0)

    read = [one for one in controls if first <= window(one, 0.0)[0] and window(one, 0.0)[1] <= last]
    for one in lost:
        alike = [
            c
            for c in controls
            if c.kind == one.kind and abs(c.begun - one.begun) <= FAR and (c.mark or not one.mark)
        ]
        assert not alike or any(control in read for control in alike)

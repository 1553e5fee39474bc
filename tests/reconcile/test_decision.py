from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from math import inf
from typing import Any

import pytest

from veo_async import TaskRecord
from veo_async._reconcile.comparison import normalise
from veo_async._reconcile.decision import (
    Absent,
    Adopt,
    CannotTell,
    Case,
    Decision,
    Found,
    Missing,
    SearchAgain,
    Sight,
    Unclear,
    decide,
    inherit,
    search,
)
from veo_async._reconcile.snapshot import ListingSnapshot, legacy, read_snapshot, with_adopted
from veo_async._reconcile.window import WIDE, AcceptedSubmit, LostSubmit, window, window_of_all

T0 = 1_753_435_158.0
MUG = {"action": "text2video", "model": "veo3-fast", "prompt": "a mug"}
CUP = {**MUG, "prompt": "a cup"}
RAIN = {**MUG, "prompt": "rain"}
IMAGE = {**MUG, "action": "image2video"}
LOST = LostSubmit(MUG, begun=T0, ended=T0 + 10)
EARLIER = AcceptedSubmit("earlier", CUP, begun=T0 - 60, ended=T0 - 59)
LATER = AcceptedSubmit("later", RAIN, begun=T0 + 11, ended=T0 + 12)


def record(
    task_id: str, request: dict[str, Any] | None, at: float | None, **more: Any
) -> TaskRecord:
    """Make a record as the list shows it."""
    fields = {"id": task_id, "request": request, "created_at": at, **more}
    return TaskRecord.model_validate(fields)


def look(
    *records: TaskRecord,
    receipts: Sequence[AcceptedSubmit] = (),
    offset: float | None = 0.0,
    complete: bool = True,
    at: float = T0 + 20,
) -> ListingSnapshot:
    """A snapshot of these records."""
    stored = [(r, normalise(r.request or {})) for r in records]
    return read_snapshot(stored, receipts, at=at, offset=offset, complete=complete)


CONTROL = record("earlier", CUP, T0 - 59.5)
CAUGHT_UP = record("later", RAIN, T0 + 11.5)


@pytest.mark.parametrize(
    "sight, seen",
    [
        pytest.param(Found(("t",)), look(record("t", MUG, T0 + 1)), id="it is there"),
        pytest.param(
            Found(("t", "u")), look(record("u", MUG, T0 + 2), record("t", MUG, T0)), id="equals"
        ),
        pytest.param(
            Found(("t",)),
            look(record("t", {**MUG, "async": True, "x": None}, T0 + 40)),
            id="accepted after we gave up",
        ),
        pytest.param(
            Missing(),
            look(record("mine", MUG, T0 + 1), receipts=[AcceptedSubmit("mine", MUG, T0, T0 + 1)]),
            id="an equal one that is ours already",
        ),
        pytest.param(
            Missing(), look(CONTROL, receipts=[EARLIER]), id="an empty window, and a control"
        ),
        pytest.param(
            Missing(),
            look(record("earlier", {**CUP, "prompt": "Translated"}, T0 - 59), receipts=[EARLIER]),
            id="however the control is stored",
        ),
        pytest.param(
            Missing(),
            look(CONTROL, CAUGHT_UP, receipts=[EARLIER, LATER]),
            id="the list shows what came later",
        ),
        pytest.param(
            Missing(),
            look(CONTROL, record("o", MUG, T0 - 1e4), receipts=[EARLIER]),
            id="a stranger out of the window",
        ),
    ],
)
def test_what_can_be_told(sight: Sight, seen: ListingSnapshot) -> None:
    """A record of ours in the window is found; a list that provably lacks it misses it."""
    assert search(LOST, seen) == sight


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(look(offset=None), id="the service's clock was never seen"),
        pytest.param(look(record("t", MUG, T0), offset=None), id="not even for an equal one"),
        pytest.param(look(complete=False), id="not read to its end"),
        pytest.param(look(receipts=[EARLIER]), id="ours is not listed: the list lags"),
        pytest.param(
            look(record("earlier", CUP, T0 + 600), receipts=[EARLIER]), id="the clocks disagree"
        ),
        pytest.param(look(), id="an empty list, and nothing shows that it would show ours"),
        pytest.param(
            look(record("image", IMAGE, T0), receipts=[AcceptedSubmit("image", IMAGE, T0, T0 + 1)]),
            id="a task of ours of another action only",
        ),
        pytest.param(
            look(
                record("old", CUP, T0 - 1200),
                receipts=[AcceptedSubmit("old", CUP, T0 - 1200, T0 - 1199)],
            ),
            id="a task of ours of twenty minutes before only",
        ),
        pytest.param(
            look(CONTROL, receipts=[replace(EARLIER, answered=False)]),
            id="a task of ours that was found by its content only",
        ),
        pytest.param(
            look(CONTROL, record("s", RAIN, T0 + 1), receipts=[EARLIER]),
            id="a stranger that looks different: it may be stored in another form",
        ),
        pytest.param(
            look(CONTROL, record("s", {"action": "1080p"}, T0 + 1, type="x"), receipts=[EARLIER]),
            id="a stranger of another action and type",
        ),
        pytest.param(
            look(CONTROL, record("s", RAIN, None), receipts=[EARLIER]),
            id="a stranger that does not say its time",
        ),
        pytest.param(
            look(CONTROL, record("s", None, T0), receipts=[EARLIER]), id="a stranger unknown"
        ),
        pytest.param(
            look(CONTROL, record("s", {**MUG, "seed": 7}, T0), receipts=[EARLIER]),
            id="perhaps a default was added",
        ),
        pytest.param(
            look(CONTROL, record("s", MUG, None), receipts=[EARLIER]), id="an equal one of no time"
        ),
        pytest.param(look(record("s", MUG, T0 + 600)), id="an equal one, if the clocks disagree"),
    ],
)
def test_what_cannot_be_told(seen: ListingSnapshot) -> None:
    """Doubt proves nothing: a comparison may find, and never proves absence."""
    assert isinstance(search(LOST, seen), Unclear)


CALLED = "https://app.example/hook/"
OURS, THEIRS = CALLED + "a" * 43, CALLED + "b" * 43
WITH_URL = replace(LOST, callback_url=OURS)


def called(task_id: str, url: object, at: float | None = T0 + 1, **more: Any) -> TaskRecord:
    """Make a record of an equal request with this callback address."""
    return record(task_id, {**MUG, "callback_url": url, **more}, at)


@pytest.mark.parametrize(
    "sight, seen",
    [
        pytest.param(Found(("t",)), look(called("t", OURS)), id="it is there"),
        pytest.param(
            Found(("t",)),
            look(called("t", OURS, None, prompt="Translated"), offset=None, complete=False),
            id="whatever else is said of it, and however little of the list was read",
        ),
        pytest.param(
            Found(("t",)), look(called("s", None), called("t", OURS)), id="before an equal one"
        ),
        pytest.param(
            Found(("t", "u")), look(called("u", OURS, T0 + 2), called("t", OURS)), id="twice"
        ),
        pytest.param(
            Missing(),
            look(called("t", OURS), receipts=[AcceptedSubmit("t", MUG, T0, T0 + 1)]),
            id="it is ours already",
        ),
        pytest.param(Found(("t",)), look(called("t", None)), id="the service stores none"),
        pytest.param(Found(("t",)), look(called("t", 7)), id="the service stores something else"),
        pytest.param(
            Found(("t",)), look(called("t", "https://proxy.example/x")), id="in another form"
        ),
        pytest.param(Found(("t",)), look(record("t", MUG, T0 + 1)), id="the request lacks it"),
    ],
)
def test_the_submits_own_callback_is_evidence(sight: Sight, seen: ListingSnapshot) -> None:
    """A record that bears it is the lost submit's; one with another token of the same address is
    another's; and where the service keeps no address, what was asked for is compared."""
    assert search(WITH_URL, seen) == sight


def test_a_record_with_anothers_callback_is_never_adopted() -> None:
    """An equal one with another token of the same address is another's; and yet, as every record
    without an owner, it keeps the lost one from counting as absent."""
    seen = look(CONTROL, called("s", THEIRS), receipts=[EARLIER])

    assert isinstance(search(WITH_URL, seen), Unclear)


def test_a_callback_of_the_callers_own_is_none() -> None:
    """It may be that of many submits."""
    assert search(LOST, look(called("t", THEIRS))) == Found(("t",))
    assert search(LOST, look(called("t", THEIRS, prompt="other"))) != Found(("t",))


def test_an_equal_one_outside_of_the_window_is_another_where_a_control_times_the_list() -> None:
    """Once a control shows that the clocks agree, an equal record of another time is another."""
    seen = look(CONTROL, record("s", MUG, T0 - 300), receipts=[EARLIER])

    assert search(LOST, seen) == Missing()


def test_added_defaults_are_learned_from_a_control() -> None:
    """Fields that the service adds to a control of the same action, it adds to the lost one too."""
    added = {"aspect_ratio": "16:9"}
    control = record("earlier", {**CUP, **added}, T0 - 59)

    same = look(control, record("t", {**MUG, **added}, T0), receipts=[EARLIER])
    other = look(control, record("t", {**MUG, "aspect_ratio": "9:16"}, T0), receipts=[EARLIER])

    assert search(LOST, same) == Found(("t",))
    assert isinstance(search(LOST, other), Unclear)  # it may add what differs each time


def test_the_nearest_control_is_one_of_the_same_action() -> None:
    """Only a control of the same action shows that such tasks are listed, so it is read too."""
    image = AcceptedSubmit("image", {"action": "image2video", "prompt": "x"}, T0 - 2, T0 - 1)

    assert window_of_all([LOST], [EARLIER, image], 0.0) == (T0 - 65, T0 + 45)


def test_an_unknown_word_may_be_any_action() -> None:
    """A stored action in other words than ours may be the lost one's."""
    odd = record("s", {**MUG, "action": "text-to-video"}, T0 + 1)

    assert isinstance(search(LOST, look(odd)), Unclear)
    assert isinstance(search(LOST, look(record("s", {"action": ["x"]}, T0 + 1))), Unclear)


@pytest.mark.parametrize(
    "chosen, begun, ours, free",
    [
        pytest.param(MUG, T0, [EARLIER], False, id="an equal one"),
        pytest.param(
            {**MUG, "aspect_ratio": "16:9"}, T0, [EARLIER], False, id="one that may be equal"
        ),
        pytest.param(CUP, T0, [EARLIER], True, id="another one"),
        pytest.param(
            MUG, T0 + 60, [EARLIER], True, id="one that was sent after the record was made"
        ),
        pytest.param(
            MUG, T0 + 60, [], False, id="it seems so, but nothing of ours shows the clocks agree"
        ),
    ],
)
def test_no_record_is_taken_from_a_submit_under_way(
    chosen: dict[str, Any], begun: float, ours: list[AcceptedSubmit], free: bool
) -> None:
    """A record that may belong to a submit whose answer is awaited is not given to a lost one;
    but a trace id proves whose it is."""
    found = record("t", MUG, T0 + 1, trace_id="trace")
    stored = [(found, MUG), (CONTROL, CUP)]
    under_way = [LostSubmit(chosen, begun, inf)]
    seen = read_snapshot(stored, ours, at=T0 + 20, offset=0.0, complete=True, under_way=under_way)

    assert isinstance(search(LOST, seen), Found if free else Unclear)
    assert search(replace(LOST, trace_id="trace"), seen) == Found(("t",))


def test_a_submit_under_way_is_no_reason_to_doubt_an_absence() -> None:
    """An equal submit whose answer is awaited does not put a record into an empty list."""
    under_way = [LostSubmit(MUG, T0, inf)]
    seen = read_snapshot(
        [(CONTROL, CUP)], [EARLIER], at=T0 + 20, offset=0.0, complete=True, under_way=under_way
    )

    assert search(LOST, seen) == Missing()


def test_a_result_without_an_id_claims_its_record() -> None:
    """A finished result without an id has a record too; it is not given to a lost equal."""
    nameless = AcceptedSubmit("", MUG, T0, T0 + 5)

    assert isinstance(search(LOST, look(record("t", MUG, T0), receipts=[nameless])), Unclear)
    assert search(LOST, look(CONTROL, receipts=[EARLIER, nameless])) == Missing()


def test_a_record_without_an_id_is_given_to_nobody() -> None:
    """It may be the lost one, but nobody could wait for it."""
    assert isinstance(search(LOST, look(record("", MUG, T0))), Unclear)


def test_a_list_that_lacks_an_earlier_task_of_ours_may_lack_others() -> None:
    """If one that was sent before is missing, another control proves nothing."""
    between = AcceptedSubmit("between", RAIN, T0 + 2, T0 + 3)
    receipts = [EARLIER, between, LATER]

    lacking = look(CONTROL, CAUGHT_UP, receipts=receipts)
    lagging = look(CONTROL, record("between", RAIN, T0 + 2), receipts=receipts)
    unread = read_snapshot(
        [(CONTROL, CUP)], receipts, at=T0, offset=0.0, complete=True, span=(T0 - 99, T0)
    )

    assert isinstance(search(LOST, lacking), Unclear)
    assert search(LOST, lagging) == Missing()
    assert search(LOST, unread) == Missing()


def test_tasks_that_are_known_by_their_ids_are_ours() -> None:
    """A task that somebody here waits for by its id is not given to a lost submit."""
    listed = [(record("t", MUG, T0), MUG), (CONTROL, CUP)]
    seen = read_snapshot(listed, [EARLIER], at=T0, offset=0.0, complete=True, owned={"t"})

    assert search(LOST, seen) == Missing()


def test_windows_span_a_sleep_of_this_machine() -> None:
    """A steady clock stands still while the machine sleeps, so the offset jumps; the record may be
    from before or after."""
    lost = replace(LOST, offset=5.0)

    assert window(lost, 605.0, slack=0.0) == (T0 + 5, T0 + 10 + 605 + 30)


@pytest.mark.parametrize("newest_first", [True, False])
def test_what_is_added_with_different_values_is_no_default(*, newest_first: bool) -> None:
    """It may be anything in a record, whichever of the controls has the same value."""
    added = [{"seed": 1}, {"seed": 2}][:: -1 if newest_first else 1]
    receipts = [AcceptedSubmit(f"c{n}", CUP, T0 - 60 + n, T0 - 59 + n) for n in range(2)]
    controls = [record(f"c{n}", {**CUP, **added[n]}, T0 - 59.5 + n) for n in range(2)]

    for seed in (1, 2, 3):
        seen = look(*controls, record("s", {**MUG, "seed": seed}, T0), receipts=receipts)
        assert isinstance(search(LOST, seen), Unclear)


def test_defaults_of_another_action_say_nothing() -> None:
    """A control of another action shows no defaults of this one."""
    image = {"action": "image2video", "prompt": "x"}
    receipt = AcceptedSubmit("earlier", image, T0 - 60, T0 - 59)
    control = record("earlier", {**image, "aspect_ratio": "16:9"}, T0 - 59)
    stranger = record("t", {**MUG, "aspect_ratio": "16:9"}, T0)

    assert isinstance(search(LOST, look(control, stranger, receipts=[receipt])), Unclear)


def test_the_trace_id_is_the_best_evidence() -> None:
    """The trace id of the failed answer finds the record, whatever else is unknown."""
    lost = LostSubmit(MUG, T0, T0 + 10, trace_id="trace")
    seen = look(record("t", None, None, trace_id="trace"), offset=None)
    other = look(record("t", None, None, trace_id="other"))

    assert search(lost, seen) == Found(("t",))
    assert isinstance(search(lost, other), Unclear)


HIDDEN = LostSubmit(MUG, begun=T0 - 20, ended=T0 - 15)
"""Its own record is not in the list yet."""


def bequeathed(case: Case, taker: LostSubmit, task_id: str, seen: ListingSnapshot) -> Case:
    """The case once the taker was given that task."""
    left = legacy(taker, task_id, seen)
    return inherit(case, left, seen) if left else case


def test_whose_record_was_given_away_is_looked_for_in_the_takers_window() -> None:
    """The taker's own record turns up there once the list has caught up: it is not too old."""
    first = look(CONTROL, record("t", MUG, T0 + 1), receipts=[EARLIER])
    assert search(HIDDEN, first) == Found(("t",))

    case = bequeathed(Case(LOST, missing_since=T0 + 15), HIDDEN, "t", first)
    taken = AcceptedSubmit("t", MUG, HIDDEN.begun, HIDDEN.ended)
    records = CONTROL, record("t", MUG, T0 + 1), record("own", MUG, T0 - 19)
    then = look(*records, receipts=[EARLIER, taken])

    assert case == Case(replace(LOST, begun=T0 - 20))
    assert search(case.lost, then) == Found(("own",))
    assert search(LOST, then) == Missing()


@pytest.mark.parametrize("ahead", [-300.0, 0.0, 300.0])
def test_a_takers_window_is_bequeathed_in_the_services_time(ahead: float) -> None:
    """Each window lies where the clocks stood when its submit was sent."""
    lost, taker = replace(LOST, offset=0.0), replace(HIDDEN, begun=T0 - 20 - ahead, offset=ahead)
    seen = look(CONTROL, record("t", MUG, T0 + 1), receipts=[EARLIER])

    heir = bequeathed(Case(lost), taker, "t", seen).lost

    assert window(heir, 0.0)[0] == window(taker, 0.0)[0]


@pytest.mark.parametrize(
    "lost, taker, seen",
    [
        pytest.param(
            replace(LOST, chosen=CUP), HIDDEN, look(record("t", MUG, T0 + 1)), id="another request"
        ),
        pytest.param(
            LOST,
            HIDDEN,
            look(CONTROL, record("t", MUG, T0 - 6), receipts=[EARLIER]),
            id="out of its window",
        ),
        pytest.param(LOST, HIDDEN, look(record("t", MUG, T0 + 1), offset=None), id="no clock"),
        pytest.param(
            LOST,
            replace(LOST, begun=T0 + 1),
            look(CONTROL, record("t", MUG, T0 + 1), receipts=[EARLIER]),
            id="a later window",
        ),
        pytest.param(LOST, HIDDEN, look(record("u", MUG, T0 + 1)), id="a task that is not listed"),
    ],
)
def test_what_cannot_have_been_its_own_changes_nothing(
    lost: LostSubmit, taker: LostSubmit, seen: ListingSnapshot
) -> None:
    """It goes on being looked for where it was, and what was seen of it counts."""
    case = Case(lost, missing_since=T0 + 15)

    assert bequeathed(case, taker, "t", seen) == case


def test_a_wide_windows_legacy_is_wide() -> None:
    """Where no task of ours was near the taker, its own record may lie as far off as the clocks may
    disagree; the one near it that it was given since, by its time alone, narrows nothing."""
    heir, taker = LostSubmit(MUG, T0 + 3, T0 + 4), LostSubmit(MUG, T0, T0 + 1)
    seen = look(record("t", MUG, T0 + 61))
    case = bequeathed(Case(heir), taker, "t", seen)
    taken = AcceptedSubmit("t", MUG, taker.begun, taker.ended)
    then = look(record("t", MUG, T0 + 61), record("own", MUG, T0 - 500), receipts=[taken])

    assert window(case.lost, 0.0)[0] == window(taker, 0.0, slack=WIDE)[0]
    assert search(case.lost, then) == Found(("own",))


def test_a_legacy_counts_where_the_heirs_window_is_wide_for_now() -> None:
    """Its window may be narrow at the next look: a task of ours is near it since the taker's is
    known."""
    cup = AcceptedSubmit("cup", CUP, T0 - 590, T0 - 589)
    taker, heir = LostSubmit(MUG, T0 - 85, T0 + 80), LostSubmit(MUG, T0 + 77, T0 + 85)
    seen = look(record("cup", CUP, T0 - 589.5), record("t", MUG, T0 + 78), receipts=[cup])
    case = bequeathed(Case(heir), taker, "t", seen)
    taken = AcceptedSubmit("t", MUG, taker.begun, taker.ended)
    then = look(
        record("cup", CUP, T0 - 589.5),
        record("t", MUG, T0 + 78),
        record("own", MUG, T0 + 45),
        receipts=[cup, taken],
    )

    assert search(case.lost, then) == Found(("own",))


def test_tasks_of_ours_are_in_the_order_of_time() -> None:
    """In any order of the listing and of the accepted submits; near ones are found by time."""
    seen = look(CAUGHT_UP, record("t", MUG, T0 + 1), CONTROL, receipts=[LATER, EARLIER])

    assert seen.accepted == [EARLIER.begun, LATER.begun]
    assert [receipt.task_id for receipt, _ in seen.controls] == ["earlier", "later"]


def test_a_task_that_was_sent_at_the_end_may_be_lacking_too() -> None:
    """Up to the very moment in which the lost submit was over."""
    at_the_end, after = (AcceptedSubmit("x", RAIN, at, T0 + 12) for at in (T0 + 10, T0 + 10.5))

    assert isinstance(search(LOST, look(CONTROL, receipts=[EARLIER, at_the_end])), Unclear)
    assert search(LOST, look(CONTROL, receipts=[EARLIER, after])) == Missing()


def test_repeated_records_count_once() -> None:
    """A record that a shifting page shows twice is one record."""
    twice = record("t", MUG, T0)

    assert search(LOST, look(twice, twice)) == Found(("t",))


MISSED = Missing()
UNCLEAR = Unclear("why")


def run(*sights: tuple[float, Sight], honours_async: bool = True) -> list[Decision]:
    """Decide after each of these snapshots, at these seconds after the end of the POST."""
    case, decisions = Case(LOST), []
    for after, sight in sights:
        case, decision = decide(case, sight, at=LOST.ended + after, honours_async=honours_async)
        decisions.append(decision)
    return decisions


def test_a_found_record_is_adopted_at_once() -> None:
    """The first snapshot that shows it ends the search."""
    assert run((1, Found(("t", "u")))) == [Adopt("t")]


def test_one_look_never_proves_absence() -> None:
    """Two snapshots a grace period apart must agree, however late the first one is."""
    assert run((1000, MISSED)) == [SearchAgain(LOST.ended + 1030)]
    assert run((1000, MISSED), (1030, MISSED))[-1] == Absent()


def test_a_list_needs_time_to_catch_up() -> None:
    """Until two minutes after the end any single task may still be listed late."""
    first, early, late = run((1, MISSED), (119, MISSED), (120, MISSED))

    assert first == SearchAgain(LOST.ended + 6)
    assert early == SearchAgain(LOST.ended + 124)
    assert late == Absent()


@pytest.mark.parametrize(
    "then, now, over",
    [
        pytest.param(None, 0.0, T0 + 700.0, id="nothing ties its time to the service's"),
        pytest.param(7.0, None, T0 + 700.0, id="the service's clock was not seen again"),
        pytest.param(7.0, 7.0, T0 + 1.0, id="the clock went on"),
        pytest.param(7.0, -593.0, T0 + 601.0, id="the clock was set forward by ten minutes"),
        pytest.param(7.0, 607.0, T0 - 599.0, id="the clock was set back by ten minutes"),
    ],
)
def test_patience_with_an_earlier_run_outlives_a_clock_that_is_set(
    then: float | None, now: float | None, over: float
) -> None:
    """The service's time since the end of the POST counts, or, if that is unknown, the time since
    this run asked; within one run the clock is steady."""
    lost = LostSubmit(MUG, T0, T0 + 1.0, offset=then, asked=T0 + 700.0)

    assert lost.ended_at(now) == over
    assert replace(lost, asked=-inf).ended_at(now) == T0 + 1.0


def test_an_earlier_submit_of_no_known_offset_is_looked_for_in_a_wide_window() -> None:
    """Tasks of this run that are near in time say nothing about the clock of that one."""
    lost = LostSubmit(MUG, T0, T0 + 1.0, asked=T0 + 60.0)
    receipts = [AcceptedSubmit("mine", CUP, T0 + 61.0, T0 + 62.0, 0.0)]
    seen = look(record("mine", CUP, T0 + 61.5), record("t", MUG, T0 + 600.0), receipts=receipts)

    assert isinstance(search(lost, seen), Unclear)
    assert window_of_all([lost], receipts, 0.0)[0] == T0 - WIDE
    assert search(replace(lost, offset=0.0), seen) == Missing()


def test_a_look_that_proves_nothing_begins_anew() -> None:
    """The two snapshots that agree have no doubtful one between them."""
    *_, last, end = run((1, MISSED), (110, UNCLEAR), (125, MISSED), (155, MISSED))

    assert last == SearchAgain(LOST.ended + 155)
    assert end == Absent()


def test_a_service_that_was_not_seen_to_answer_at_once_needs_longest() -> None:
    """It may store a request only when its video is ready."""
    *early, late = run((1, MISSED), (120, MISSED), (900, MISSED), honours_async=False)

    assert early == [SearchAgain(LOST.ended + 6), SearchAgain(LOST.ended + 150)]
    assert late == Absent()


def test_doubt_ends_in_cannot_tell() -> None:
    """A submit that stays doubtful for as long as the listing may lag is not sent again."""
    first, last = run((1, UNCLEAR), (120, UNCLEAR))

    assert first == SearchAgain(LOST.ended + 6)
    assert last == CannotTell("why")


def test_looks_come_more_rarely_with_time() -> None:
    """The delay between doubtful snapshots grows with the age of the loss."""
    assert run((100, UNCLEAR)) == [SearchAgain(LOST.ended + 125)]


@pytest.mark.parametrize("asked", [-inf, T0 + 60])
def test_looks_for_a_post_that_outlived_its_batch_come_more_rarely_too(asked: float) -> None:
    """Its end may lie ten minutes ahead: that is no reason to look every five seconds."""
    lost = replace(LOST, ended=T0 + 600, asked=asked)

    _, decision = decide(Case(lost), UNCLEAR, at=T0 + 260, honours_async=True)

    assert decision == SearchAgain(T0 + 260 + (260 if asked < T0 else 200) / 4)


def test_times_of_records_are_read_as_unix_seconds() -> None:
    """The list's own times are Unix seconds (the vendor's tasks guide)."""
    made = record("t", MUG, 1753435158.509).created_at

    assert made == datetime(2025, 7, 25, 9, 19, 18, 509000, tzinfo=UTC)


@pytest.mark.parametrize("offset", [0.0, 7200.0, None])
def test_what_is_given_away_is_ours_as_if_the_look_were_read_anew(offset: float | None) -> None:
    """Whether the record is recognised or not, nobody else sees it as a stranger's."""
    records = [CONTROL, record("t", MUG, T0 + 1), record("u", MUG, T0 + 2), record("", RAIN, T0)]
    mine = AcceptedSubmit("t", MUG, T0, T0 + 10, answered=False)
    before = look(*records, receipts=[EARLIER], offset=offset)

    after = with_adopted(before, "t")

    assert after == look(*records, receipts=[EARLIER, mine], offset=offset)
    assert before == look(*records, receipts=[EARLIER], offset=offset)


def test_a_trace_without_an_id_is_nobody_s_task() -> None:
    """A record that bears the trace of a lost submit and no id can be given to nobody; it may be
    that submit all the same, so that is not absent."""
    lost = replace(LOST, trace_id="trace")

    seen = search(lost, look(CONTROL, record("", MUG, T0 + 1, id=None, trace_id="trace")))

    assert isinstance(seen, Unclear)

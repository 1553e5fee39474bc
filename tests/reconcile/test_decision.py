"""The law of lost submits, on readings of the task list that are made up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from math import inf
from typing import Any

import pytest

from veo_async import TaskRecord
from veo_async._reconcile import decision
from veo_async._reconcile.decision import (
    HOPELESS,
    LONGEST_GENERATION,
    Absent,
    Adopt,
    CannotTell,
    Case,
    Claim,
    Conclusion,
    Decision,
    SearchAgain,
    is_comparable,
    is_rival,
    judge_equal,
    judge_marked,
)
from veo_async._reconcile.marks import mark_in
from veo_async._reconcile.snapshot import Listed, ListingSnapshot
from veo_async._reconcile.window import AcceptedSubmit, LostSubmit

T0 = 1_753_435_158.0
MUG = {"action": "text2video", "model": "veo3-fast", "prompt": "a mug"}
CUP = {**MUG, "prompt": "a cup"}
RAIN = {**MUG, "prompt": "rain"}
NO_REQUESTS: tuple[Any, ...] = (None, {})
TEXT, IMAGE = ("text2video", False), ("image2video", False)


def address(number: int) -> str:
    """A callback address with a mark."""
    return f"https://api.acedata.cloud/health?ref=00000000-0000-4000-8000-{number:012}"


OURS, THEIRS, THE_CONTROLS = (address(number) for number in range(3))
LOST = LostSubmit(MUG, begun=T0, ended=T0 + 10)
MARKED = replace(LOST, mark=mark_in(OURS))
TRACED = replace(LOST, trace_id="trace")
EARLIER = AcceptedSubmit("earlier", TEXT, T0 - 60, T0 - 59, mark=mark_in(THE_CONTROLS))
LATER = AcceptedSubmit("later", TEXT, T0 + 11, T0 + 12)


def record(task_id: str, request: Any = MUG, at: float | None = T0 + 1, **more: Any) -> TaskRecord:
    """Make a record as the list shows it."""
    fields = {"id": task_id, "request": request, "created_at": at, **more}
    return TaskRecord.model_validate(fields)


CONTROL = record("earlier", CUP, T0 - 59.5)
KEPT = record("earlier", {**CUP, "callback_url": THE_CONTROLS}, T0 - 59.5)
CAUGHT_UP = record("later", RAIN, T0 + 11.5)


def look(
    *records: TaskRecord,
    ours: Sequence[AcceptedSubmit] = (EARLIER,),
    at: float = T0 + 20,
    offset: float | None = 0.0,
    complete: bool = True,
    awaited: Sequence[str] = (),
    found: Sequence[TaskRecord] = (),
) -> ListingSnapshot:
    """A reading of the list; ``found`` are records that were asked for by name."""
    span = T0 - 4000.0, T0 + 4000.0
    snapshot = ListingSnapshot(at=at, offset=offset, span=span, awaited=awaited)
    snapshot.complete = complete
    owners = {submit.task_id: submit for submit in ours}
    for one in records:
        snapshot.add(Listed.of(one), owners.get(str(one.id)))
    for one in found:
        snapshot.add(Listed.of(one, is_listed=False), owners.get(str(one.id)))
    snapshot.check(ours)
    return snapshot


def judge(
    cases: list[Case], snapshot: ListingSnapshot, rivals: Sequence[Claim] = ()
) -> list[tuple[Case, Decision]]:
    """Decide about equal lost submits after one reading, by proof or else together."""
    ends: dict[int, tuple[Case, Decision]] = {}
    for index, case in enumerate(cases):
        if proof := snapshot.proof_of(case.lost):
            ends[index] = case, Adopt(proof.task_id)
        elif not is_comparable(case.lost, snapshot):
            ends[index] = judge_marked(case, snapshot)
    rest = [index for index in range(len(cases)) if index not in ends]
    left = [cases[index] for index in rest]
    for index, case, end in filter(None, judge_equal(left, rivals, snapshot)):
        ends[rest[index]] = case, end
    return [ends[index] for index in range(len(cases))]


def end_of(
    *lost: LostSubmit, rivals: Sequence[Claim] = (), at_once: bool = True, **seen: Any
) -> list[Conclusion]:
    """The conclusions about equal lost submits if each reading shows the same."""
    records = seen.pop("records", ())
    found: dict[int, Conclusion] = {}
    cases = {index: Case(one, at_once) for index, one in enumerate(lost)}
    at = max(one.sought for one in lost) + 1.0
    while cases:
        assert at < T0 + 2 * LONGEST_GENERATION, "it has no end"
        ends = judge(list(cases.values()), look(*records, at=at, **seen), rivals)
        delays = [end.delay for _, end in ends if isinstance(end, SearchAgain)]
        for index, (case, end) in zip(list(cases), ends, strict=True):
            cases[index] = case
            if not isinstance(end, SearchAgain):
                found[index] = end
                del cases[index]
        assert all(delay > 0.0 for delay in delays)
        at += min(delays, default=0.0)
    return [found[index] for index in range(len(lost))]


def told(ends: Sequence[Conclusion]) -> bool:
    """Whether all of them are uncertain."""
    return all(isinstance(end, CannotTell) for end in ends)


# The law.


def the_trace_id() -> None:
    """Adopted by it alone, and never absent for its lack."""
    theirs = record("t", RAIN, None, trace_id="trace")

    assert end_of(TRACED, records=[theirs], ours=(), offset=None, complete=False) == [Adopt("t")]
    assert end_of(TRACED, found=[theirs], ours=()) == [Adopt("t")]
    assert told(end_of(TRACED, records=[CONTROL, record("s", RAIN)]))
    assert told(end_of(replace(MARKED, trace_id="trace"), records=[CAUGHT_UP], ours=[LATER]))


def the_mark() -> None:
    """Adopted by it alone, and absent where a control kept its own and no equal record lacks one:
    a service may store the marks of some records only."""
    mine = record("t", {**RAIN, "callback_url": OURS}, None)

    assert end_of(MARKED, records=[mine], ours=(), offset=None, complete=False) == [Adopt("t")]
    for theirs in (record("s", RAIN), record("s", {**MUG, "callback_url": THEIRS})):
        assert end_of(MARKED, records=[KEPT, theirs]) == [Absent()]
    assert end_of(MARKED, records=[KEPT, record("s", MUG, T0 + 600)]) == [Absent()]
    for moment in (T0 + 1, None):
        assert told(end_of(MARKED, records=[KEPT, record("s", MUG, moment)]))
    assert told(end_of(MARKED, records=[CAUGHT_UP, record("s", MUG)], ours=[LATER]))
    assert told(end_of(MARKED))


def the_same_choices() -> None:
    """Adopted where no mark can tell, and absent only from an empty window beside a control."""
    equal, other = record("t", MUG), record("s", RAIN)

    assert end_of(LOST, records=[equal], ours=()) == [Adopt("t")]
    assert end_of(MARKED, records=[CONTROL, equal]) == [Adopt("t")]
    assert told(end_of(MARKED, records=[CAUGHT_UP, equal], ours=[LATER]))
    assert told(end_of(MARKED, records=[KEPT, equal]))
    assert end_of(LOST, records=[CONTROL]) == [Absent()]
    assert end_of(MARKED, records=[CONTROL]) == [Absent()]
    assert told(end_of(LOST, records=[CONTROL, other]))
    assert told(end_of(LOST))


ROWS: dict[tuple[str, str, str], Callable[[], None]] = {
    (
        "its trace id",
        "if it has that trace id",
        "never: a gateway's id need not be a record's",
    ): the_trace_id,
    (
        "its mark",
        "if it has that mark",
        "if no record has it, no equal one is without a mark, and a control kept its mark",
    ): the_mark,
    (
        "the same choices",
        "if it is equal, and marks were sent by none or were shown not to survive",
        (
            "never by comparison: only if the window has no unowned record at all, "
            "and a control is listed"
        ),
    ): the_same_choices,
}


def rows_of(text: str) -> list[tuple[str, ...]]:
    """The rows of the table in a docstring; the cells of a row may go over several lines."""
    lines = text.splitlines()
    borders = [index for index, line in enumerate(lines) if line.startswith("===")]
    columns = [len(part) + 2 for part in lines[borders[0]].split("  ")]
    rows: list[list[str]] = []
    for line in lines[borders[1] + 1 : borders[2]]:
        cells, rest = [], line
        for width in columns:
            cells.append(rest[:width].strip())
            rest = rest[width:]
        if cells[0]:
            rows.append(cells)
        else:
            rows[-1] = [f"{old} {new}".strip() for old, new in zip(rows[-1], cells, strict=True)]
    return [tuple(row) for row in rows]


def test_the_table_of_the_law_has_a_scenario_for_each_row() -> None:
    """And there is no scenario without a row."""
    assert decision.__doc__
    assert rows_of(decision.__doc__) == list(ROWS)


@pytest.mark.parametrize("scenario", ROWS.values(), ids=[row[0] for row in ROWS])
def test_the_code_does_what_the_table_says(scenario: Callable[[], None]) -> None:
    """Each row, in both columns."""
    scenario()


# Marks.


@pytest.mark.parametrize(
    "url",
    [
        OURS,
        OURS.upper(),
        OURS.replace("?ref=", "%3Fref%3D"),
        f"https://elsewhere.example/x?y=1&ref={mark_in(OURS)}",
        f"https://app.example/hook#{mark_in(OURS)}",
    ],
)
def test_a_mark_is_known_in_any_form_of_its_address(url: str) -> None:
    """A service may store the address in another form."""
    found = record("t", {"callback_url": url}, None)

    assert end_of(MARKED, records=[record("s", MUG), found]) == [Adopt("t")]


def test_a_record_with_the_mark_of_another_is_never_adopted() -> None:
    """Neither by comparison nor by a trace id, whether marks survive or not; and yet, as every
    record without an owner, it keeps an unmarked submit from counting as absent."""
    theirs = record("s", {**MUG, "callback_url": THEIRS}, trace_id="trace")

    for control in (CONTROL, KEPT):
        for lost in (LOST, MARKED, replace(MARKED, trace_id="trace")):
            (end,) = end_of(lost, records=[control, theirs])
            assert not isinstance(end, Adopt)
    assert told(end_of(LOST, records=[CONTROL, theirs]))
    assert told(end_of(MARKED, records=[CONTROL, theirs]))


def test_a_record_that_shows_no_request_may_have_any_mark() -> None:
    """So a marked submit is not absent beside one."""
    for request in NO_REQUESTS:
        assert told(end_of(MARKED, records=[KEPT, record("s", request)]))


@pytest.mark.parametrize(
    "control",
    [
        pytest.param(replace(EARLIER, kind=IMAGE), id="of another action"),
        pytest.param(replace(EARLIER, kind=("text2video", True)), id="of another mode"),
        pytest.param(replace(EARLIER, proven=False, mark=None), id="that was found by comparison"),
        pytest.param(replace(EARLIER, begun=T0 - 3601), id="of more than an hour before"),
    ],
)
def test_only_a_control_of_the_same_kind_near_in_time_shows_what_a_list_shows(
    control: AcceptedSubmit,
) -> None:
    """Without one nothing is absent, by its mark or by an empty window."""
    records = [KEPT.model_copy(update={"created_at": at(control.begun)})]

    assert told(end_of(MARKED, records=records, ours=[control]))
    assert told(end_of(LOST, records=records, ours=[control]))


def test_a_task_that_the_list_shows_with_its_own_mark_is_a_control() -> None:
    """Nobody else has that mark, so it does not matter how an earlier run found the task."""
    control = replace(EARLIER, proven=False)

    assert end_of(MARKED, records=[KEPT], ours=[control]) == [Absent()]
    assert end_of(LOST, records=[KEPT], ours=[control]) == [Absent()]
    assert told(end_of(MARKED, records=[CONTROL], ours=[control]))


def at(seconds: float) -> datetime:
    """The moment of these Unix seconds."""
    return datetime.fromtimestamp(seconds, UTC)


def test_a_control_of_up_to_an_hour_before_or_after_counts() -> None:
    """There may be none that is nearer."""
    for begun in (T0 - 3600, T0 + 3600):
        control = replace(EARLIER, begun=begun, ended=begun + 1)
        records = [KEPT.model_copy(update={"created_at": at(begun)})]

        assert end_of(MARKED, records=records, ours=[control]) == [Absent()]


def test_a_control_must_be_listed_and_not_only_found_by_its_name() -> None:
    """A record that is read by its id says nothing about the list."""
    assert told(end_of(MARKED, found=[KEPT]))
    assert told(end_of(LOST, found=[CONTROL]))


def test_one_control_that_lost_its_mark_ends_the_proof_by_marks() -> None:
    """A service that strips some marks may have stripped this one."""
    plain = replace(LATER, mark=mark_in(THEIRS))
    seen: dict[str, Any] = {"records": [KEPT, CAUGHT_UP], "ours": [EARLIER, plain]}

    assert is_comparable(MARKED, look(*seen["records"], ours=seen["ours"]))
    assert told(end_of(MARKED, records=[*seen["records"], record("s", RAIN)], ours=seen["ours"]))


def test_an_answer_that_is_held_needs_a_control_that_was_held() -> None:
    """Such a call may leave no record at all, so one of the same mode must be seen in the list."""
    held = replace(LOST, is_held=True)
    control = replace(EARLIER, kind=("text2video", True), mark=None)

    assert told(end_of(held, records=[CONTROL], at_once=False))
    assert end_of(held, records=[CONTROL], ours=[control], at_once=False) == [Absent()]
    assert end_of(held, records=[record("t")], at_once=False, ours=()) == [Adopt("t")]


def test_a_control_that_shows_no_request_does_not_show_that_marks_are_stripped() -> None:
    """So an equal record without a mark may be a stranger's, and is not adopted."""
    for request in NO_REQUESTS:
        bare = record("earlier", request, T0 - 59.5)

        assert told(end_of(MARKED, records=[bare, record("s")]))


# Comparison.


@pytest.mark.parametrize("listed, pauses", [(1000, 1000), (0, 2000)])
def test_the_event_loop_has_its_turn_while_equal_submits_are_decided(
    listed: int, pauses: int
) -> None:
    """Each window, and each submit that is missed, is a step of its own: a thousand at once are no
    long one."""
    snapshot = look(CONTROL, *[record(f"t{number}") for number in range(listed)])

    steps = list(judge_equal([Case(LOST)] * 1000, (), snapshot))

    assert steps.count(None) == pauses
    assert steps[:1000] == [None] * 1000
    assert len(list(filter(None, steps))) == 1000


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param({"records": [record("t")], "offset": None}, id="the clock was never seen"),
        pytest.param({"records": [record("t", MUG, T0 + 600)], "ours": ()}, id="out of the window"),
        pytest.param({"records": [CONTROL, record("t", MUG, None)]}, id="without a time"),
        pytest.param({"records": [CONTROL, record("t", MUG, 7.0)]}, id="of another time"),
        pytest.param({"records": [record("t"), record("earlier", CUP, T0 + 900)]}, id="clock"),
        pytest.param({"records": [CONTROL, record("t", {**MUG, "x": 1})]}, id="in another form"),
        pytest.param({"records": [CONTROL, record("t")], "awaited": ["t"]}, id="waited for"),
        pytest.param({"records": [CONTROL, record("s", {"action": "1080p"}, type="x")]}, id="type"),
    ],
)
def test_doubt_neither_finds_nor_proves_absence(seen: dict[str, Any]) -> None:
    """Such a record is not adopted, and it may be the lost one all the same."""
    assert told(end_of(LOST, **seen))


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param({"complete": False}, id="a page is missing"),
        pytest.param({"ours": [EARLIER, LATER]}, id="a later task of ours is overdue"),
        pytest.param({"ours": [EARLIER, replace(LATER, begun=T0 + 5)]}, id="one is missing"),
    ],
)
def test_an_incomplete_list_proves_no_absence(seen: dict[str, Any]) -> None:
    """Neither by marks nor by an empty window."""
    assert told(end_of(LOST, records=[CONTROL], **seen))
    assert told(end_of(MARKED, records=[KEPT], **seen))


def test_a_task_of_ours_that_was_sent_at_the_end_may_be_missing_too() -> None:
    """Up to the very moment in which the lost submit was over."""
    case = Case(LOST, at_once=True)
    for begun, is_doubtful in ((T0 + 10, True), (T0 + 10.5, False)):
        control = AcceptedSubmit("x", TEXT, begun, begun + 1)
        snapshot = look(CONTROL, ours=[EARLIER, control], at=T0 + 131)
        ((after, _),) = judge([case], snapshot)

        assert (after.missed_at is None) is is_doubtful


def test_an_equal_record_out_of_the_window_is_another() -> None:
    """Once a control shows that the clocks agree."""
    assert end_of(LOST, records=[CONTROL, record("s", MUG, T0 - 300)]) == [Absent()]


def test_a_record_that_is_accepted_after_the_loss_is_in_the_window() -> None:
    """The service may accept a request for some time after its connection was given up."""
    assert end_of(LOST, records=[CONTROL, record("t", MUG, T0 + 44)]) == [Adopt("t")]


def test_an_earlier_submit_of_no_known_offset_has_a_wide_window() -> None:
    """Tasks of this run that are near in time say nothing about the clock of that one."""
    lost = replace(LOST, asked=T0 + 60)
    records = [CONTROL, record("s", RAIN, T0 + 600)]

    assert told(end_of(lost, records=records))
    assert end_of(replace(lost, offset=0.0), records=records) == [Absent()]


# Groups.


def lost_at(*times: float) -> list[LostSubmit]:
    """Equal submits that began then and were lost a second later."""
    return [replace(LOST, begun=T0 + time, ended=T0 + time + 1) for time in times]


def test_a_group_has_as_many_records_as_it_needs_and_each_once() -> None:
    """Two lost and two records: both are adopted, at the first reading."""
    ends = judge(list(map(Case, lost_at(0, 1))), look(record("t"), record("u"), ours=()))

    assert {end for _, end in ends} == {Adopt("t"), Adopt("u")}


def test_of_a_group_with_too_few_records_the_rest_is_absent() -> None:
    """All of them are decided in one step, once the list must have caught up."""
    lost = lost_at(0, 1, 2)
    first = judge(list(map(Case, lost)), look(CONTROL, record("t")))
    ends = end_of(*lost, records=[CONTROL, record("t")])

    assert all(isinstance(end, SearchAgain) for _, end in first)
    assert ends.count(Adopt("t")) == 1
    assert ends.count(Absent()) == 2


def test_a_group_with_more_records_than_it_needs_adopts_the_oldest() -> None:
    """They are equal, so it does not matter which; the others belong to somebody else."""
    records = [record("u", at=T0 + 3), record("t", at=T0 + 1)]

    assert end_of(LOST, records=records, ours=()) == [Adopt("t")]


def test_another_record_in_the_window_keeps_the_rest_of_a_group_from_being_absent() -> None:
    """It may be one of theirs in another form."""
    ends = end_of(*lost_at(0, 1), records=[CONTROL, record("t"), record("s", RAIN)])

    assert ends.count(Adopt("t")) == 1
    assert told([end for end in ends if end != Adopt("t")])


def test_as_many_of_a_group_as_possible_adopt_a_record() -> None:
    """The one whose window ends first takes the oldest that lies in it."""
    long, short = replace(LOST, ended=T0 + 300), replace(LOST, ended=T0 + 1)
    records = [record("t", at=T0 + 1), record("u", at=T0 + 200)]

    assert end_of(long, short, records=records, ours=()) == [Adopt("u"), Adopt("t")]


def test_windows_that_do_not_overlap_are_groups_of_their_own() -> None:
    """One that has its record does not wait for another that was lost minutes later."""
    lost = lost_at(0, 100, 120)

    (_, first), *others = judge(list(map(Case, lost)), look(CONTROL, record("t")))

    assert first == Adopt("t")
    assert all(isinstance(end, SearchAgain) for _, end in others)


def test_a_record_before_all_windows_or_after_one_is_nobodys() -> None:
    """A window has two ends."""
    early = [CONTROL, record("s", at=T0 - 20)]
    between = [CONTROL, record("s", at=T0 + 60)]

    assert end_of(*lost_at(0), records=early) == [Absent()]
    assert end_of(*lost_at(0, 100), records=between) == [Absent(), Absent()]


OPEN = LostSubmit(MUG, T0, inf)


def test_nothing_is_decided_while_an_equal_post_is_under_way() -> None:
    """Its answer may name any of the equal records, also where there is one for each."""
    cases = [Case(LOST, at_once=True, missed_at=T0 + 200)]
    for records in ([CONTROL], [CONTROL, record("t")], [CONTROL, record("t"), record("u")]):
        ((case, end),) = judge(cases, look(*records, at=T0 + 300), [OPEN])

        assert isinstance(end, SearchAgain)
        assert end.delay > 0.0
    ((_, end),) = judge([case], look(CONTROL, at=T0 + 300), [replace(OPEN, begun=T0 + 60)])
    assert end == Absent()


def test_a_proof_does_not_wait_for_an_equal_post() -> None:
    """A trace id or a mark says whose a record is."""
    snapshot = look(record("t", trace_id="trace"), record("u", {**MUG, "callback_url": OURS}))

    assert [end for _, end in judge([Case(TRACED)], snapshot, [OPEN])] == [Adopt("t")]
    assert [end for _, end in judge([Case(MARKED)], snapshot, [OPEN])] == [Adopt("u")]


def test_doubt_about_a_group_ends_with_its_rivals() -> None:
    """No submit is uncertain while an open POST may still decide."""
    snapshot = look(CONTROL, record("s", RAIN), at=T0 + 10 + HOPELESS)

    assert judge([Case(LOST)], snapshot, [OPEN])[0][1] == SearchAgain(30.0)
    assert isinstance(judge([Case(LOST)], snapshot)[0][1], CannotTell)


def test_a_result_without_an_id_claims_one_record() -> None:
    """It has a record as well, and nobody knows which; no answer will name that any more."""
    nameless = AcceptedSubmit("", TEXT, T0, T0 + 5, chosen=MUG)
    one, two = [CONTROL, record("t")], [CONTROL, record("t"), record("u")]

    assert end_of(LOST, records=two, rivals=[nameless]) in ([Adopt("t")], [Adopt("u")])
    assert end_of(LOST, records=[CONTROL], rivals=[nameless]) == [Absent()]
    assert end_of(LOST, records=one, rivals=[nameless])[0] in (Adopt("t"), Absent())


def test_a_marked_submit_is_no_rival_where_marks_survive() -> None:
    """Its record has its mark."""
    nameless = AcceptedSubmit("", TEXT, T0, T0 + 5, mark=mark_in(THEIRS))
    open_ = replace(OPEN, mark=mark_in(THEIRS))

    for claim in (nameless, open_):
        assert not is_rival(claim, look(KEPT))
        assert is_rival(claim, look(CONTROL))
        assert is_rival(claim, look(CAUGHT_UP, ours=[LATER]))
    assert is_rival(OPEN, look(KEPT))


# Patience.


def test_a_proven_record_ends_the_search_at_the_first_reading() -> None:
    """So does an equal one for each of a group."""
    assert judge([Case(LOST)], look(record("t"), ours=()))[0][1] == Adopt("t")


def run(*times: float, at_once: bool = True, lost: LostSubmit = LOST, **seen: Any) -> list[Any]:
    """Decide after readings that miss it, at these seconds after the end of the POST. A negative
    one is that of a reading that is incomplete."""
    case, decisions = Case(lost, at_once), list[Any]()
    records = [KEPT] if lost.mark else [CONTROL]
    for time in times:
        snapshot = look(*records, at=lost.ended + abs(time), complete=time > 0, **seen)
        ((case, end),) = judge([case], snapshot)
        decisions.append(abs(time) + end.delay if isinstance(end, SearchAgain) else end)
    return decisions


@pytest.mark.parametrize("lost", [LOST, MARKED], ids=["unmarked", "marked"])
def test_absence_needs_two_readings_after_the_list_had_time(lost: LostSubmit) -> None:
    """Two complete ones a grace period apart, the first of them two minutes after the end."""
    assert run(1, 119, 120, 140, 150, lost=lost) == [6.0, 124.0, 150.0, 150.0, Absent()]
    assert run(1000, 1030, lost=lost) == [1030.0, Absent()]


def test_a_service_that_was_not_seen_to_answer_at_once_needs_longest() -> None:
    """It may store a request only when its video is ready."""
    ends = run(1, 120, 5399, 5400, 5430, at_once=False)

    assert ends == [6.0, 150.0, 5404.0, 5430.0, Absent()]


def test_a_reading_that_proves_nothing_starts_the_count_again() -> None:
    """The two that agree have no doubtful one between them."""
    assert run(120, -149, 151, 181) == [150.0, 186.25, 181.0, Absent()]


def test_doubt_ends_in_cannot_tell() -> None:
    """A quarter of an hour without any proof is enough; where the answer is held, the record may
    be stored as late as the video is."""
    held = replace(LOST, is_held=True)

    assert isinstance(run(-HOPELESS)[0], CannotTell)
    assert run(-HOPELESS + 1) == [HOPELESS]
    assert run(-HOPELESS, lost=held) == [HOPELESS * 1.25]
    assert isinstance(run(-LONGEST_GENERATION, lost=held)[0], CannotTell)


def test_searches_are_rarer_with_time() -> None:
    """The delay between searches grows with the age of the loss."""
    assert run(-1, -100) == [6.0, 125.0]


@pytest.mark.parametrize("asked", [-inf, T0 + 60])
def test_searches_for_a_post_that_outlived_its_batch_are_rarer_with_time_too(asked: float) -> None:
    """Its end may lie ten minutes ahead: that is no reason to search every five seconds."""
    lost = replace(LOST, ended=T0 + 600, asked=asked, offset=0.0)

    ((_, end),) = judge([Case(lost)], look(CONTROL, at=T0 + 260, complete=False))

    assert end == SearchAgain((260 if asked < T0 else 200) / 4)


def test_times_of_records_are_read_as_unix_seconds() -> None:
    """The list's own times are Unix seconds (the vendor's tasks guide)."""
    assert Listed.of(record("t", at=1753435158.509)).at == 1753435158.509

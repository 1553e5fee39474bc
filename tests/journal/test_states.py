from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from veo_async import Generation, Get1080p, TextToVideo
from veo_async._journal import states
from veo_async._journal.events import (
    Accepted,
    Failed,
    Intended,
    Refused,
    Retried,
    Saved,
    StageEvent,
    Succeeded,
    Uncertain,
    Withdrawn,
)
from veo_async._journal.rows import FIRST, NOTHING_BOUGHT, STEPS, Item, Row, items
from veo_async.errors import BadRequestError, GenerationFailedError, JournalError

REQUEST = TextToVideo(prompt="a mug")
GENERATION = Generation.model_validate(
    {"success": True, "task_id": "t1", "data": [{"id": "v", "video_url": "https://h.example/v"}]}
)
REFUSAL = BadRequestError("no", status_code=400, code="bad_request", trace_id="tr")
FAILURE = GenerationFailedError("no", task_id="t1")

STAGES = {"submit": "generate", "download": states.download_stage("generate", 0)}


def events(stage: str, key: str = "k") -> dict[str, StageEvent]:
    """One event of each name."""
    made: list[StageEvent] = [
        Intended(key, stage, REQUEST, 10.0, 0.5, "text2video"),
        Accepted(key, stage, "t1"),
        Withdrawn(key, stage),
        Refused(key, stage, REFUSAL),
        Uncertain(key, stage, 12.0, "tr"),
        Succeeded(key, stage, GENERATION),
        Failed(key, stage, FAILURE),
        Saved(key, stage, "out/a.mp4", 7),
    ]
    return {event.name: event for event in made}


def row_in(state: str, stage: str) -> Row | None:
    """A row in some state, as if it had got there."""
    if state == "new":
        return None
    return Row("k", stage, 1, state, 1.0, 10.0, '{"action":"text2video"}', '{"offset":0.5}', None)


NAMES = [*events("generate"), "retried"]
CASES = [
    (kind, state, name, table[state].get(name))
    for kind, table in states.TRANSITIONS.items()
    for state in table
    for name in NAMES
]


@pytest.mark.parametrize("kind, state, name, after", CASES)
def test_the_table_is_what_happens(kind: str, state: str, name: str, after: str | None) -> None:
    """In each state each event leads where the table says, or is refused and names both."""
    stage = STAGES[kind]
    row = row_in(state, stage)
    rows = [row] if row else []

    def act() -> Row:
        if name == "retried":
            return states.retry(rows, "k", at=2.0)[0]
        event = events(stage)[name]
        if row and isinstance(event, Intended):
            known = Row(row.key, stage, 1, state, 1.0)
            return states.advance(known, event, at=2.0)
        return states.advance(row, event, at=2.0)

    if after is None:
        with pytest.raises(JournalError, match=r"no legal event|refused or failed") as caught:
            act()
        assert caught.value.key == "k"
        assert name == "retried" or re.search(f"'{name}'.*'{state}'", str(caught.value))
    else:
        new = act()
        assert (new.state, new.at) == (after, 2.0)


def test_every_state_has_a_row_in_the_docstring() -> None:
    """The documented table names each state with what a later run does, and no other."""
    listed = dict(re.findall(r"^``(\w+)``.*``(\w+)``$", states.__doc__ or "", re.MULTILINE))

    assert {**listed, "new": "start"} == dict(STEPS)
    assert {s for table in states.TRANSITIONS.values() for s in table} == set(STEPS)


def test_every_end_is_final_but_by_the_service_or_a_retry() -> None:
    """A finished or refused row changes by a retry alone. A failure holds as long as the service
    says so: the task may still run, or have succeeded. A lost file may be fetched again."""
    assert states.TRANSITIONS["submit"]["refused"] == {"retried": "withdrawn"}
    assert set(states.TRANSITIONS["submit"]["failed"]) == {"accepted", "succeeded", "retried"}
    assert states.TRANSITIONS["submit"]["succeeded"] == {}
    assert set(states.TRANSITIONS["download"]["saved"]) == {"saved", "failed"}


def follow(stage: str, *names: str) -> Row:
    """The row after these events, one second apart."""
    row: Row | None = None
    for at, name in enumerate(names):
        row = states.advance(row, events(stage)[name], at=float(100 + at))
    assert row is not None
    return row


def test_a_row_tells_what_a_resume_needs() -> None:
    """The request, the window and the spelling; then the id; then the result."""
    intended = follow("generate", "intended")
    accepted = follow("generate", "intended", "accepted")
    succeeded = follow("generate", "intended", "accepted", "succeeded")

    assert intended.request == REQUEST
    assert (intended.sent_at, intended.step) == (10.0, "reconcile")
    assert intended.facts == {"offset": 0.5, "action": "text2video"}
    assert (intended.task_id, intended.generation, intended.error) == (None, None, None)
    assert (accepted.task_id, accepted.step) == ("t1", "wait")
    assert accepted.facts["ended_at"] == 101.0
    assert (succeeded.generation, succeeded.step) == (GENERATION, "finished")
    assert succeeded.task_id == "t1"


def test_a_lost_answer_keeps_the_window_of_its_post() -> None:
    """An adopted task was sent and over when its own POST was, not when it was found; what a
    second look at the answer tells is added."""
    lost = follow("generate", "intended", "uncertain")
    adopted = states.advance(lost, Accepted("k", "generate", "t9"), at=500.0)
    later = states.advance(lost, Uncertain("k", "generate", 14.0), at=501.0)

    assert (lost.facts["ended_at"], lost.facts["trace_id"]) == (12.0, "tr")
    assert (adopted.facts["ended_at"], adopted.task_id) == (12.0, "t9")
    assert (later.facts["ended_at"], later.facts["trace_id"]) == (14.0, "tr")


def test_a_synchronous_result_needs_no_id_before_it() -> None:
    """The answer to the POST may be the result; its id is kept if it contains one."""
    with_id = follow("generate", "intended", "succeeded")
    anonymous = GENERATION.model_copy(update={"task_id": None})
    without = states.advance(
        follow("generate", "intended"), Succeeded("k", "generate", anonymous), at=2.0
    )

    assert (with_id.task_id, with_id.facts["ended_at"]) == ("t1", 101.0)
    assert (without.task_id, without.generation) == (None, anonymous)


def test_an_intent_that_is_repeated_begins_anew() -> None:
    """Nothing of the POST that bought nothing is left in the window of the next one."""
    withdrawn = follow("generate", "intended", "uncertain", "withdrawn")
    url = "https://cb.example/2"
    again = Intended("k", "generate", REQUEST, 50.0, None, "text2video", url)
    row = states.advance(withdrawn, again, at=200.0)

    assert (row.sent_at, row.attempt) == (50.0, 1)
    assert row.facts == {"action": "text2video", "callback_url": url}


def test_an_error_and_a_file_come_back() -> None:
    """Refusals, failures and saved files are read as what they were."""
    refused = follow("generate", "intended", "refused")
    failed = follow("generate", "intended", "accepted", "failed")
    saved = follow(STAGES["download"], "saved")

    assert isinstance(refused.error, BadRequestError)
    assert refused.error.trace_id == "tr"
    assert isinstance(failed.error, GenerationFailedError)
    assert failed.error.task_id == "t1"
    assert (saved.file, saved.request) == (("out/a.mp4", 7), None)
    assert (refused.file, saved.error) == (None, None)


def test_a_retry_opens_a_new_attempt_at_what_failed_only() -> None:
    """Stages that ended well stay; the request stays; the failed attempt's id is not reused."""
    generated = follow("generate", "intended", "accepted", "succeeded")
    failed = follow("upscale", "intended", "accepted", "failed")
    (row,) = states.retry([generated, failed], "k", at=9.0)

    assert (row.stage, row.attempt, row.state, row.step) == ("upscale", 2, "withdrawn", "start")
    assert (row.request, row.task_id, row.sent_at) == (REQUEST, None, None)


@pytest.mark.parametrize("stage", ["", "generat", "generate2", ":download"])
def test_an_unknown_stage_is_refused(stage: str) -> None:
    """A misspelled stage must not become a row that no resume understands."""
    with pytest.raises(JournalError, match="no stage"):
        states.advance(None, Withdrawn("k", stage), at=1.0)


def test_a_key_must_be_unicode() -> None:
    """Half of a surrogate pair cannot be stored."""
    assert states.checked_key("\u00e4\U0001f600\0") == "\u00e4\U0001f600\0"
    with pytest.raises(JournalError, match="surrogate"):
        states.checked_key("\ud800")


def test_another_request_under_the_same_key_is_an_error_that_names_both() -> None:
    """Differing fields are shown, shortened; equal ones are not."""
    long = "x" * 5000
    row = states.advance(None, Intended("k", "generate", TextToVideo(prompt=long), 1.0), at=1.0)
    other = TextToVideo(prompt="a cup", aspect_ratio="9:16")

    with pytest.raises(JournalError) as caught:
        Item("k", {FIRST: row}).check(other)
    text = str(caught.value)

    assert caught.value.key == "k"
    assert "'k'" in text
    assert "recorded 'xxx" in text
    assert "given 'a cup'" in text
    assert "aspect_ratio: recorded nothing, given '9:16'" in text
    assert "model" not in text
    assert len(text) < 600


def test_a_changed_request_is_refused_when_it_is_intended_again() -> None:
    """The same check guards a second submit."""
    row = follow("generate", "intended", "withdrawn")
    other = Intended("k", "generate", Get1080p(video_id="v"), 1.0)

    with pytest.raises(JournalError, match="another request"):
        states.advance(row, other, at=1.0)


def test_an_equal_request_in_another_spelling_is_equal() -> None:
    """A later version may write the same request in another way."""
    text = '{"model":"veo3-fast","prompt":"a mug","action":"text2video","extra_body":{}}'
    row = Row("k", "generate", 1, "intended", 1.0, 1.0, text)

    row.check(REQUEST)
    with pytest.raises(JournalError, match="another request"):
        row.check(TextToVideo(prompt="another"))


def test_an_item_is_its_last_attempts() -> None:
    """Rows come in the order in which they were begun; a later attempt takes the place."""
    failed = follow("generate", "intended", "accepted", "failed")
    (again,) = states.retry([failed], "k", at=9.0)
    other = Row("other", "download:generate:0", 1, "saved", 1.0)
    found = items([failed, other, again])

    assert list(found) == ["k", "other"]
    assert found["k"].stages == {"generate": again}
    assert (found["k"].request, found["other"].request) == (REQUEST, None)
    assert found["k"].step("generate") == "start"
    assert found["k"].step("upscale") == "start"
    found["other"].check(REQUEST)  # nothing was asked for yet


@pytest.mark.parametrize("state", list(states.TRANSITIONS["submit"]))
def test_what_may_have_been_bought_counts(state: str) -> None:
    """All but what was refused or provably not accepted."""
    row = row_in(state, "generate")
    item = Item("k", {FIRST: row} if row else {})

    assert item.may_be_bought is (state not in NOTHING_BOUGHT | {"new"})


class Rows(RuleBasedStateMachine):
    """The model is the literal table; after each event the whole row is compared, also that an
    illegal one changed nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.row: Row | None = None
        self.state = "new"
        self.stage = ""

    @precondition(lambda self: not self.stage)
    @rule(kind=st.sampled_from(sorted(STAGES)))
    def choose(self, kind: str) -> None:
        self.stage = STAGES[kind]
        self.table: Mapping[str, Mapping[str, str]] = states.TRANSITIONS[kind]

    @precondition(lambda self: self.stage)
    @rule(name=st.sampled_from(sorted(events("generate"))), at=st.floats(0, 2e9))
    def happen(self, name: str, at: float) -> None:
        before, event = self.row, events(self.stage)[name]
        expected = self.table[self.state].get(name)
        if expected is None:
            with pytest.raises(JournalError):
                states.advance(before, event, at=at)
            return
        self.row = states.advance(before, event, at=at)
        self.state = expected
        assert self.row.attempt == (before.attempt if before else 1)

    @precondition(lambda self: self.stage)
    @rule()
    def retry(self) -> None:
        rows = [self.row] if self.row else []
        if "retried" not in self.table[self.state]:
            with pytest.raises(JournalError):
                states.retry(rows, "k", at=1.0)
            return
        (new,) = states.retry(rows, "k", at=1.0)
        assert self.row is not None
        assert new.attempt == self.row.attempt + 1
        assert new.request_json == self.row.request_json
        self.row, self.state = new, "withdrawn"

    @invariant()
    def agree(self) -> None:
        """State, step and data say the same."""
        if self.row is None:
            assert self.state == "new"
            return
        row = self.row
        assert (row.state, row.step) == (self.state, STEPS[self.state])
        assert (row.generation is not None) is (self.state == "succeeded")
        assert (row.error is not None) is (self.state in ("refused", "failed"))
        assert (row.file is not None) is (self.state == "saved")
        if row.step == "wait":
            assert row.task_id
        if row.step == "reconcile":
            assert row.sent_at == 10.0
            assert row.request == REQUEST
            assert row.task_id is None


TestRows = Rows.TestCase


def test_a_retry_asks_for_an_event_of_its_own() -> None:
    """`Retried` is about an item, not about a stage."""
    assert (Retried("k").name, Retried("k").key) == ("retried", "k")

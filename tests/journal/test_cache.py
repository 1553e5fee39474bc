from __future__ import annotations

from collections.abc import Sequence

import pytest

from veo_async import Generation, TextToVideo
from veo_async._journal import cache as cache_module
from veo_async._journal.cache import ItemCache, apply_all
from veo_async._journal.events import (
    Accepted,
    Event,
    Failed,
    Intended,
    Retried,
    Saved,
    Succeeded,
    Uncertain,
    Withdrawn,
)
from veo_async._journal.rows import FIRST, Item, Row, items
from veo_async.errors import GenerationFailedError, JournalError

REQUEST = TextToVideo(prompt="a mug")
GENERATION = Generation.model_validate({"success": True, "task_id": "t", "data": []})
HALF = "\ud800"


def intended(key: str, stage: str = FIRST) -> Intended:
    """An intent."""
    return Intended(key, stage, REQUEST, 10.0)


def accepted(key: str, stage: str = FIRST) -> Accepted:
    """The service has the task."""
    return Accepted(key, stage, f"task of {key}")


def succeeded(key: str, stage: str = FIRST) -> Succeeded:
    """The result is here."""
    return Succeeded(key, stage, GENERATION)


def failed(key: str, stage: str = FIRST) -> Failed:
    """There is none."""
    return Failed(key, stage, GenerationFailedError("no", task_id="t"))


def saved(key: str) -> Saved:
    """The file is there."""
    return Saved(key, f"download:{FIRST}:0", "a.mp4", 7)


def knowing(*events: Event) -> ItemCache:
    """A cache that knows the items of these events, with nothing else done about them."""
    cache = ItemCache()
    cache.load(cache.missing(events), {})
    apply_all(cache, [(event, 1.0) for event in events])
    return cache


def shown(rows: Sequence[Row]) -> list[str]:
    """The rows in short."""
    return [f"{row.key} {row.stage} {row.attempt} {row.state}" for row in rows]


# What is known.


@pytest.mark.parametrize(
    "events, unknown",
    [
        ([], []),
        ([intended("new")], ["new"]),
        ([accepted("known")], []),
        ([intended("b"), accepted("known"), intended("a"), accepted("b")], ["b", "a"]),
        ([Retried("new"), Retried("known")], ["new"]),
        ([intended(HALF), Retried(HALF), intended("new")], ["new"]),
    ],
    ids=["nothing", "new", "known", "each once and in order", "retried", "half a surrogate"],
)
def test_what_is_not_known_has_to_be_read(events: list[Event], unknown: list[str]) -> None:
    """Each key once. One that cannot be stored cannot be read either; its events are illegal."""
    assert knowing(intended("known")).missing(events) == unknown


def test_what_was_read_is_what_events_are_judged_by() -> None:
    """Of an item that was not found there is nothing, so all there is to do is to begin it."""
    row = Row("a", FIRST, 3, "accepted", 1.0, 10.0, "{}", '{"task_id": "t7"}')
    cache = ItemCache()
    cache.load(["a", "b"], items([row]))

    [ended] = cache.apply(succeeded("a"), at=5.0)
    with pytest.raises(JournalError):
        cache.apply(succeeded("b"), at=5.0)

    assert (ended.attempt, ended.state, ended.at) == (3, "succeeded", 5.0)
    assert (ended.task_id, ended.sent_at, ended.request_json) == ("t7", 10.0, "{}")


def test_what_is_known_is_newer_than_what_was_read() -> None:
    """A reader that comes late must not turn the clock back; nor may what it read be changed."""
    stages: dict[str, Row] = {}
    item = Item("b", stages)
    cache = knowing(intended("a"))

    cache.load(["a", "b"], {"a": Item("a"), "b": item})
    [row] = cache.apply(accepted("a"), at=2.0)
    cache.apply(intended("b"), at=2.0)

    assert row.state == "accepted"
    assert stages == {}


# Events.


@pytest.mark.parametrize(
    "events, rows",
    [
        ([intended("a")], ["a generate 1 intended"]),
        ([intended("a"), accepted("a"), succeeded("a")], ["a generate 1 succeeded"]),
        (
            [intended("a"), Withdrawn("a", FIRST), intended("a"), Uncertain("a", FIRST, 12.0)],
            ["a generate 1 uncertain"],
        ),
        (
            [intended("a"), intended("b"), accepted("b"), accepted("a")],
            ["a generate 1 accepted", "b generate 1 accepted"],
        ),
        (
            [intended("a"), accepted("a"), failed("a"), Retried("a")],
            ["a generate 1 failed", "a generate 2 withdrawn"],
        ),
        (
            [intended("a"), accepted("a"), failed("a"), Retried("a"), intended("a")],
            ["a generate 1 failed", "a generate 2 intended"],
        ),
        (
            [
                *(intended("a"), accepted("a"), succeeded("a")),
                *(intended("a", "upscale"), accepted("a", "upscale"), failed("a", "upscale")),
                saved("a"),
                Retried("a"),
            ],
            [
                "a generate 1 succeeded",
                "a upscale 1 failed",
                "a download:generate:0 1 saved",
                "a upscale 2 withdrawn",
            ],
        ),
    ],
    ids=["one", "ended", "sent again", "two items", "retried", "and sent again", "stages"],
)
def test_the_events_of_a_transaction_leave_one_row_of_each_attempt(
    events: list[Event], rows: list[str]
) -> None:
    """As its last event left it, in the order in which they were begun: one statement writes them
    all, and a failed attempt stays beside the one that follows it."""
    cache = ItemCache()
    cache.load(cache.missing(events), {})

    changed, errors = apply_all(cache, [(event, 1.0) for event in events])

    assert shown(changed) == rows
    assert errors == [None] * len(events)


def test_a_row_bears_the_time_of_its_last_event() -> None:
    """Not that of the transaction."""
    cache = knowing()
    cache.load(["a", "b"], {})

    changed, _ = apply_all(
        cache, [(intended("a"), 3.0), (intended("b"), 4.0), (accepted("a"), 5.0)]
    )

    assert [(row.key, row.at) for row in changed] == [("a", 5.0), ("b", 4.0)]


@pytest.mark.parametrize(
    "wrong",
    [
        intended("a"),
        Retried("a"),
        saved(HALF),
        Retried(HALF),
        intended("a", "no stage"),
        Intended("b", FIRST, TextToVideo(prompt="a cup"), 10.0),
    ],
    ids=["under way", "nothing failed", "key", "key of a retry", "stage", "another request"],
)
def test_an_illegal_event_changes_nothing(wrong: Event) -> None:
    """Those before it and after it in its transaction are judged as if it were not there."""
    cache = knowing(intended("a"), intended("b"), Withdrawn("b", FIRST))

    changed, errors = apply_all(cache, [(accepted("a"), 2.0), (wrong, 3.0), (succeeded("a"), 4.0)])
    alone, [error] = apply_all(cache, [(wrong, 5.0)])

    assert shown(changed) == ["a generate 1 succeeded"]
    assert [type(error) for error in errors] == [type(None), JournalError, type(None)]
    assert alone == []
    assert error is not None
    assert error.key == wrong.key


# Forgetting.


@pytest.mark.parametrize(
    "events, is_over",
    [
        ([intended("a")], False),
        ([intended("a"), accepted("a")], False),
        ([intended("a"), Withdrawn("a", FIRST)], False),
        ([intended("a"), accepted("a"), succeeded("a")], True),
        ([intended("a"), accepted("a"), failed("a")], True),
        ([intended("a"), accepted("a"), succeeded("a"), intended("a", "upscale")], False),
        ([intended("a"), accepted("a"), succeeded("a"), saved("a")], True),
    ],
)
def test_what_is_over_is_forgotten(events: list[Event], is_over: bool) -> None:
    """All stages of it. What is forgotten is read again when something happens to it."""
    cache = knowing(*events)

    cache.committed(["a", "a", "nobody"])

    assert cache.missing([intended("a")]) == (["a"] if is_over else [])


def test_only_what_a_transaction_was_about_is_looked_at_for_its_end() -> None:
    """Others wait for theirs, and where nothing was done yet nothing is over."""
    cache = knowing(intended("a"), accepted("a"), succeeded("a"))
    cache.load(["b"], {})

    cache.committed(["b"])

    assert cache.missing([intended("a"), intended("b")]) == []


def test_after_a_failed_write_nothing_is_known() -> None:
    """Nobody knows whether it is recorded."""
    cache = knowing(intended("a"), intended("b"))

    cache.clear()

    assert cache.missing([accepted("b"), accepted("a")]) == ["b", "a"]


def test_only_so_many_items_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond them the oldest are forgotten once a transaction is over."""
    monkeypatch.setattr(cache_module, "MOST_KEPT", 2)
    cache = knowing(intended("a"), intended("b"))
    cache.load(["c"], {})

    cache.committed([])

    assert cache.missing([accepted("a"), accepted("b"), accepted("c")]) == ["a"]


def test_what_is_only_offered_displaces_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader may come between the reading of a transaction's items and its events."""
    monkeypatch.setattr(cache_module, "MOST_KEPT", 2)
    cache = knowing(intended("a"))

    cache.preload(["b", "a"], {})
    cache.preload(["c"], {})

    assert cache.missing([accepted("a"), accepted("b"), accepted("c")]) == ["c"]


@pytest.mark.parametrize("crowd", ["abc", "cba"])
def test_a_transaction_may_be_about_more_items(monkeypatch: pytest.MonkeyPatch, crowd: str) -> None:
    """None of its items may be forgotten before it is entered, be it the oldest that is known."""
    monkeypatch.setattr(cache_module, "MOST_KEPT", 2)
    cache = knowing(intended("a"))
    begun: list[Event] = [intended(key) if key != "a" else accepted(key) for key in crowd]

    cache.load(cache.missing(begun), {})
    changed, errors = apply_all(cache, [(event, 1.0) for event in begun])

    assert errors == [None, None, None]
    assert [row.key for row in changed] == list(crowd)

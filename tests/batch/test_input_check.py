from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veo_async._batch.input_check import MOST_HELD, InputMatch
from veo_async._journal.rows import FIRST, Item, Row

BOUGHT = Item("k", {FIRST: Row("k", FIRST, 1, "succeeded", 1.0)})
REFUSED = Item("k", {FIRST: Row("k", FIRST, 1, "refused", 1.0)})
KINDS = {"b": BOUGHT, "r": REFUSED, "n": None}


def read(bought: int, line: str, *, extend: bool = False) -> InputMatch:
    """Read an input: b is a bought item, r a refused one, n a new request."""
    overlap = InputMatch(bought, extend=extend)
    for letter in line:
        overlap = overlap.seen(KINDS[letter])
    return overlap


@pytest.mark.parametrize(
    "bought, line, verdict",
    [
        (0, "", "go"),  # a new journal
        (0, "nnn", "go"),
        (0, "rrn", "go"),  # all that was tried was refused, so nothing was bought
        (1, "n", "hold"),  # another file
        (1, "b", "go"),
        (1, "nb", "go"),  # what was under way at a crash need not be in order
        (3, "bb", "hold"),
        (3, "bbb", "go"),
        (3, "bbrrr", "hold"),  # a refused item proves nothing
        (10, "b" * 8, "hold"),
        (10, "b" * 9, "go"),  # one line of ten was corrected
        (100, "n" + "b" * 89, "hold"),
        (100, "n" + "b" * 90, "go"),
        (100, "b" * 50 + "n" * 50, "hold"),  # half of the lines changed
        (10_000, "n" * (MOST_HELD - 1), "hold"),
        (10_000, "n" * MOST_HELD, "stop"),
        (10, "n" * MOST_HELD, "stop"),
        (10, "b" * 9 + "n" * 5000, "go"),  # a file that was appended to
    ],
)
def test_when_new_requests_are_bought(bought: int, line: str, verdict: str) -> None:
    """A changed file with the old journal buys nothing; the same file goes on."""
    assert read(bought, line).verdict == verdict


def test_the_user_may_mean_it() -> None:
    """Told to extend the journal, everything is bought."""
    assert read(10, "n" * 5000, extend=True).verdict == "go"


def test_the_error_says_what_was_seen_and_what_to_do() -> None:
    """The numbers, the file, and both ways out."""
    error = read(10, "bbnnn").error("run.db")

    assert error.path == "run.db"
    for part in ("run.db", "10 bought", "named 2", "3 new", "None of the new", "extend=True"):
        assert part in str(error)


@given(bought=st.integers(1, 40), line=st.text(st.sampled_from("brn"), max_size=80))
def test_nothing_new_is_bought_before_most_is_met(bought: int, line: str) -> None:
    """Whatever the input: before ``go`` nine tenths were met, and after ``go`` it stays so."""
    overlap, went = InputMatch(bought), False
    for letter in line:
        overlap = overlap.seen(KINDS[letter])
        went = went or overlap.verdict == "go"
        assert (overlap.verdict == "go") is went
        assert not went or overlap.met >= bought * 0.9

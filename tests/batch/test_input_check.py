from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veo_async._batch.input_check import MOST_DEFERRED, InputMatch
from veo_async._journal.rows import FIRST, Item, Row

BOUGHT = Item("k", {FIRST: Row("k", FIRST, 1, "succeeded", 1.0)})
REFUSED = Item("k", {FIRST: Row("k", FIRST, 1, "refused", 1.0)})
KINDS = {"b": BOUGHT, "r": REFUSED, "n": None}


def read(bought: int, line: str, *, extend: bool = False) -> InputMatch:
    """Read an input: b is a bought item, r a refused one, n a new request."""
    match = InputMatch(bought, extend=extend)
    for letter in line:
        match = match.seen(KINDS[letter])
    return match


@pytest.mark.parametrize(
    "bought, line, decision",
    [
        (0, "", "submit"),  # a new journal
        (0, "nnn", "submit"),
        (0, "rrn", "submit"),  # all that was tried was refused, so nothing was bought
        (1, "n", "defer"),  # another file
        (1, "b", "submit"),
        (1, "nb", "submit"),  # what was under way at a crash need not be in order
        (2, "bn", "submit"),  # one line of two was corrected
        (3, "bbn", "submit"),
        (5, "brrr", "defer"),  # a refused item proves nothing
        (10, "b" * 2, "defer"),
        (10, "b" * 3, "submit"),
        (100, "n" + "b" * 24, "defer"),
        (100, "n" + "b" * 25, "submit"),
        (100, "b" * 24 + "n" * 76, "defer"),  # hardly anything is left
        (100, "b" * 50 + "n" * 50, "submit"),  # half of the lines changed
        (10_000, "n" * (MOST_DEFERRED - 1), "defer"),
        (10_000, "n" * MOST_DEFERRED, "refuse"),
        (10, "n" * MOST_DEFERRED, "refuse"),
        (10, "b" * 9 + "n" * 5000, "submit"),  # a file that was appended to
    ],
)
def test_when_new_requests_are_bought(bought: int, line: str, decision: str) -> None:
    """A changed file with the old journal buys nothing; the same file continues."""
    assert read(bought, line).decision == decision


def test_the_user_can_confirm_another_input() -> None:
    """With ``extend`` everything is bought."""
    assert read(10, "n" * 5000, extend=True).decision == "submit"


def test_the_error_has_the_numbers_and_the_advice() -> None:
    """It names the journal and both ways to continue."""
    error = read(10, "bbnnn").error("run.db")

    assert error.path == "run.db"
    for part in ("run.db", "10 bought", "named 2", "3 new", "None of the new", "extend=True"):
        assert part in str(error)


@given(bought=st.integers(1, 40), line=st.text(st.sampled_from("brn"), max_size=80))
def test_nothing_new_is_bought_before_a_quarter_is_met(bought: int, line: str) -> None:
    """For any input: ``submit`` needs a quarter of the bought items, and is final."""
    match, went = InputMatch(bought), False
    for letter in line:
        match = match.seen(KINDS[letter])
        went = went or match.decision == "submit"
        assert (match.decision == "submit") is went
        assert not went or match.met * 4 >= bought

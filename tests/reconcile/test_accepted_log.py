"""Receipts: what is packed reads as it was, and is let go in its turn."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from veo_async._reconcile import accepted_log
from veo_async._reconcile.accepted_log import FRESH, PORTION, Receipts
from veo_async._reconcile.window import Receipt

MANY = FRESH + 3 * PORTION

TEXTS = st.text(st.characters(codec=None), max_size=20)


def receipt(number: int) -> Receipt:
    """The receipt of a submit that ended at that second."""
    chosen = {"action": "text2video", "prompt": f"video {number}"}
    return Receipt(f"task-{number}", chosen, number - 0.1, float(number))


def test_packed_ones_are_the_same_in_the_same_order() -> None:
    """However many there are, each is given as it was added."""
    kept = Receipts()
    added = [receipt(number) for number in range(MANY)]

    for one in added:
        kept.add(one)

    assert len(kept) == MANY
    assert list(kept) == added


@given(
    task_id=TEXTS,
    chosen=st.dictionaries(TEXTS, TEXTS | st.booleans() | st.floats(allow_nan=False)),
    begun=st.floats(allow_nan=False),
    offset=st.none() | st.floats(allow_nan=False),
)
def test_packing_loses_nothing(
    task_id: str, chosen: dict[str, object], begun: float, offset: float | None
) -> None:
    """Whatever a request and an id hold, halves of surrogate pairs included."""
    one = Receipt(task_id, chosen, begun, begun, offset)

    assert accepted_log._unpacked(accepted_log._packed([one])) == [one]


def test_they_are_forgotten_by_portions_and_then_one_by_one() -> None:
    """A portion stays until its last one is too old; of what goes, the ids are given in order."""
    kept = Receipts()
    for number in range(MANY):
        kept.add(receipt(number))

    gone = [list(kept.forget_before(time)) for time in (PORTION - 1.0, PORTION + 0.5, MANY + 1.0)]

    assert [len(ids) for ids in gone] == [0, PORTION, MANY - PORTION]
    assert [*gone[1], *gone[2]] == [f"task-{number}" for number in range(MANY)]
    assert not len(kept)
    assert not kept.reach_before(MANY * 2.0)


def test_packed_ones_take_little_memory() -> None:
    """Less than a hundred bytes each beside the objects of the last ones."""
    kept = Receipts()
    for number in range(MANY):
        kept.add(receipt(number))

    assert sum(len(portion) for _, portion in kept._packed) < 100 * (MANY - FRESH)

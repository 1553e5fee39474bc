"""Many names in little memory."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from veo_async._base.fingerprints import Numbered


@given(st.lists(st.text(max_size=3), max_size=200))
def test_numbers_of_names(names: list[str]) -> None:
    """A name keeps the first number that it got, as in a dictionary."""
    table, expected = Numbered(), dict[str, int]()

    for number, name in enumerate(names, start=1):
        assert table.setdefault(name, number) == expected.setdefault(name, number)


def test_memory_of_names() -> None:
    """Each of many names takes at most 64 bytes while the table grows, however long it is."""
    table, count = Numbered(), 20_000
    tracemalloc.start()
    try:
        for number in range(1, count + 1):
            table.setdefault(f"{number} {'long ' * 20}", number)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 64 * count + 10_000

"""A dictionary that keeps the latest entries and forgets the rest."""

from __future__ import annotations

from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


def put(memory: dict[K, V], key: K, value: V, most: int) -> None:
    """Set an entry as the latest, and keep the latest ``most`` entries."""
    memory.pop(key, None)
    memory[key] = value
    if len(memory) > most:
        del memory[next(iter(memory))]

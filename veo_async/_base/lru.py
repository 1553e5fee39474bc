"""Remembering the latest, and forgetting the rest."""

from __future__ import annotations

from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


def put(memory: dict[K, V], key: K, value: V, most: int) -> None:
    """Keep the latest ``most`` entries."""
    memory.pop(key, None)
    memory[key] = value
    if len(memory) > most:
        del memory[next(iter(memory))]

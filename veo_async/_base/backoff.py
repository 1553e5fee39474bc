"""Exponential backoff with jitter."""

from __future__ import annotations


def backoff(count: int, *, first: float, cap: float, u: float) -> float:
    """Seconds to wait after the ``count``-th failure in a row.

    ``first`` doubles with every failure up to ``cap``. A random part of that, between one half and
    the whole, is chosen by ``u`` in [0, 1), so that many clients do not come back as one.
    """
    # The exponent is bounded so that no count overflows a float.
    whole = min(cap, first * 2.0 ** min(count - 1, 64))
    return whole * (0.5 + u / 2)

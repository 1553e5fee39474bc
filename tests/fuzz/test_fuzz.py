from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS

INPUTS = 100
"""Inputs for a fast decoder: all of them take a few seconds. ``make fuzz`` tries millions."""


@pytest.mark.parametrize("name", TARGETS)
def test_any_input_ends_in_a_value_or_in_an_error_of_ours(name: str) -> None:
    """No decoder raises anything else, or answers without a bound, whatever it is given."""
    target = TARGETS[name]

    @settings(
        max_examples=int(INPUTS * target.share),
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def check(data: Any) -> None:
        target.check(data.draw(target.given))

    check()

"""``veo_async.testing`` works without the emulator's libraries as far as it can."""

from __future__ import annotations

import sys

import pytest

from veo_async import errors, testing


def test_the_emulator_is_the_emulators_own() -> None:
    """``veo_async.testing.Emulator`` is a door, not a copy."""
    from veo_async.emulator import Emulator

    assert testing.Emulator is Emulator


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the emulator's libraries, asking for it says what to install; the loop is there."""
    monkeypatch.setitem(sys.modules, "veo_async.emulator", None)

    with pytest.raises(
        errors.MissingExtraError, match=r'pip install "veo-async\[emulator\]"'
    ) as info:
        from veo_async.testing import Emulator  # noqa: F401

    assert info.value.extra == "emulator"
    assert testing.VirtualEventLoop.__module__ == "veo_async.testing"


def test_an_unknown_name_is_an_attribute_error() -> None:
    """The late import of one name makes no other name appear."""
    with pytest.raises(AttributeError, match="no attribute 'Emulater'"):
        testing.Emulater  # noqa: B018

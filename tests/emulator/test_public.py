from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, get_args

import pytest

from veo_async import emulator


def explained(name: str) -> Iterator[tuple[str, Any]]:
    """A public name, and the public methods and properties of its class."""
    thing = getattr(emulator, name)
    yield name, thing
    for member, value in vars(thing).items():
        if not member.startswith("_") and (
            inspect.isfunction(value) or isinstance(value, property)
        ):
            yield f"{name}.{member}", value


def arguments(thing: Any) -> list[str]:
    """The arguments that a caller may choose; one with a single possible value is none."""
    return [
        name
        for name, parameter in inspect.signature(thing).parameters.items()
        if name != "self" and len(get_args(parameter.annotation)) != 1
    ]


@pytest.mark.parametrize("name", emulator.__all__)
def test_every_public_name_is_explained(name: str) -> None:
    """Each has a docstring of its own that names all its arguments, or names where they are."""
    for path, thing in explained(name):
        doc = thing.__doc__ or ""

        assert doc, path
        if not isinstance(thing, property) and "(see `" not in doc.partition("\n")[0]:
            assert [word for word in arguments(thing) if f"{word}:" not in doc] == [], path

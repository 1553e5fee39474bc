"""The comparison of a stored request with one of ours. It finds records; it never proves absence.

A service may store a request in another form: shortened, translated, with fields of its own. Then
the two are not equal, and nothing follows from that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import to_json

from .._wire.dialect import canonical_action

Fields = Mapping[str, Any]
"""A request as it was sent, or as the service stored it."""

_DELIVERY = frozenset({"async", "callback_url"})
_EMPTY: tuple[object, ...] = (None, "", [], {})


def normal_form(fields: Fields) -> str:
    """A text that is equal for two requests with the same choices.

    It leaves out what is empty and the fields about delivery, and has one order of fields, one
    spelling of the action and no runs of white space. The order of images counts: a first and a
    last frame are not the same film backwards.
    """
    kept = {
        name: _normal(value)
        for name, value in fields.items()
        if value not in _EMPTY and name not in _DELIVERY
    }
    action = kept.get("action")
    if isinstance(action, str):
        kept["action"] = canonical_action(action)
    return to_json(dict(sorted(kept.items()))).decode()


def _normal(value: Any) -> Any:
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, list):
        return [_normal(item) for item in value]
    if isinstance(value, dict):
        return {name: _normal(item) for name, item in sorted(value.items()) if item is not None}
    return value

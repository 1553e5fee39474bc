"""The comparison of a stored request with one of ours, and the normal form of both.

The normal form has no nulls, no fields about delivery (``async``, ``callback_url``), no order of
fields, one spelling of the action, and no runs of white space. The order of images counts: a first
and a last frame are not the same film backwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from .._wire.dialect import canonical_action
from ..models import VideoRequest

_IGNORED = frozenset({"async", "callback_url"})

Fields = Mapping[str, Any]
"""A request in the normal form in which requests are compared: see `normalise`."""


def canonical(request: VideoRequest) -> dict[str, Any]:
    """The caller's request in the normal form."""
    return normalise(request.wire_fields())


def normalise(fields: Fields) -> dict[str, Any]:
    """A request without all that does not distinguish requests: nulls, runs of white space, the
    spelling of the action, and the fields about delivery."""
    kept = {
        name: _normal(value)
        for name, value in fields.items()
        if value is not None and name not in _IGNORED
    }
    action = kept.get("action")
    if isinstance(action, str):
        kept["action"] = canonical_action(action)
    return kept


def _normal(value: Any) -> Any:
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, list):
        return [_normal(item) for item in value]
    if isinstance(value, dict):
        return {name: _normal(item) for name, item in value.items() if item is not None}
    return value


Match = Literal["same", "different", "unclear"]


def compare(ours: Fields, theirs: Fields, defaults: Fields) -> Match:
    """Whether a stored request is ours.

    A field that we did not choose may have been added by the service. It leaves the requests
    ``same`` if it is one of the ``defaults`` that the service was seen to add; otherwise they are
    ``unclear``, since the service may add other values to other requests.
    """
    for name, value in ours.items():  # a loop: a thousand lost submits compare a million times
        if name in theirs and theirs[name] != value:
            return "different"
    is_whole = ours.keys() <= theirs.keys()
    is_explained = all(
        name in ours or not value or (name in defaults and defaults[name] == value)
        for name, value in theirs.items()
    )
    return "same" if is_whole and is_explained else "unclear"

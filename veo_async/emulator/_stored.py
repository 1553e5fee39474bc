"""The forms in which a deployment may store a request: what records show as ``request``.

Sources: the vendor's OpenAPI document ("standardized parameters") and its summaries of server
changes (truncated texts, rewritten fields, images on its own host). Pure functions.
"""

from __future__ import annotations

import html
import json
import unicodedata
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from ._options import SPELLINGS, Form, Request, Wire
from ._validation import DEFAULT_MODEL, HEALTH

INGREDIENTS_MODEL = "veo31-fast-ingredients"
"""The only model of ``ingredients2video`` (the vendor's summaries)."""

IMAGES = "https://cdn.acedata.cloud"


def normalised(body: Request) -> Request:
    """The request in another form with the same meaning."""
    stored = {key: value for key, value in body.items() if value is not None and key != "async"}
    stored.setdefault("model", DEFAULT_MODEL)
    if body["action"] in SPELLINGS:
        (stored["action"],) = SPELLINGS - {body["action"]}
    else:
        stored.setdefault("aspect_ratio", "16:9")
        stored.setdefault("translation", False)
    return stored


def truncated(value: Any, longest: int | None) -> Any:
    """A JSON value with each of its texts cut off after ``longest`` characters."""
    return _texts(value, lambda text: text[:longest])


def _texts(value: Any, change: Callable[[str], str]) -> Any:
    """A JSON value with each of its texts changed, at any depth."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_texts(item, change) for item in value]
    if isinstance(value, dict):
        return {key: _texts(item, change) for key, item in value.items()}
    return value


def _rewritten(body: Request) -> Request:
    if body["action"] == "ingredients2video":
        return {**body, "model": INGREDIENTS_MODEL}
    return {**body, "action": "1080p"} if body["action"] in SPELLINGS else body


def _rehosted(body: Request) -> Request:
    urls = body.get("image_urls")
    if not isinstance(urls, list):
        return body
    return {**body, "image_urls": [f"{IMAGES}/{uuid.uuid5(uuid.NAMESPACE_URL, u)}" for u in urls]}


def _translated(body: Request) -> Request:
    prompt = body.get("prompt")
    return {**body, "prompt": "".join(map(_in_english, prompt))} if prompt else body


def _in_english(character: str) -> str:
    if character.isascii():
        return character
    return unicodedata.name(character, "unknown").lower()


def _nfc(body: Request) -> Request:
    changed: Request = _texts(body, lambda text: unicodedata.normalize("NFC", text))
    return changed


def _escaped(body: Request) -> Request:
    changed: Request = _texts(body, html.escape)
    return changed


def _unmarked(body: Request) -> Request:
    return {key: value for key, value in body.items() if key != "callback_url"}


def _remarked(body: Request) -> Request:
    return {**body, "callback_url": HEALTH} if body.get("callback_url") else body


FORMS: Mapping[Form, Callable[[Request], Request]] = {
    "as_submitted": dict,
    "normalised": normalised,
    "rewritten": _rewritten,
    "rehosted": _rehosted,
    "translated": _translated,
    "nfc": _nfc,
    "escaped": _escaped,
    "unmarked": _unmarked,
    "remarked": _remarked,
}
"""Each form by its word, in the order in which several of them are applied."""


def as_stored(body: Request, wire: Wire) -> Request:
    """The request as records show it."""
    request = body
    if callable(wire.stored):
        request = dict(wire.stored(json.loads(json.dumps(body))))
    for word, change in FORMS.items():
        request = change(request) if word in wire.forms else request
    stored: Request = truncated(request, wire.longest)
    return stored

"""The validation of submits and queries. Pure functions: a wrong parameter raises `ServiceError`.

Fields as in the API guide and the vendor's OpenAPI document; null counts as absent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any, NoReturn
from urllib.parse import urlsplit

from ._errors import ServiceError
from ._options import Wire

GENERATING = frozenset({"text2video", "image2video", "ingredients2video"})
WITH_IMAGES = frozenset({"image2video", "ingredients2video"})
ASPECT_RATIOS = frozenset({"16:9", "9:16", "3:4", "4:3", "1:1"})
RESOLUTIONS = frozenset({"720p", "1080p", "4k", "gif"})
MAX_IMAGES = 3
DEFAULT_MODEL = "veo3-fast"
"""Source: the vendor's OpenAPI document."""

HEALTH = "https://api.acedata.cloud/health"
"""The vendor's own address that discards what is posted to it."""

PAGE = 12
"""The number of items on a page without ``limit`` (seen in the vendor's clients)."""

MAX_PAGE = 50
"""The maximum number of items on a page. The vendor recommends no more ids in one call."""


def invalid(field: str) -> ServiceError:
    """The error for a wrong parameter."""
    return ServiceError("bad_request", f"{field} is invalid.")


def required(field: str) -> ServiceError:
    """The error for a missing parameter."""
    return ServiceError("bad_request", f"{field} is required.")


def parsed(body: bytes) -> tuple[Any, ServiceError | None]:
    """The JSON document of a call, or the error with which it must be refused.

    The error is returned: the token and the rate are checked before it is raised.
    """
    try:
        return json.loads(body, parse_constant=_no_number, parse_float=_finite), None
    except (ValueError, RecursionError):
        return None, ServiceError("bad_request", "The body is not JSON.")


def _no_number(text: str) -> NoReturn:
    raise ValueError(text)


def _finite(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        raise ValueError(text)
    return value


def check(body: Any, wire: Wire, host: str = "") -> None:
    """Validate a submit as the service does.

    Args:
        body: the submit.
        wire: the behaviour of the deployment.
        host: the host, with its port, to which it was sent.

    Raises:
        ServiceError: a parameter is missing or invalid; the message names it.
    """
    if not isinstance(body, dict):
        raise ServiceError("bad_request", "The body must be a JSON object.")
    action = _action(body, wire)
    _model(body, wire)
    if action in GENERATING:
        _text(body, "prompt")
        _one_of(body, "aspect_ratio", ASPECT_RATIOS)
        _one_of(body, "resolution", RESOLUTIONS)
        _flag(body, "translation")
    else:
        _text(body, "video_id")
    if action in WITH_IMAGES:
        _images(body)
    _flag(body, "async")
    if body.get("callback_url") is not None and not _is_callback(body, wire, host):
        raise invalid("callback_url")


def is_own(url: str, host: str) -> bool:
    """True if a callback address is the service's own: the vendor's, or ``/health`` of ``host``.

    Args:
        url: the ``callback_url`` of a submit.
        host: the host, with its port, to which that submit was sent.
    """
    parts = urlsplit(url)
    vendors = urlsplit(HEALTH)
    return parts.hostname == vendors.hostname or (
        parts.netloc == host and parts.path.endswith(vendors.path)
    )


def page_of(query: Mapping[str, Any]) -> tuple[int, int]:
    """The limit and the offset of a query."""
    limit, offset = number(query, "limit", PAGE), number(query, "offset", 0)
    if limit < 1:
        raise invalid("limit")
    if offset < 0:
        raise invalid("offset")
    return min(int(limit), MAX_PAGE), int(offset)


def number(query: Mapping[str, Any], field: str, default: float) -> float:
    """A number in a query."""
    value = query.get(field)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 2**53:
        raise invalid(field)
    return value


def texts(query: Mapping[str, Any], field: str) -> list[str]:
    """A list of strings in a query."""
    values = query[field]
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise invalid(field)
    return values


def _action(body: dict[str, Any], wire: Wire) -> str:
    action = body.get("action")
    if action is None:
        raise required("action")
    if isinstance(action, str) and (action in GENERATING or action in wire.spellings):
        return action
    raise ServiceError(wire.unknown_action, "action is invalid.")


def _model(body: dict[str, Any], wire: Wire) -> None:
    model = body.get("model")
    if model is None:
        return
    if not isinstance(model, str) or not model.strip():
        raise invalid("model")
    if wire.models is not None and model not in wire.models:
        raise invalid("model")


def _text(body: dict[str, Any], field: str) -> None:
    value = body.get(field)
    if value is None or value == "":
        raise required(field)
    if not isinstance(value, str) or not value.strip():
        raise invalid(field)


def _one_of(body: dict[str, Any], field: str, known: frozenset[str]) -> None:
    value = body.get(field)
    if value is not None and (not isinstance(value, str) or value not in known):
        raise invalid(field)


def _flag(body: dict[str, Any], field: str) -> None:
    if not isinstance(body.get(field), bool | None):
        raise invalid(field)


def _images(body: dict[str, Any]) -> None:
    urls = body.get("image_urls")
    if urls is None or urls == []:
        raise required("image_urls")
    if not isinstance(urls, list) or len(urls) > MAX_IMAGES or not all(map(_is_url, urls)):
        raise invalid("image_urls")


def _is_callback(body: dict[str, Any], wire: Wire, host: str) -> bool:
    """True if this deployment takes the ``callback_url`` of the submit."""
    url = body["callback_url"]
    match wire.callback_url:
        case "refused":
            return False
        case "without_async" if body.get("async"):
            return False
        case "own_host" if _is_url(url):
            return is_own(url, host)
        case _:
            return _is_url(url)


def _is_url(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        parts = urlsplit(value)
        return parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return False

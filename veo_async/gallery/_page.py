"""The page as one file: it contains its style, script and data, and its policy allows nothing else.

The policy names the style and the script by their hashes. So a text that got into the markup could
neither run nor load anything.
"""

from __future__ import annotations

import html
import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import asdict
from hashlib import sha256
from importlib.resources import files

from ._cards import Card

MARK = b'<meta name="generator" content="veo-async">'
"""The tag that identifies a gallery; an ``index.html`` without it is not overwritten."""


def render(title: str, cards: Sequence[Card], notes: Sequence[str]) -> bytes:
    """The page, in UTF-8."""
    style, script = _part("page.css"), _part("page.js")
    fields = {
        "policy": _policy(style, script),
        "title": html.escape(title),
        "style": style,
        "script": script,
        "data": _data({"cards": [asdict(card) for card in cards], "notes": notes}),
    }
    # One pass over the template alone, so that a value is never searched for placeholders.
    first, *rest = _part("page.html").split("{{")
    filled = (fields[name] + text for name, _, text in (part.partition("}}") for part in rest))
    return (first + "".join(filled)).encode(errors="backslashreplace")


def _part(name: str) -> str:
    return files("veo_async.gallery").joinpath(name).read_text("utf-8")


def _policy(style: str, script: str) -> str:
    """The content security policy. Pictures and videos may come from beside the page: ``file:`` on
    the disk, and ``'self'`` on a server."""
    return (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "img-src 'self' file: data:; media-src 'self' file:; base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _data(value: object) -> str:
    """JSON without any markup in it, so that it cannot end its element."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")

"""The page as one file: style, script and data are inside, and its policy allows nothing else.

The policy names the style and the script by their hashes. So a text that found its way into the
markup could neither run nor load anything.
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
"""What tells our page from somebody else's ``index.html``."""


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
    # In one pass over the template's own text, so that no value is searched for names.
    first, *rest = _part("page.html").split("{{")
    filled = (fields[name] + text for name, _, text in (part.partition("}}") for part in rest))
    return (first + "".join(filled)).encode(errors="backslashreplace")


def _part(name: str) -> str:
    return files("veo_async.gallery").joinpath(name).read_text("utf-8")


def _policy(style: str, script: str) -> str:
    """Pictures and videos come from beside the page: ``file:`` where it lies on the disk, and its
    own server where somebody serves it."""
    return (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "img-src 'self' file: data:; media-src 'self' file:; base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _data(value: object) -> str:
    """JSON that cannot end its element: no text in it looks like markup."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")

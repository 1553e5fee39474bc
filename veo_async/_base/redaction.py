"""Removes the token from texts, bodies, headers and exceptions before anybody sees them."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator

REPLACEMENT = "[secret]"

SHORTEST = 8
"""Characters of a token that is removed. A shorter one is no secret (the vendor's have 32), and
removing it would tear words that must stay readable, such as ``task_id``."""


_CALLBACK = re.compile(r"""(callback_url[\\"'\s]*[:=][\\"'\s]*)(?!null\b)[^"'\s,}]+""")


def without_callbacks(text: str) -> str:
    """The text without callback addresses: stored requests contain them, and an address is all that
    a sender needs to post to it."""
    return _CALLBACK.sub(rf"\1{REPLACEMENT}", text)


class Redactor:
    """Removes one token, in every spelling that JSON and URLs have for it."""

    def __init__(self, token: str) -> None:
        is_secret = len(token) >= SHORTEST
        pattern = "".join(map(_spellings, token)) if is_secret else r"(?!)"
        self._text = re.compile(pattern)
        self._bytes = re.compile(pattern.encode())
        self._lower = token.lower() if is_secret else None

    def text(self, text: str) -> str:
        """The text without the token."""
        if self._lower is None or not ("\\" in text or "%" in text or self._lower in text.lower()):
            return text
        return self._text.sub(REPLACEMENT, text)

    def body(self, body: bytes) -> bytes:
        """The bytes without the token."""
        # Every answer passes here, and a plain search takes a tenth of the pattern's time. Without
        # a backslash or a percent sign the token has no other spelling.
        lower = None if self._lower is None else self._lower.encode()
        if lower is None or not (b"\\" in body or b"%" in body or lower in body.lower()):
            return body
        return self._bytes.sub(REPLACEMENT.encode(), body)

    def exception(
        self, exc: BaseException, *, outer: BaseException | None = None
    ) -> BaseException | None:
        """The exception, to raise another one from, or ``None`` if it contains the token.

        The variables of its frames are cleared: some reporters print these, and a transport's
        frames contain the headers of the request. aiohttp keeps the headers in errors themselves.

        Args:
            exc: the exception that a transport raised.
            outer: an exception that the caller was handling already; it is left alone.
        """
        links = list(_chain(exc, outer))
        for link in links:
            traceback.clear_frames(link.__traceback__)
        leaks = any(self._text.search(f"{link} {link!r} {vars(link)}") for link in links)
        return None if leaks else exc


def _spellings(character: str) -> str:
    # JSON may escape any character by its number, and some with a backslash; an answer that
    # quotes another one escapes the backslashes again. The bound keeps the search linear. Both
    # cases are matched, since names of headers and encodings are lowered. Each alternative begins
    # with one plain character, and no flag ignores the case: only then does the search skip all
    # positions that cannot begin a match, which makes it four times as fast.
    plain = "|".join(map(re.escape, sorted({character.lower(), character.upper()})))
    number = "".join(map(_either_case, f"{ord(character):02x}"))
    escaped = rf"\\\\{{0,3}}[uU]00{number}"
    if not character.isalnum():
        escaped += rf"|\\\\{{0,3}}{plain}"
    # The longest first: a backslash of the token's own may be escaped as well.
    return rf"(?:{escaped}|{plain}|%{number})"


def _either_case(digit: str) -> str:
    return f"[{digit}{digit.upper()}]"


def _chain(exc: BaseException, outer: BaseException | None) -> Iterator[BaseException]:
    """The exception and all its causes and contexts, each once."""
    seen = [outer]
    rest: list[BaseException | None] = [exc]
    while rest:
        link = rest.pop()
        if link is None or any(link is known for known in seen):
            continue
        seen.append(link)
        rest += [link.__cause__, link.__context__]
        if isinstance(link, BaseExceptionGroup):
            rest += link.exceptions
        yield link

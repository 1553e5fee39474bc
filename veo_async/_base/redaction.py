"""Keeping the token out of all that is shown: texts, bodies, headers and exceptions."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator

REPLACEMENT = "[secret]"

SHORTEST = 8
"""Characters of a token that is struck. A shorter one is nobody's secret (the vendor's have 32),
and striking it would tear words that must be read, such as ``task_id``."""


_CALLBACK = re.compile(r"""(callback_url[\\"'\s]*[:=][\\"'\s]*)(?!null\b)[^"'\s,}]+""")


def without_callbacks(text: str) -> str:
    """The text without callback addresses: stored requests bear them, and whoever knows one can
    post to it."""
    return _CALLBACK.sub(rf"\1{REPLACEMENT}", text)


class Redactor:
    """Strikes one token, in every spelling that JSON and URLs have for it."""

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
        # Every answer goes through here, and a plain search takes a tenth of the pattern's time.
        # What has neither a backslash nor a percent sign spells the token in no other way.
        lower = None if self._lower is None else self._lower.encode()
        if lower is None or not (b"\\" in body or b"%" in body or lower in body.lower()):
            return body
        return self._bytes.sub(REPLACEMENT.encode(), body)

    def exception(
        self, exc: BaseException, *, outer: BaseException | None = None
    ) -> BaseException | None:
        """The exception, to raise another one from, or ``None`` if it tells the token.

        Its frames forget their variables: some reporters print these, and those of a transport
        hold the headers of the request. aiohttp keeps the headers in errors themselves.

        Args:
            exc: what a transport raised.
            outer: what the caller was handling already; it is left alone.
        """
        links = list(_chain(exc, outer))
        for link in links:
            traceback.clear_frames(link.__traceback__)
        told = any(self._text.search(f"{link} {link!r} {vars(link)}") for link in links)
        return None if told else exc


def _spellings(character: str) -> str:
    # JSON may escape any character by its number, and some with a backslash; an answer that
    # quotes another one escapes the backslashes again. The bound keeps the search linear. In
    # either case, since names of headers and encodings are made lower; each alternative begins
    # with one plain character, and no flag ignores the case, since only then the search skips
    # what can be no beginning, which makes it four times as fast.
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
    """The exception and all that it came from, each once."""
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

"""Removes the token from texts, bodies, headers and exceptions before anybody sees them."""

from __future__ import annotations

import re
import traceback
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from html.entities import html5
from types import BuiltinFunctionType, FunctionType, ModuleType

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
    """Removes one token, in the spellings that JSON, URLs, HTML and base64 have for it.

    Attributes:
        body: returns bytes without the token.
    """

    __slots__ = ("body",)

    def __init__(self, token: str) -> None:
        # A function, whose closure holds the token: an attribute would show it.
        self.body = _remover(token) if len(token) >= SHORTEST else _same

    def text(self, text: str) -> str:
        """The text without the token."""
        data = text.encode(errors="surrogatepass")
        clean = self.body(data)
        return text if clean is data else clean.decode(errors="surrogatepass")

    def exception(
        self, exc: BaseException, *, outer: BaseException | None = None
    ) -> BaseException | None:
        """The exception, to raise another one from, or ``None`` if it leads to the token.

        The variables of its frames are cleared: some reporters print these, and a transport's
        frames contain the headers of the request. aiohttp keeps the headers in errors themselves.

        Args:
            exc: the exception that a transport raised.
            outer: an exception that the caller was handling already; it is left alone.
        """
        links = list(_chain(exc, outer))
        for link in links:
            traceback.clear_frames(link.__traceback__)
        try:
            leaks = any(self.text(text) != text for link in links for text in texts_of(link))
        except Exception:  # noqa: BLE001 - a foreign `repr` may raise anything
            leaks = True
        return None if leaks else exc


def _same(body: bytes) -> bytes:
    return body


def _remover(token: str) -> Callable[[bytes], bytes]:
    lower = token.lower().encode()
    cores = [core.encode() for core in _base64_cores(token)]

    @cache  # compiled when an answer needs them, since that takes as long as many calls
    def patterns() -> list[re.Pattern[bytes]]:
        # Two of them: see `_spellings` about the first character of an alternative.
        of_base64 = (_BREAK.join(map(_spellings_of_base64, core.decode())) for core in cores)
        parts = _BREAK.join(map(_spellings, token)), "|".join(of_base64)
        return [re.compile(part.encode()) for part in parts]

    def remove(body: bytes) -> bytes:
        # Every answer passes here, and a plain search takes a tenth of the pattern's time. Without
        # an escape the token has no other spelling, except that lines may break within it.
        if len(body) < len(lower):
            return body
        if not (b"\\" in body or b"%" in body or b"&" in body or b"<br" in body):
            joined = body.translate(None, _BLANKS)
            if lower not in joined.lower() and not any(core in joined for core in cores):
                return body
        for pattern in patterns():
            body = pattern.sub(REPLACEMENT.encode(), body)
        return body

    return remove


_BLANKS = b"\r\n\t\v\f \0"
_BREAK = r"(?:[\s\0]|\\{1,4}[rn]|<br ?/?>){0,40}"
"""A line may break within the token, in plain text, in JSON or in HTML. A zero stands beside each
character in UTF-16."""


def _spellings(character: str) -> str:
    # JSON may escape any character by its number, and some with a backslash; an answer that
    # quotes another one escapes the backslashes again, and so do URLs in URLs and HTML in HTML. The
    # bound keeps the search linear. Both cases are matched, since names of headers and encodings
    # are lowered. Each alternative begins with one plain character, and no flag ignores the case:
    # only then does the search skip all positions that cannot begin a match, which makes it four
    # times as fast.
    plain = "|".join(map(re.escape, sorted({character.lower(), character.upper()})))
    codes = sorted({ord(character.lower()), ord(character.upper())})
    number = _one_of("".join(map(_either_case, f"{code:02x}")) for code in codes)
    decimal = _one_of(map(str, codes))
    escaped = rf"\\\\{{0,3}}[uU]00{number}"
    if not character.isalnum():
        escaped += rf"|\\\\{{0,3}}{plain}"
    names = "".join(f"|{name}" for name in _ENTITIES.get(character, ()))
    entity = rf"&(?:amp;){{0,3}}(?:#0{{0,5}}{decimal}|#[xX]0{{0,5}}{number}{names});?"
    # The longest first: a backslash or another escape of the token's own may be escaped as well.
    return rf"(?:{escaped}|{entity}|%(?:25){{0,3}}{number}|{plain})"


def _spellings_of_base64(character: str) -> str:
    return re.escape(character) if character.isalnum() else _spellings(character)


def _base64_cores(token: str) -> list[str]:
    """The characters of base64 that depend on the token alone, for each place of it among the
    groups of three bytes, in both alphabets. They begin with a letter or a digit."""
    cores = []
    for before in range(3):
        data = bytes(before) + token.encode()
        core = b64encode(data).decode()[-(-8 * before // 6) : 8 * len(data) // 6].lstrip("+/")
        cores += [core, core.translate(_URL_SAFE)]
    return list(dict.fromkeys(cores))


_URL_SAFE = str.maketrans("+/", "-_")

_ENTITIES: dict[str, list[str]] = {}
"""The names that HTML has for a character."""
for _name, _character in html5.items():
    if _name.endswith(";"):
        _ENTITIES.setdefault(_character, []).append(_name[:-1])


def _one_of(alternatives: Iterable[str]) -> str:
    return f"(?:{'|'.join(dict.fromkeys(alternatives))})"


def _either_case(digit: str) -> str:
    return f"[{digit}{digit.upper()}]"


STEPS = 6
"""The distance from an exception at which the token is still found. In a request that the exception
refers to it is five: request, headers, list, pair, text."""

MOST_OBJECTS = 2_000


def texts_of(root: object) -> Iterator[str]:
    """The texts that are reachable from an object in a few steps, through what programs that print
    tracebacks show: attributes, slots, containers, and the ``repr`` of all other things.

    Raises:
        OverflowError: there are more objects than anybody can look through.
    """
    level, seen = [root], {id(root): root}
    for _ in range(STEPS + 1):
        below: list[object] = []
        for thing in level:
            if isinstance(thing, str):
                yield thing
            elif isinstance(thing, bytes | bytearray | memoryview):
                yield bytes(thing).decode("latin-1")
            else:
                if not isinstance(thing, _CONTAINERS):
                    yield repr(thing)
                below += (part for part in _parts(thing) if id(part) not in seen)
        seen |= {id(part): part for part in below}
        if len(seen) > MOST_OBJECTS:
            raise OverflowError
        level = below


_CONTAINERS = (dict, list, tuple, set, frozenset, deque)
_CLOSED = (type, ModuleType, FunctionType, BuiltinFunctionType, int, float, type(None))


def _parts(thing: object) -> Iterator[object]:
    if isinstance(thing, dict):
        yield from thing.keys()
        yield from thing.values()
    elif isinstance(thing, _CONTAINERS):
        yield from thing
    elif not isinstance(thing, _CLOSED):
        if isinstance(thing, BaseException):
            yield from thing.args
        yield from getattr(thing, "__dict__", {}).values()
        slots = (getattr(cls, "__slots__", ()) for cls in type(thing).__mro__)
        names = (name for slot in slots for name in ([slot] if isinstance(slot, str) else slot))
        yield from (getattr(thing, name) for name in names if hasattr(thing, name))


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

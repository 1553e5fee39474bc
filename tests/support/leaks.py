"""A walker over an exception: all that is reachable for programs that print its variables."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from types import FrameType

STEPS = 5
"""From a variable of a frame: client, part, transport, headers, text."""

MOST = 60_000


def leaks(error: BaseException, token: str, *, not_in: str) -> list[str]:
    """The places that show the token, except in the frames of the test itself, which knows it."""
    found: list[str] = []
    for link in chain(error):
        found += [f"{link!r}: {path}" for path in reach(link, token)]
        for frame in frames(link):
            name = frame.f_code.co_filename
            if name == not_in or "_pytest" in name or "pluggy" in name or "pytest_asyncio" in name:
                continue
            where = f"{name}:{frame.f_lineno} in {frame.f_code.co_name}"
            for variable, value in frame.f_locals.items():
                found += [f"{where}: {variable}{path}" for path in reach(value, token)]
    return found


def chain(error: BaseException) -> list[BaseException]:
    """The error, its causes, contexts and groups."""
    links: list[BaseException] = []
    rest: list[BaseException | None] = [error]
    while rest:
        link = rest.pop()
        if link is None or any(link is known for known in links):
            continue
        links.append(link)
        rest += [link.__cause__, link.__context__]
        if isinstance(link, BaseExceptionGroup):
            rest += link.exceptions
    return links


def frames(link: BaseException) -> Iterator[FrameType]:
    """The frames of one traceback."""
    for frame, _ in traceback.walk_tb(link.__traceback__):
        yield frame


def reach(root: object, token: str) -> Iterator[str]:
    """The paths from an object to the token, of a few steps."""
    level: list[tuple[str, object]] = [("", root)]
    seen: dict[int, object] = {}
    for _ in range(STEPS + 1):
        below: list[tuple[str, object]] = []
        for path, thing in level:
            if id(thing) in seen or len(seen) > MOST:
                continue
            seen[id(thing)] = thing
            if token in shown(thing):
                yield f"{path} is {type(thing).__name__}"
            below += ((path + step, part) for step, part in parts(thing))
        level = below


def shown(thing: object) -> str:
    """What is printed of it; a ``repr`` must not raise."""
    if isinstance(thing, bytes | bytearray | memoryview):
        return bytes(thing).decode("latin-1")
    return thing if isinstance(thing, str) else repr(thing)


def parts(thing: object) -> Iterator[tuple[str, object]]:
    """Its items, attributes and slots."""
    if isinstance(thing, dict):
        yield from ((f"[{key!r:.40}]", value) for key, value in list(thing.items()))
    elif isinstance(thing, list | tuple | set | frozenset):
        yield from ((f"[{number}]", part) for number, part in enumerate(thing))
    elif type(thing).__name__ not in ("module", "function", "type", "str", "bytes"):
        names = list(getattr(thing, "__dict__", {}))
        for cls in type(thing).__mro__:
            slots = cls.__dict__.get("__slots__", ())
            names += [slots] if isinstance(slots, str) else slots
        yield from ((f".{name}", getattr(thing, name)) for name in names if hasattr(thing, name))

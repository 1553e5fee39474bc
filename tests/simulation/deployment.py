"""What the service of a world does where the vendor's documents leave it open, and what a client
asks of it: which of its submits have a mark that the task list still shows."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any, Literal

from veo_async.emulator import Wire
from veo_async.emulator._options import Form

LONGEST = 100
"""Characters of a text that a service stores which cuts: a mark is shorter than that."""

LONGEST_OF_WORDS = 10
"""The same, where a mark is cut as well."""

Marks = Literal["kept", "off", "stripped", "refused", "sync"]
"""What becomes of the marks of a world. ``sync``: none is sent, since each answer is awaited."""

STRIPPED: frozenset[Form] = frozenset({"unmarked", "remarked"})
CONTENTS: tuple[Form, ...] = ("nfc", "translated", "escaped", "rehosted", "rewritten")


def wire_of(seed: int, *, called_back: bool, burst: bool) -> Wire:
    """The behaviour of the service under a seed."""

    def luck(use: str) -> Random:
        return Random(f"{seed}/{use}")

    forms: set[Form] = {luck("form").choice(["as_submitted", "normalised"])}
    if luck("contents").random() < 0.25:
        forms.add(luck("content").choice(CONTENTS))
    if luck("stripped").random() < 0.12:
        forms.add(luck("how stripped").choice(sorted(STRIPPED)))
    refused = not called_back and luck("refused").random() < 0.1
    others: tuple[Any, ...] = ("own", "others", "none", "none", "always_empty")
    is_scoped = luck("scoped").random() < (0.5 if burst else 0.25)
    return Wire(
        stored=frozenset(forms),
        longest=luck("longest").choice([*[None] * 7, LONGEST, LONGEST, LONGEST_OF_WORDS]),
        page=luck("page").choice([50, 50, 50, 3]),
        unknown=luck("unknown").choice(["empty", "not_found", "missing"]),
        honour_async=luck("async").random() < 0.85,
        callback_url=luck("how").choice(["refused", "without_async"]) if refused else "accepted",
        listed=luck("listed").choice(others) if is_scoped else "all",
        sync_records=luck("records").random() < 0.5,
        count=luck("count").choice(["total", "page"]),
        trace_header=luck("trace").random() < 0.5,
    )


def marks_in(wire: Wire, *, asked: bool, asynchronous: bool) -> Marks:
    """What becomes of the marks."""
    if not asynchronous:
        return "sync"
    if not asked:
        return "off"
    if wire.callback_url in ("refused", "without_async"):
        return "refused"
    is_cut = wire.longest == LONGEST_OF_WORDS
    return "stripped" if wire.forms & STRIPPED or is_cut else "kept"


def conditions_of(wire: Wire) -> Iterator[str]:
    """The names of what this service does that another need not do."""
    if "normalised" in wire.forms:
        yield "normalised"
    yield from sorted(wire.forms & {*CONTENTS})
    if wire.longest is not None:
        yield "stored cut"
    if not wire.honour_async:
        yield "async ignored"
    if wire.listed != "all":
        yield f"listed {wire.listed}"
    if wire.trace_header:
        yield "trace header"

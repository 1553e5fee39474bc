"""Hostile inputs: any JSON, documents that were edited, and bytes that were damaged."""

from __future__ import annotations

import json
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

from tests.samples import SAMPLES

ODD_TEXTS = (
    *("", " ", "\x00", "\r\n", "\x1b[31m", "\ud800", "\U0001f41e", "\u2028", "NaN", "null", "{}"),
    *("{" * 300, '{"a":' * 300, "a" * 5000, "9" * 400, "1e999", "-1", "../../x", "/etc/passwd"),
    *("javascript:alert(1)", "//host/x", "https://[::1", "http://a:99999999/", "data:,x"),
    *("2025-07-25 16:00:00", "2025-13-45T99:99:99Z", "9999-12-31T23:59:59.999999+14:00", "0000"),
    *("succeeded", "failed", "processing", "error", "true"),
)
ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 2**63, 2**64, -(2**63) - 1, 10**400),
    *(0.5, -0.0, 1e-320, 1e308, float("inf"), float("-inf"), float("nan"), 1.7e9, 253402300800),
    *([], {}, [[]], [{}], {"": None}, {"id": None}, [None], ["a", 1], {"error": {"code": []}}),
)

texts = st.one_of(st.sampled_from(ODD_TEXTS), st.text(st.characters(codec=None), max_size=20))
scalars = st.one_of(st.sampled_from(ODD_VALUES), texts, st.integers(), st.floats())

NAMES = (
    *("id", "task_id", "trace_id", "success", "data", "error", "code", "message", "response"),
    *("request", "items", "count", "state", "status", "finished_at", "created_at", "video_url"),
    *("cost", "amount", "prompt", "action", "model", "image_urls", "callback_url", "type"),
)
names = st.one_of(st.sampled_from(NAMES), texts)
values = st.one_of(
    scalars,
    scalars,
    st.lists(scalars, max_size=3),
    st.dictionaries(names, scalars, max_size=3),
    st.lists(st.dictionaries(names, scalars, max_size=2), max_size=2),
)
"""Any value that JSON, as Python reads it, can express. Edits of edits nest them further."""


def dumped(value: Any) -> bytes:
    """A value as JSON, also where it is not strictly JSON: ``NaN``, halves of surrogate pairs."""
    return json.dumps(value).encode()


@st.composite
def edited(draw: st.DrawFn, documents: Sequence[Any], most: int = 4) -> Any:
    """One of these documents, with up to so many of its values replaced, removed or added."""
    document = json.loads(json.dumps(draw(st.sampled_from(documents))))
    for _ in range(draw(st.integers(0, most))):
        document = _edit(draw, document)
    return document


def _edit(draw: st.DrawFn, document: Any) -> Any:
    """Walk down from the top, and change something at a random depth. What was drawn is copied: it
    may be drawn again."""
    holder: Any = None
    place: Any = None
    inner = document
    while isinstance(inner, dict | list) and inner and draw(st.booleans()):
        place = draw(
            st.sampled_from(sorted(inner) if isinstance(inner, dict) else range(len(inner)))
        )
        holder, inner = inner, inner[place]
    if isinstance(inner, dict) and draw(st.booleans()):
        inner[draw(names)] = deepcopy(draw(values))
    elif holder is None:
        return deepcopy(draw(values))
    elif draw(st.integers(0, 3)) == 0:
        del holder[place]
    else:
        holder[place] = deepcopy(draw(values))
    return document


@st.composite
def damaged(draw: st.DrawFn, whole: bytes, most: int = 4) -> bytes:
    """These bytes, with up to so many of their parts cut out, doubled, overwritten or added."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, most))):
        start = draw(st.integers(0, len(data)))
        stop = min(len(data), start + draw(st.sampled_from((0, 1, 2, 16, 512, 1 << 30))))
        part = draw(st.one_of(st.binary(max_size=8), st.just(bytes(data[start:stop]) * 2)))
        data[start:stop] = part
    return bytes(data)


@st.composite
def documents_of(draw: st.DrawFn, documents: Sequence[Any]) -> bytes:
    """The bytes of an edited document, of any value, or of neither."""
    whole = dumped(draw(st.one_of(edited(documents), values)))
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return draw(st.binary(max_size=200))
    return draw(damaged(whole)) if kind < 3 else whole


def samples(*prefixes: str) -> list[Any]:
    """The documented messages whose names begin so."""
    found = [sample for case, sample in SAMPLES.items() if case.startswith(prefixes)]
    return [sample.json() for sample in found if sample.body[:1] == b"{"]


ANSWERS = samples(
    "accepted",
    "callback_result",
    "error",
    "get_1080p_result",
    "image",
    "result",
    "text",
    "retrieve",
)

HEADERS = (
    *("content-type", "content-length", "content-encoding", "content-range", "retry-after", "date"),
    *("etag", "last-modified", "location", "x-trace-id", "accept-ranges", "x-any"),
)
ODD_HEADERS = (
    *("", " ", "0", "1", "-1", "1e999", "nan", "inf", "9" * 400, "\u0663", "1_0", "0x10", "+5"),
    *("application/json", "text/html", "video/mp4", "gzip", "br, gzip", "identity"),
    *("bytes 0-9/10", "bytes 8-99/100", "bytes 8-8/*", "bytes 9-1/2", "bytes */10", "bytes 8-99/*"),
    *('"a"', 'W/"a"', '"', "Fri, 25 Jul 2025 08:00:00 GMT", "Fri, 25 Jul 2025 08:05:00 GMT"),
    *("Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 +1400", "Fri, 25 Jul 99999"),
    *(
        "https://cdn.example/b.mp4",
        "//cdn.example/",
        "/b",
        "https://10.0.0.1/",
        "http://cdn.example",
    ),
)
headers = st.dictionaries(
    st.sampled_from(HEADERS),
    st.one_of(
        st.sampled_from(ODD_HEADERS),
        st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=20),
    ),
    max_size=5,
)
"""Headers as a transport gives them: names in lower case, values in Latin-1."""

statuses = st.one_of(
    st.sampled_from((200, 200, 200, 200, 201, 204, 206, 301, 302, 304, 307, 400, 401, 402, 403)),
    st.sampled_from((404, 408, 409, 410, 416, 422, 425, 429, 429, 499, 500, 502, 503, 504, 521)),
    st.integers(200, 599),
)
answers = st.tuples(statuses, headers, documents_of(ANSWERS))
"""Whole answers: the status, the headers, the body."""

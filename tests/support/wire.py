"""Replies for the tests of the wire, and strange ones that Hypothesis makes up."""

from __future__ import annotations

import json
import pickle
import re
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from pydantic import BaseModel

from veo_async._wire.replies import Failure, Reply, Unreadable, parse, received
from veo_async.errors import VeoError

bounded = settings(max_examples=150, deadline=None, derandomize=True)
"""How property tests run: a run can be repeated, and its time is known."""

TASK = "1ebe4f2b-59ba-4385-a4ea-0ce8a3fe12ed"
TRACE = "2cf86e86-22a4-46e1-ac2f-032c0f2a4e89"
URL = "https://cdn.example/v.mp4"
NOW = 1_753_435_158.0
"""When these answers come, in Unix seconds."""
HTML = b"<html><h1>502 Bad Gateway</h1></html>"


def reply(status: int, body: Any = b"", **headers: str) -> Reply:
    """An answer; a body that is not bytes is written as JSON, and ``_`` in a name is ``-``."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return received(status, named, data, now=NOW)


def refusal(code: str | None = "bad_request", message: str | None = "No.") -> dict[str, Any]:
    """The service's error body."""
    return {"success": False, "error": {"code": code, "message": message}, "trace_id": TRACE}


def result(**fields: Any) -> dict[str, Any]:
    """The service's finished result."""
    return {"success": True, "task_id": TASK, "data": [{"id": "v", "video_url": URL}]} | fields


_MARK = re.compile(
    r"(https://api\.acedata\.cloud|http://127\.0\.0\.1:\d+)/health\?ref=[0-9a-f-]{36}"
)


def unmarked(body: dict[str, Any]) -> dict[str, Any]:
    """The body of a submit without its mark, which it must have."""
    assert _MARK.fullmatch(body["callback_url"])
    return {name: value for name, value in body.items() if name != "callback_url"}


FAILURE = Failure("httpx", ("httpx.ReadTimeout", "httpx.TimeoutException"), detail="ReadTimeout")
"""A cut answer, which proves nothing."""

# fmt: off
_NAMES = (
    "success", "task_id", "trace_id", "data", "id", "video_url", "created_at", "complete_at",
    "finished_at", "state", "error", "code", "message", "response", "request", "items", "count",
    "type", "elapsed", "_id", "model_dump", "video", "self", "__class__",
)
_NUMBERS = (
    "0", "-0", "1", "-1", "0.5", "NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e-999",
    "1753435158.509", "253402300800", "-62135596801", "9" * 19, "9" * 4000, "-" + "9" * 5000,
)
# fmt: on
_TEXTS = (
    "",
    TASK,
    URL,
    "succeeded",
    "failed",
    "processing",
    "used_up",
    "invalid_token",
    "2025-07-25 17:19:20",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "2025-07-25T17:19:20+05:30:15.5",
    "\ud83d",
)
_text = (st.sampled_from(_TEXTS) | st.text(st.characters(), max_size=20)).map(json.dumps)
_leaf = st.sampled_from(["null", "true", "false", *_NUMBERS]) | _text
_name = (st.sampled_from(_NAMES).map(json.dumps)) | _text


def _within(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    members = st.dictionaries(_name, inner, max_size=6)
    return st.lists(inner, max_size=4).map(lambda texts: f"[{','.join(texts)}]") | members.map(
        lambda texts: "{" + ",".join(f"{name}:{text}" for name, text in texts.items()) + "}"
    )


_json_texts = st.recursive(_leaf, _within, max_leaves=30)


def _deep(depth: int, opening: str, closing: str) -> bytes:
    return (opening * depth + "1" + closing * depth).encode()


bodies = st.one_of(
    st.binary(max_size=200),
    _json_texts.map(str.encode),
    _json_texts.map(lambda text: text.encode()[:-1]),
    _json_texts.map(lambda text: text.encode("utf-16")),
    st.builds(
        _deep,
        st.sampled_from([100, 190, 199, 200, 201, 250, 1000, 100_000]),
        st.sampled_from(["[", '{"response":', '{"data":[', '{"a":"\\ud800","error":']),
        st.sampled_from(["]", "}", "]}", ""]),
    ),
)
"""Any bytes: JSON of the wire's own words in any place, cut JSON, deep JSON, and no JSON."""


def _parsed(text: str) -> Any:
    try:
        return parse(text.encode())
    except Unreadable:
        return None


values = _json_texts.map(_parsed)
"""Any JSON value, as it is read from bytes."""

_header_texts = st.text(st.characters(), max_size=40) | st.sampled_from(
    [
        "nan",
        "-inf",
        "1e999",
        "9" * 5000,
        "\N{ARABIC-INDIC DIGIT ONE}",
        "Wed, 21 Oct 2015 07:28:00 GMT",
        "Wed, 21 Oct 99999 07:28:00 GMT",
        "Wed, 21 Oct 2015 07:28:00 +9999999999",
        "Sun, 32 Foo 0000 99:99:99 -0000",
    ]
)
headers = st.fixed_dictionaries({}, optional={"retry-after": _header_texts, "date": _header_texts})

replies = st.builds(
    Reply, st.sampled_from([200, 202, 302, 400, 401, 403, 404, 408, 429, 500, 502]), headers, bodies
)
"""Any answer."""


def assert_presentable(value: object) -> None:
    """A value that came from the wire can be shown, written and handed to another process."""
    assert repr(value)
    if isinstance(value, BaseModel):
        assert value.model_dump_json()
    if isinstance(value, VeoError):
        assert str(pickle.loads(pickle.dumps(value))) == str(value)

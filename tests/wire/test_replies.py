from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.wire import (
    HTML,
    TRACE,
    assert_presentable,
    bodies,
    bounded,
    refusal,
    replies,
    reply,
)
from veo_async._wire.replies import (
    BY_CODE,
    EXCERPT,
    LONGEST_PAUSE,
    MESSAGE,
    ErrorBody,
    Reply,
    Unreadable,
    api_error,
    error_body,
    excerpt,
    gist,
    parse,
    parse_error,
    parse_object,
    received,
    service_time,
    undecodable,
)
from veo_async.errors import (
    APIError,
    APINotImplementedError,
    BadRequestError,
    ContentRefusedError,
    DisabledError,
    InsufficientBalanceError,
    InvalidTokenError,
    NoAPIError,
    NoTokenError,
    RateLimitError,
    ServerError,
    TokenExpiredError,
    TokenMismatchedError,
    UndecodableReplyError,
)

NOW = 1_753_435_158.0  # Fri, 25 Jul 2025 09:19:18 GMT


# JSON.


@pytest.mark.parametrize(
    "body, value",
    [
        (b'{"a": [1, 2.5, true, null, "x"]}', {"a": [1, 2.5, True, None, "x"]}),
        (b"1e999", math.inf),
        (b"-Infinity", -math.inf),
        (b"9" * 300, int("9" * 300)),
        (b'"\\ud83d\\ude00"', "\N{GRINNING FACE}"),
        (b'"cut \\ud83d"', "cut ?"),
        (b'{"\\udc00": ["\\ud800", 1, null]}', {"?": ["?", 1, None]}),
        (b'"\xed\xa0\x80"', "?"),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        ('{"a": 1}'.encode("utf-16"), {"a": 1}),
    ],
)
def test_parse_reads_json_and_what_is_nearly_json(body: bytes, value: object) -> None:
    """JSON is read, also with halves of surrogate pairs, which become replacements."""
    assert parse(body) == value


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b'{"task_id": "1eb',
        b'{"a": 1} trailing',
        HTML,
        b"\xff\xff\xff",
        b"9" * 5000,
        b"[" * 100_000,
        b"[" * 250 + b"]" * 250,
        b'["\\ud800",' + b"[" * 250 + b"]" * 251,
        b'{"a":' * 250 + b'"\\ud800"' + b"}" * 250,
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_not_json_is_unreadable(body: bytes) -> None:
    """No JSON, cut JSON, JSON that nests too deep and absurd numbers are one error, kept short."""
    with pytest.raises(Unreadable) as caught:
        parse(body)

    assert len(str(caught.value)) <= EXCERPT


@bounded
@given(st.binary() | bodies)
@example(b'{"\\ud800": NaN}')
def test_parse_is_total(body: bytes) -> None:
    """Any bytes give a value that UTF-8 can carry, or are unreadable."""
    try:
        value = parse(body)
    except Unreadable:
        return

    assert repr(value).encode()


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"1", b"null", b"true", HTML, b"", b'{"a": 1'])
def test_parse_object_gives_objects_only(body: bytes) -> None:
    """A list, a number or no JSON at all is no object, and no error either."""
    assert parse_object(reply(200, body)) is None
    assert parse_object(reply(200, {"a": body.decode()})) == {"a": body.decode()}


# Excerpts.


@pytest.mark.parametrize(
    "body, shown",
    [
        (b"", "(empty)"),
        (b" \r\n\t ", "(empty)"),
        (b"plain", "plain"),
        (b"two\nlines\x1b[31m", "two lines [31m"),
        (b"\xff", "\N{REPLACEMENT CHARACTER}"),
        (b"x" * EXCERPT, "x" * EXCERPT),
        (b"x" * (EXCERPT + 1), "x" * EXCERPT + "..."),
    ],
)
def test_excerpt_is_short_and_on_one_line(body: bytes, shown: str) -> None:
    """An excerpt has no control characters, which a terminal would obey, and an end."""
    assert excerpt(body) == shown


@bounded
@given(st.binary(max_size=1000))
def test_excerpt_is_printable(body: bytes) -> None:
    """A terminal can show the excerpt of any bytes."""
    shown = excerpt(body)

    assert shown.isprintable()
    assert 0 < len(shown) <= EXCERPT + len("...")


def test_gist_quotes_the_service_or_the_bytes() -> None:
    """An answer that settles nothing is quoted with its status: its message, or an excerpt."""
    assert gist(reply(500, refusal(message="fetch failed"))) == "HTTP 500: fetch failed"
    assert gist(reply(502, HTML)) == f"HTTP 502: {HTML.decode()}"


def test_undecodable_shows_the_excerpt() -> None:
    """The error for an unreadable answer holds its status and its beginning, never all of it."""
    error = undecodable(reply(200, b"<p>" + b"x" * 10_000))

    assert isinstance(error, UndecodableReplyError)
    assert error.status_code == 200
    assert error.body == "<p>" + "x" * (EXCERPT - 3) + "..."
    assert error.body in str(error)


def test_errors_have_the_trace_id_of_the_header() -> None:
    """Where the body has none or cannot be read; the body's own comes first."""
    answers = [(502, HTML), (400, {"error": "No."}), (400, refusal())]

    errors = [api_error(reply(status, body, x_trace_id="header-1")) for status, body in answers]
    unread = undecodable(reply(200, b"{", x_trace_id="header-1"))

    assert [error.trace_id for error in (*errors, unread)] == [
        "header-1",
        "header-1",
        TRACE,
        "header-1",
    ]


# Error bodies.


@pytest.mark.parametrize(
    "fields, expected",
    [
        (refusal("used_up", "No."), ErrorBody("used_up", "No.", TRACE)),
        ({"error": {"code": "used_up", "message": "No."}}, ErrorBody("used_up", "No.", None)),
        ({"error": "fetch failed"}, ErrorBody(None, "fetch failed", None)),
        ({"error": "used_up"}, ErrorBody("used_up", "used_up", None)),
        ({"error": ""}, ErrorBody(None, None, None)),
        ({"error": None, "trace_id": TRACE}, ErrorBody(None, None, TRACE)),
        ({"error": []}, ErrorBody(None, None, None)),
        ({"error": 7}, ErrorBody(None, None, None)),
        ({"error": {"code": 7, "message": ["x"]}}, ErrorBody(None, None, None)),
        ({"error": {}, "trace_id": {}}, ErrorBody(None, None, None)),
        ({"success": False}, ErrorBody(None, None, None)),
        ({"error": {"message": "x" * 5000}}, ErrorBody(None, "x" * MESSAGE, None)),
        # Other forms, which are no error bodies by themselves, but are read where one is expected.
        ({"success": False, "detail": "No."}, ErrorBody(None, "No.", None)),
        ({"success": False, "detail": {"a": "☕"}}, ErrorBody(None, '{"a": "☕"}', None)),
        ({"error": None, "code": "used_up", "message": "No."}, ErrorBody("used_up", "No.", None)),
        ({"error": None, "code": 7, "message": "", "detail": "x"}, ErrorBody(None, "x", None)),
        ({"error": "fetch failed", "message": "No."}, ErrorBody(None, "fetch failed", None)),
        ({"error": {}, "trace_id": "two\nlines"}, ErrorBody(None, None, None)),
        ({"error": {}, "trace_id": 7}, ErrorBody(None, None, "7")),
        ({"success": True}, None),
        ({"success": None}, None),
        ({"success": 0}, None),
        ({"task_id": "t"}, None),
        ({}, None),
        (None, None),
    ],
)
def test_error_body_is_read_in_every_form(
    fields: dict[str, Any] | None, expected: ErrorBody | None
) -> None:
    """``error`` may be an object, a bare string, null or missing; without it and without
    ``success: false`` an object is no error."""
    assert error_body(fields) == expected


def test_read_error_takes_an_object_for_an_error() -> None:
    """The status already says that it is an error, so the object may be empty."""
    assert parse_error({}) == ErrorBody(None, None, None)


# The class of an error.


CLASSES: list[tuple[int, str | None, type[APIError]]] = [
    (400, "token_mismatched", TokenMismatchedError),
    (401, "token_mismatched", TokenMismatchedError),
    (400, "api_not_implemented", APINotImplementedError),
    (400, "bad_request", BadRequestError),
    (400, "no_token", NoTokenError),
    (400, "disabled", DisabledError),
    (401, "invalid_token", InvalidTokenError),
    (401, "token_expired", TokenExpiredError),
    (403, "used_up", InsufficientBalanceError),
    (403, "content_policy", ContentRefusedError),
    (404, "no_api", NoAPIError),
    (429, "too_many_requests", RateLimitError),
    (500, "api_error", ServerError),
    # Doubtful: an unknown or missing code is told by the status, a 5xx is a 5xx.
    (400, "new_code", BadRequestError),
    (400, None, BadRequestError),
    (401, None, InvalidTokenError),
    (402, None, InsufficientBalanceError),
    (422, None, BadRequestError),
    (403, None, ContentRefusedError),
    (404, None, APIError),
    (409, "new_code", APIError),
    (418, None, APIError),
    (429, "new_code", RateLimitError),
    (429, "used_up", InsufficientBalanceError),
    (502, "bad_request", ServerError),
    (503, None, ServerError),
    (599, "used_up", ServerError),
]


@pytest.mark.parametrize("status, code, cls", CLASSES)
def test_code_then_status_decides_the_class(
    status: int, code: str | None, cls: type[APIError]
) -> None:
    """Each documented status and code has its class; the code decides below 500."""
    error = api_error(reply(status, refusal(code, "Why.")))

    assert type(error) is cls
    assert (error.status_code, error.code, error.trace_id) == (status, code, TRACE)
    assert error.message == "Why."
    assert error.body == refusal(code, "Why.")


def test_every_code_is_in_the_table_above() -> None:
    """No documented code is left out."""
    assert set(BY_CODE) <= {code for _, code, _ in CLASSES}


@pytest.mark.parametrize(
    "status, body, cls, message",
    [
        (502, HTML, ServerError, HTML.decode()),
        (429, HTML, RateLimitError, HTML.decode()),
        (403, HTML, ContentRefusedError, HTML.decode()),
        (404, b"", APIError, "(empty)"),
        (400, b'{"succ', BadRequestError, '{"succ'),
        (400, [1], BadRequestError, "[1]"),
        (400, {"error": "model is invalid."}, BadRequestError, "model is invalid."),
        (403, {"error": "used_up"}, InsufficientBalanceError, "used_up"),
        (500, {"success": False, "error": None}, ServerError, "The service answered"),
        (400, {"success": False}, BadRequestError, "The service answered"),
    ],
)
def test_odd_error_bodies_still_become_the_right_class(
    status: int, body: Any, cls: type[APIError], message: str
) -> None:
    """HTML, nothing, cut JSON, a bare string, null and a missing error are told by the status."""
    error = api_error(reply(status, body))

    assert type(error) is cls
    assert message in error.message


def test_api_error_bears_what_the_caller_needs() -> None:
    """The task id, the money and the pause are on the error where they are known."""
    answer = reply(429, HTML, retry_after="7")

    error = api_error(answer, task_id="t", may_have_cost=True)

    assert isinstance(error, RateLimitError)
    assert (error.task_id, error.may_have_cost, error.retry_after) == ("t", True, 7.0)
    assert error.body == HTML.decode()


@bounded
@given(replies)
def test_every_reply_has_an_error_that_can_be_shown(answer: Reply) -> None:
    """The error for any reply can be printed and sent to another process."""
    assert_presentable(api_error(answer))
    assert_presentable(undecodable(answer))


# Retry-After.


@pytest.mark.parametrize(
    "value, seconds",
    [
        ("0", 0.0),
        ("7", 7.0),
        (" 2.5 ", 2.5),
        ("120", 120.0),
        ("3600", LONGEST_PAUSE),
        ("9" * 5000, LONGEST_PAUSE),
        ("1e999", LONGEST_PAUSE),
        ("inf", LONGEST_PAUSE),
        ("-1", 0.0),
        ("-inf", 0.0),
        ("nan", None),
        ("", None),
        ("soon", None),
        ("7 seconds", None),
        ("\N{SUPERSCRIPT TWO}", None),
        ("\N{ARABIC-INDIC DIGIT SEVEN}", 7.0),
        ("Fri, 25 Jul 2025 09:19:28 GMT", 10.0),
        ("Fri, 25 Jul 2025 09:19:28", 10.0),
        ("Fri, 25 Jul 2025 09:19:28 -0000", 10.0),
        ("Fri, 25 Jul 2025 10:19:28 +0100", 10.0),
        ("Friday, 25-Jul-25 09:19:28 GMT", 10.0),
        ("Fri, 25 Jul 2025 09:00:00 GMT", 0.0),
        ("Sat, 25 Jul 2026 09:00:00 GMT", LONGEST_PAUSE),
        ("Fri, 25 Jul 99999 09:19:28 GMT", None),
        ("Fri, 25 Jul 2025 09:19:28 +999999", None),
        ("Fri, 25 Jul " + "9" * 5000 + " 09:19:28 GMT", None),
    ],
    ids=lambda value: str(value)[:40],
)
def test_retry_after_is_bounded_or_absent(value: str, seconds: float | None) -> None:
    """Seconds or a date, within 0 and two minutes; what says nothing is ``None``."""
    assert reply(429, retry_after=value).retry_after == seconds


@pytest.mark.parametrize(
    "date, seconds",
    [
        ("Fri, 25 Jul 2025 08:00:00 GMT", 5.0),
        ("Fri, 25 Jul 2025 08:00:00", 5.0),
        ("garbage", 0.0),
        (None, 0.0),
    ],
)
def test_retry_after_date_is_read_against_the_services_clock(
    date: str | None, seconds: float
) -> None:
    """A date is compared with the answer's own ``Date``, so a clock that is wrong by an hour
    changes nothing; only without one is it compared with ours."""
    told = {} if date is None else {"date": date}
    answer = reply(429, retry_after="Fri, 25 Jul 2025 08:00:05 GMT", **told)

    assert answer.retry_after == seconds


def test_no_header_is_no_pause() -> None:
    """Whether ``Retry-After`` is there is not documented."""
    assert reply(429, refusal("too_many_requests")).retry_after is None


def test_service_time_comes_from_the_date_header() -> None:
    """The service's clock is what its ``Date`` says, the epoch included."""
    assert service_time(reply(200, date="Fri, 25 Jul 2025 09:19:18 GMT")) == NOW
    assert service_time(reply(200, date="Thu, 01 Jan 1970 00:00:00 GMT")) == 0.0
    assert service_time(reply(200)) is None


@bounded
@given(replies, st.floats(0, 4e9))
def test_retry_after_is_total(answer: Reply, now: float) -> None:
    """Any header gives a bounded pause or none."""
    seconds = received(answer.status, answer.headers, answer.body, now=now).retry_after

    assert seconds is None or 0.0 <= seconds <= LONGEST_PAUSE

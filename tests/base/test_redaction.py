from __future__ import annotations

import json
import traceback
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from html import escape
from time import perf_counter
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.wire import bounded
from veo_async._base.redaction import MOST_OBJECTS, SHORTEST, Redactor, without_callbacks

TOKEN = 'a-Secret/token+of"all=='
PRINTABLE = st.characters(min_codepoint=0x21, max_codepoint=0x7E)

SPELLINGS = {
    "as it is": TOKEN,
    "lower": TOKEN.lower(),
    "JSON": json.dumps(TOKEN)[1:-1],
    "JSON with escaped slashes": json.dumps(TOKEN)[1:-1].replace("/", r"\/"),
    "JSON in JSON": json.dumps(json.dumps(TOKEN)),
    "JSON safe for HTML": TOKEN.replace("+", r"\u002B").replace('"', r"\u0022"),
    "all by number": "".join(f"\\u{ord(c):04x}" for c in TOKEN),
    "URL": quote(TOKEN, safe=""),
    "repr": repr(TOKEN.encode()),
    "URL in URL": quote(quote(TOKEN, safe=""), safe=""),
    "HTML": escape(TOKEN),
    "HTML by number": "".join(f"&#{ord(c)};" for c in TOKEN),
    "HTML by hexadecimal number": "".join(f"&#x{ord(c):X};" for c in TOKEN),
    "HTML by name": TOKEN.replace("/", "&sol;").replace("+", "&plus;").replace("=", "&equals;"),
    "HTML in HTML": escape(escape(TOKEN)),
    "two lines": f"{TOKEN[:9]}\r\n   {TOKEN[9:]}",
    "two lines in JSON": json.dumps(f"{TOKEN[:9]}\n{TOKEN[9:]}")[1:-1],
    "two lines in HTML": f"{TOKEN[:9]}<br>{TOKEN[9:]}",
    "UTF-16": TOKEN.encode("utf-16-le").decode(),
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_every_spelling_is_struck(spelling: str) -> None:
    """In every spelling of JSON and URLs the token is removed, and all else stays."""
    redactor = Redactor(TOKEN)

    text = redactor.text(f"before\n{spelling}\nafter")
    body = redactor.body(f"é before\n{spelling}\nafter".encode())

    for kept in (text, body.decode()):
        assert "[secret]" in kept
        assert not any(part in kept for part in ("Secret", "token", "53", "74"))
        assert "before" in kept
        assert "after" in kept


@pytest.mark.parametrize("before", ["", "B", "Be", "Bearer ", '{"authorization": "Bearer '])
@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
@pytest.mark.parametrize("lines", [False, True])
def test_base64_is_struck(before: str, encode: Callable[[bytes], bytes], lines: bool) -> None:
    """At each place among the groups of three bytes, in both alphabets, and in lines: no part is
    left from which more than the first and the last character could be guessed."""
    token = "sk~/9f3b?27d1>e04c"
    encoded = encode(f"{before}{token}{'x' * 9}".encode())
    body = encoded if not lines else b"\n".join([encoded[:14], encoded[14:]])

    struck = Redactor(token).body(body)

    assert b"[secret]" in struck
    left = struck.replace(b"[secret]", b"").replace(b"\n", b"")
    assert len(encoded) - len(left) >= len(token) * 8 // 6 - 2


@bounded
@given(
    # No period: such a token may begin within an escape that stands before it.
    st.text(PRINTABLE, min_size=SHORTEST, max_size=40).filter(lambda token: len(set(token)) > 5),
    st.text(max_size=20),
)
def test_any_token_is_struck_from_json(token: str, beside: str) -> None:
    """Any token that a header can carry is found in the output of any JSON writer, which stays
    JSON."""
    body = json.dumps({"error": f"{beside}\n{token}"}).encode()

    struck = json.loads(Redactor(token).body(body))

    assert token not in struck["error"]
    assert "[secret]" in struck["error"]


def test_a_short_token_strikes_nothing() -> None:
    """A token that might be a part of the wire's own words does not tear them: a task id that
    cannot be read would be a paid video lost."""
    body = b'{"task_id": "t-1"}'

    for token in ("t", "id", "task_id"):
        assert Redactor(token).body(body) == body
        assert Redactor(token).text(body.decode()) == body.decode()


def test_striking_takes_linear_time() -> None:
    """No body makes the search slow: not one of all that it could stumble on."""
    redactor = Redactor("/" * 8 + "a" * 8)

    for stone in (b"\\", b"/", b"\\/", b"%2f", b"\\u002f", b"a"):
        started = perf_counter()
        redactor.body(stone * (100_000 // len(stone)))
        assert perf_counter() - started < 5.0


def failed(message: str = "no luck") -> Exception:
    """An exception as a transport raises it, with frames that hold the token."""

    def send(headers: str) -> None:
        raise OSError(message + headers[:0])

    def call() -> None:
        try:
            send(f"Bearer {TOKEN}")
        except OSError as exc:
            raise ConnectionError("cut") from exc

    with pytest.raises(ConnectionError) as caught:
        call()
    return caught.value


class Slotted:
    __slots__ = ("held",)

    def __init__(self, held: object) -> None:
        self.held = held


class Unprintable:
    def __repr__(self) -> str:
        raise ValueError("no")


def test_an_exception_that_leads_to_too_much_is_dropped() -> None:
    """Nobody looks through all of it."""
    exc = ValueError(list(range(MOST_OBJECTS + 1)))

    assert Redactor(TOKEN).exception(exc) is None


def told(exc: BaseException) -> str:
    """All that a reporter can print of an exception."""
    rendered = traceback.TracebackException.from_exception(exc, capture_locals=True)
    return "".join(rendered.format())


def test_frames_forget_what_they_held() -> None:
    """Reporters that print variables find none; the lines are still told."""
    exc = failed()
    assert TOKEN in told(exc)

    kept = Redactor(TOKEN).exception(exc)

    assert kept is exc
    assert TOKEN not in told(exc)
    assert "in send" in told(exc)
    assert "OSError: no luck" in told(exc)


@pytest.mark.parametrize(
    "where", ["text", "argument", "attribute", "deep", "hidden", "note", "cause", "group"]
)
def test_an_exception_that_tells_the_token_is_dropped(where: str) -> None:
    """Whether in its words, in what it holds, or in what it came from."""
    exc: Exception = ValueError("no luck")
    if where == "text":
        exc = ValueError(f"bad header: Bearer {TOKEN}")
    elif where == "argument":
        exc = ValueError({"authorization": TOKEN})
    elif where == "attribute":
        exc.request_info = f"Bearer {TOKEN}"  # type: ignore[attr-defined]
    elif where == "deep":
        exc.request = Slotted({"headers": [(b"authorization", TOKEN.encode())]})  # type: ignore[attr-defined]
    elif where == "hidden":
        exc.request = Unprintable()  # type: ignore[attr-defined]
    elif where == "note":
        exc.add_note(f"Bearer {TOKEN}")
    elif where == "cause":
        exc.__cause__ = ValueError(TOKEN)
    else:
        exc = ExceptionGroup("several", [ValueError("innocent"), ValueError(TOKEN)])

    kept = Redactor(TOKEN).exception(exc)

    assert kept is None


def test_what_the_caller_was_handling_is_left_alone() -> None:
    """The exception that a user handles while he asks us is his."""
    his = failed(message=TOKEN)
    exc = ValueError("no luck")
    exc.__context__ = his
    his.__context__ = exc  # a ring ends the walk

    kept = Redactor(TOKEN).exception(exc, outer=his)

    assert kept is exc
    assert "message = " in told(his)


@pytest.mark.parametrize(
    "text, shown",
    [
        (
            '{"callback_url": "https://a.example/t0ken", "b": 1}',
            '{"callback_url": "[secret]", "b": 1}',
        ),
        ('{"callback_url":"https:\\/\\/a.example\\/t0ken"}', '{"callback_url":"[secret]"}'),
        ('{"callback_url": "https://a.example/t0k', '{"callback_url": "[secret]'),
        ("{'callback_url': 'https://a.example/t0ken'}", "{'callback_url': '[secret]'}"),
        ('{"callback_url": null, "b": "c"}', '{"callback_url": null, "b": "c"}'),
        ("callback_url is invalid", "callback_url is invalid"),
    ],
)
def test_callback_addresses_are_struck(text: str, shown: str) -> None:
    """Also from a text that breaks off within one; what only speaks of them stays."""
    assert without_callbacks(text) == shown


def test_callback_addresses_are_struck_from_json_in_json() -> None:
    """Some answers quote another one as a text."""
    quoted = json.dumps(json.dumps({"callback_url": "https://a.example/t0ken", "b": 1}))

    assert "t0ken" not in without_callbacks(quoted)

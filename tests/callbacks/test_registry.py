from __future__ import annotations

import base64
import gc
import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.wire import FAILURE, assert_presentable, bodies, bounded, reply
from veo_async import InvalidRequestError
from veo_async._wire.replies import Reply
from veo_async.callbacks import _deliveries, _registry, _tokens
from veo_async.callbacks._deliveries import Refusal
from veo_async.callbacks._registry import CallbackHandle, CallbackRegistry, Delivery, PollTimes
from veo_async.callbacks._tokens import TokenSigner

PUBLIC = "https://app.example/veo/callbacks"
SECRET = "a secret of the application"
NONCE = bytes(range(16))
SIGNER = TokenSigner(PUBLIC, SECRET)
TOKEN = _tokens.token_in(SIGNER.url(NONCE))


@pytest.mark.parametrize(
    "given_url, address",
    [
        ("https://app.example", "https://app.example/"),
        ("https://app.example/", "https://app.example/"),
        ("https://app.example/hook/", "https://app.example/hook/"),
        ("http://10.0.0.7:8000/hook", "http://10.0.0.7:8000/hook/"),
    ],
)
def test_an_address_is_the_public_url_and_a_token(given_url: str, address: str) -> None:
    """The token is the last segment, whatever the public URL looks like; it has 43 characters that
    no proxy changes."""
    url = TokenSigner(given_url, SECRET).url(NONCE)

    assert url == address + TOKEN
    assert len(TOKEN) == _tokens.LENGTH
    assert TOKEN.replace("-", "").replace("_", "").isalnum()


def test_a_token_is_the_same_for_ever() -> None:
    """A run that is resumed by a later version still knows the addresses that it gave out."""
    expected = f"{PUBLIC}/AAECAwQFBgcICQoLDA0OD3yiERBQX2gyso2vNq4V9Hc"

    assert SIGNER.url(NONCE) == TokenSigner(PUBLIC, SECRET.encode()).url(NONCE) == expected


@pytest.mark.parametrize("path", [TOKEN, f"/{TOKEN}", f"/mounted/{TOKEN}", f"{PUBLIC}/{TOKEN}"])
def test_a_genuine_token_is_known_wherever_the_app_is_mounted(path: str) -> None:
    """Some frameworks strip the mounted part of the path, some do not, and proxies may."""
    assert SIGNER.nonce_of(path) == NONCE


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        TOKEN[:-1],
        TOKEN + "A",
        TOKEN + "/x",
        "A" * 43,
        "*" * 43,
        TOKEN[:-1] + "*",
        "\u00e9" * 43,
        "\ud800" * 43,
        TOKEN.swapcase(),
        TOKEN.replace(TOKEN[30], "-" if TOKEN[30] != "-" else "_"),
        _tokens.token_in(TokenSigner(PUBLIC, SECRET + "!").url(NONCE)),
        _tokens.token_in(SIGNER.url(bytes(16)))[:22] + TOKEN[22:],
    ],
)
def test_a_forged_token_is_nobodys(path: str) -> None:
    """Another secret, another nonce, another letter, no base64 at all."""
    assert SIGNER.nonce_of(path) is None


def test_a_token_has_one_spelling() -> None:
    """Base64 reads several texts as the same bytes; only the one that was given out is genuine."""
    spare_bits = chr(ord(TOKEN[-1]) + 1)
    twin = TOKEN[:-1] + spare_bits

    assert base64.urlsafe_b64decode(twin + "=") == base64.urlsafe_b64decode(TOKEN + "=")
    assert SIGNER.nonce_of(twin) is None


@bounded
@given(
    st.text(max_size=60)
    | st.binary(min_size=32, max_size=32)
    .map(base64.urlsafe_b64encode)
    .map(lambda data: data.decode().rstrip("="))
)
def test_whatever_the_path_it_is_judged(path: str) -> None:
    """No path raises, and none that was not given out is taken."""
    assert SIGNER.nonce_of(path) is None


@pytest.mark.parametrize(
    "public_url, secret, field",
    [
        ("app.example/hook", SECRET, "public_url"),
        ("ftp://app.example/hook", SECRET, "public_url"),
        ("https://me:pass@app.example/hook", SECRET, "public_url"),
        ("https://app.example/hook?x=1", SECRET, "public_url"),
        ("https://app.example/hook#x", SECRET, "public_url"),
        (None, SECRET, "public_url"),
        (PUBLIC, "fifteen letters", "secret"),
        (PUBLIC, b"", "secret"),
        (PUBLIC, None, "secret"),
        (PUBLIC, 12345678901234567890, "secret"),
    ],
)
def test_what_cannot_be_right_is_refused(public_url: Any, secret: Any, field: str) -> None:
    """The error names the argument, and repeats neither the address nor the secret."""
    with pytest.raises(InvalidRequestError) as caught:
        TokenSigner(public_url, secret)

    assert caught.value.field == field
    assert "pass@" not in str(caught.value)
    assert "fifteen" not in str(caught.value)


# The throttle.


@pytest.mark.parametrize(
    "woken, now, expected",
    [
        (float("-inf"), 100.0, (100.0, 105.0)),
        (100.0, 100.0, (105.0, 110.0)),
        (100.0, 104.9, (105.0, 110.0)),
        (100.0, 105.0, (105.0, 110.0)),
        (100.0, 300.0, (300.0, 305.0)),
        (105.0, 104.9, ()),
    ],
)
def test_when_a_delivery_makes_its_task_due(woken: float, now: float, expected: PollTimes) -> None:
    """At once, or five seconds after the last time; one that waits for that is enough."""
    assert _registry.wakes(woken, now) == expected


@bounded
@given(st.lists(st.floats(min_value=0, max_value=60), max_size=200))
def test_looks_of_one_token_are_five_seconds_apart(times: list[float]) -> None:
    """In any number and at any times; each delivery is followed by a poll within that time."""
    woken = float("-inf")
    looks = []
    for now in sorted(times):
        if due := _registry.wakes(woken, now):
            woken = due[0]
            looks.append(woken)
        assert now <= looks[-1] <= now + _registry.SPACING

    assert all(later - earlier >= _registry.SPACING - 1e-9 for earlier, later in pairwise(looks))


# The registry.


class Client:
    """Counts what it is notified of. The registry itself notifies nobody."""

    def __init__(self) -> None:
        self.heard = 0

    def notify(self, handle: CallbackHandle, times: PollTimes) -> bool:
        self.heard += 1
        return True


def nonce(number: int) -> bytes:
    """One of many."""
    return number.to_bytes(16)


def test_a_delivery_names_who_is_to_be_notified() -> None:
    """The handle, with its client, and when the task is due; the registry calls nobody. What the
    body said is kept as a hint, and given to nobody."""
    registry, client = CallbackRegistry(SIGNER), Client()
    handle = registry.issue(NONCE, client)

    delivery = registry.receive(NONCE, "task-1", now=7.0)

    assert delivery == Delivery(handle, (7.0, 12.0))
    assert handle.listener is client
    assert not client.heard
    assert (handle.called, handle.claimed_task_id) == (True, "task-1")
    assert handle.woken < 0


def test_a_repetition_is_ignored() -> None:
    """Of ten thousand deliveries within five seconds two make their task due: now and at their
    end. A body that names no task leaves the hint as it was."""
    registry = CallbackRegistry(SIGNER)
    handle = registry.issue(NONCE, Client())
    registry.receive(NONCE, "task-1", now=6.0)

    times = []
    for number in range(10_000):
        delivery = registry.receive(NONCE, None, now=7.0 + number / 10_000)
        assert delivery is not None
        if delivery.times:
            times.append(delivery.times)
            handle.woken = delivery.times[0]

    assert times == [(7.0, 12.0), (12.0, 17.0)]
    assert handle.claimed_task_id == "task-1"


def test_the_garbage_collector_decides_nothing() -> None:
    """A submit is known whether or not its handle is held anywhere else."""
    registry, client = CallbackRegistry(SIGNER), Client()
    handle = registry.issue(NONCE, client)
    del handle
    gc.collect()

    delivery = registry.receive(NONCE, "task-1", now=7.0)

    assert delivery is not None
    assert delivery.handle.listener is client


def test_what_was_never_given_out_here_is_unknown() -> None:
    """Its token is genuine, so it is another process's, or an earlier one's."""
    assert CallbackRegistry(SIGNER).receive(NONCE, "task-1", now=7.0) is None


def test_what_a_closed_client_sent_is_unknown() -> None:
    """A later process may want it; the submits of other clients stay known. A later client that
    claims it learns what deliveries said before the end of the first, and after it."""
    registry, closed, other = CallbackRegistry(SIGNER), Client(), Client()
    for number in range(3):
        registry.issue(nonce(number), closed)
    registry.issue(NONCE, other)
    registry.receive(nonce(0), "task-0", now=7.0)

    registry.forget(closed)

    assert [registry.receive(nonce(n), f"task-{n}", now=8.0) for n in (1, 2)] == [None, None]
    assert registry.receive(NONCE, None, now=8.0) is not None
    for number in range(3):
        handle = registry.claim(SIGNER.url(nonce(number)), other)
        assert handle is not None
        assert (handle.called, handle.claimed_task_id) == (True, f"task-{number}")
        assert handle.listener is other


def test_an_earlier_runs_handle_is_claimed_by_its_address() -> None:
    """A resumed run hears of what was sent before; what came in between was kept for it."""
    registry, first, later = CallbackRegistry(SIGNER), Client(), Client()
    registry.receive(NONCE, "task-1", now=7.0)

    handle = registry.claim(SIGNER.url(NONCE), first)

    assert handle is not None
    assert (handle.called, handle.claimed_task_id) == (True, "task-1")
    assert registry.claim(SIGNER.url(NONCE), later) is handle
    assert handle.listener is later
    assert registry.claim("https://app.example/veo/callbacks/elsewhere", first) is None


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Submits, and deliveries for nobody here, are remembered up to a number; the newest stay."""
    monkeypatch.setattr(_registry, "KNOWN", 1000)
    registry = CallbackRegistry(SIGNER)
    for number in range(1500):
        registry.issue(nonce(number), Client())
    for number in range(_registry.UNCLAIMED + 500):
        registry.receive(nonce(10**6 + number), "task", now=0.0)

    assert registry.receive(nonce(499), None, now=0.0) is None
    assert registry.receive(nonce(500), None, now=0.0) is not None
    assert len(registry._handles) == 1000
    assert len(registry._unclaimed) == _registry.UNCLAIMED


def test_each_submit_takes_half_a_kilobyte() -> None:
    """As `KNOWN` says."""
    registry, client = CallbackRegistry(SIGNER), Client()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(1000):
            registry.issue(nonce(number), client)
        each = (tracemalloc.get_traced_memory()[0] - before) / 1000
    finally:
        tracemalloc.stop()

    assert 256 < each < 640


def test_a_ticket_does_not_show_its_address() -> None:
    """Nor does anything else that may be printed."""
    registry = CallbackRegistry(SIGNER)
    handle = registry.issue(NONCE, Client())

    assert TOKEN not in f"{handle!r} {registry!r} {registry.signer!r}"
    assert SECRET not in f"{registry.signer!r}"


# What is read.


@pytest.mark.parametrize(
    "method, path, length, expected",
    [
        ("POST", f"/hook/{TOKEN}", None, NONCE),
        ("POST", f"/hook/{TOKEN}", "65536", NONCE),
        ("POST", f"/hook/{TOKEN}", "65537", 413),
        ("POST", f"/hook/{TOKEN}", "9" * 5000, 413),
        ("POST", f"/hook/{TOKEN}", "-1", 413),
        ("POST", f"/hook/{TOKEN}", "", 413),
        ("POST", "/hook/forged", None, 404),
        ("POST", "/hook/forged", "65537", 404),
        ("GET", f"/hook/{TOKEN}", None, 405),
        ("HEAD", "/hook", None, 405),
        ("post", f"/hook/{TOKEN}", None, 405),
    ],
)
def test_what_is_refused_unread(
    method: str, path: str, length: str | None, expected: bytes | int
) -> None:
    """A wrong method, a forged token, a body that is said to be too long."""
    if isinstance(expected, bytes):
        assert _deliveries.check_head(SIGNER, method, path, length) == expected
        return
    with pytest.raises(Refusal) as caught:
        _deliveries.check_head(SIGNER, method, path, length)

    assert caught.value.status == expected
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    "body, said",
    [
        (b'{"success": true, "task_id": "t1", "data": []}', "t1"),
        (b'{"task_id": 7}', "7"),
        (b'{"task_id": ["t1"]}', None),
        (b'{"task_id": "a\\nb"}', None),
        (b'{"task_id": "' + b"t" * 201 + b'"}', None),
        (b'{"success": false, "error": "fetch failed"}', None),
        (b"{}", None),
        (b" " * (_deliveries.MAX_BODY - 2) + b"{}", None),
    ],
)
def test_of_which_task_a_delivery_speaks(body: bytes, said: str | None) -> None:
    """Any JSON object is a delivery: the token says whose, and the rest is not believed anyway."""
    assert _deliveries.claimed_task_id(body) == said


@pytest.mark.parametrize(
    "body, status",
    [
        (b"", 400),
        (b"<html>", 400),
        (b'{"task_id": "t1"', 400),
        (b"[]", 400),
        (b'"t1"', 400),
        (b"null", 400),
        (b"NaN", 400),
        (b"\xff\xfe{}", 400),
        (b"[" * 60_000, 400),
        (b'{"a":' * 12_000 + b"1" + b"}" * 5_000, 400),
        (b"[" * 100_000, 413),
        (b" " * (_deliveries.MAX_BODY - 1) + b"{}", 413),
    ],
)
def test_what_is_no_delivery(body: bytes, status: int) -> None:
    """Not JSON, JSON of another shape, brackets without end, too long."""
    with pytest.raises(Refusal) as caught:
        _deliveries.parse_body(body)

    assert caught.value.status == status


@bounded
@given(bodies)
def test_any_body_is_read_or_refused(body: bytes) -> None:
    """Decoding is total, and its result can be shown."""
    try:
        generation = _deliveries.parse_body(body)
    except Refusal:
        return

    assert_presentable(generation)
    _deliveries.claimed_task_id(body)


# The service's memory of an address.


@pytest.mark.parametrize(
    "theirs, expected",
    [
        (SIGNER.url(NONCE), True),
        (SIGNER.url(NONCE).lower(), True),
        (SIGNER.url(bytes(16)), False),
        (SIGNER.url(bytes(16)).upper(), False),
        (SIGNER.url(NONCE) + "/", None),
        (f"https://elsewhere.example/{TOKEN}", None),
        (f"{PUBLIC}/short", None),
        ("", None),
        (None, None),
        (["list"], None),
    ],
)
def test_whether_a_stored_address_is_ours(theirs: object, expected: bool | None) -> None:
    """Only another token of the same address proves another submit; one that is stored in another
    form, or not at all, proves nothing."""
    assert _tokens.is_same_submit(SIGNER.url(NONCE), theirs) is expected


@pytest.mark.parametrize("quote", [lambda url: url, _tokens.token_in])
def test_an_answer_that_quotes_the_token(quote: Callable[[str], str]) -> None:
    """It is removed before the answer is decoded; all other answers stay as they are."""
    handle = CallbackHandle(SIGNER.url(NONCE), Client())
    quoting = reply(400, {"error": {"code": "bad_request", "message": quote(handle.url)}})
    plain = reply(200, {"task_id": "t1"})

    struck = _registry.without_token(quoting, handle)

    assert isinstance(struck, Reply)
    assert TOKEN.encode() not in struck.body
    assert b"[secret]" in struck.body
    assert _registry.without_token(plain, handle) is plain
    assert _registry.without_token(FAILURE, handle) is FAILURE

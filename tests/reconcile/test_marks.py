from __future__ import annotations

import re
from random import Random

import pytest

from veo_async import RetryPolicy, TextToVideo
from veo_async._base.urls import Address, read_base_url
from veo_async._reconcile.marks import mark_in
from veo_async._submit.marks import PUBLIC, Marks

API = read_base_url("https://api.acedata.cloud")
MUG = TextToVideo(prompt="a mug")
UUID = "0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f9"
TOKEN = "aB3_" + "x-" * 19 + "Z"
OWN = "https://app.example/hook"


def marks(policy: RetryPolicy | None = None, address: Address = API) -> Marks:
    """A source of marks whose random numbers can be repeated."""
    return Marks(policy or RetryPolicy(), address, Random(1))


@pytest.mark.parametrize(
    "url, mark",
    [
        pytest.param(f"{PUBLIC}?ref={UUID}", UUID, id="as it is made"),
        pytest.param(f"{PUBLIC}?a=b&ref={UUID}", UUID, id="beside others"),
        pytest.param(f"{PUBLIC}?REF={UUID.upper()}", UUID, id="in other letters"),
        pytest.param(f"https%3A%2F%2Fx%2Fhealth%3Fref%3D{UUID}", UUID, id="escaped"),
        pytest.param(f"http://proxy.example/health/?ref={UUID}&x=1", UUID, id="of another host"),
        pytest.param(f"{OWN}#{UUID}", UUID, id="in a fragment"),
        pytest.param(f"https://app.example/veo/{TOKEN}", TOKEN.casefold(), id="of Callbacks"),
        pytest.param(PUBLIC, None, id="the bare address"),
        pytest.param(f"{PUBLIC}?ref={UUID[:-1]}", None, id="truncated"),
        pytest.param(f"https://app.example/{UUID}", None, id="in the path"),
        pytest.param(f"https://app.example/veo/{TOKEN}/x", None, id="in the middle"),
        pytest.param(None, None, id="none"),
        pytest.param(7, None, id="no text"),
    ],
)
def test_a_mark_is_known_by_its_random_part(url: object, mark: str | None) -> None:
    """A service may store the rest of the address in any form."""
    assert mark_in(url) == mark


def test_no_two_submits_have_the_same_mark() -> None:
    """Each is the vendor's address that answers 200 and discards, with a random part."""
    made = marks()

    urls = [made.url_for(MUG) or "" for _ in range(100)]

    assert all(re.fullmatch(re.escape(PUBLIC) + r"\?ref=[0-9a-f-]{36}", url) for url in urls)
    assert len({mark_in(url) for url in urls}) == 100


@pytest.mark.parametrize(
    "address, chosen, start",
    [
        ("https://api.acedata.cloud", "auto", f"{PUBLIC}?ref="),
        ("https://proxy.example", "auto", f"{PUBLIC}?ref="),
        ("http://127.0.0.1:8000", "auto", "http://127.0.0.1:8000/health?ref="),
        ("http://127.0.0.1:8000", "https://own.example/x", "https://own.example/x?ref="),
        ("https://api.acedata.cloud", "https://own.example/?x=1", "https://own.example/?x=1&ref="),
    ],
)
def test_where_a_mark_points_to(address: str, chosen: str, start: str) -> None:
    """To an address that the service may reach: a service on this machine has its own."""
    url = marks(RetryPolicy(marks=chosen), read_base_url(address)).url_for(MUG)

    assert url is not None
    assert url.startswith(start)
    assert mark_in(url)


def test_marks_may_be_turned_off() -> None:
    """Then nothing is sent, also of an earlier run's making."""
    assert marks(RetryPolicy(marks="off")).url_for(MUG) is None


def test_the_address_of_an_earlier_run_is_sent_again() -> None:
    """Both of its records are known by it."""
    earlier = f"{PUBLIC}?ref={UUID}"

    assert marks().url_for(MUG, earlier) == earlier


def test_an_address_of_the_callers_is_sent_as_it_is_or_with_a_fragment() -> None:
    """A fragment is stored and never sent over HTTP, so the caller's server sees no difference."""
    request = TextToVideo(prompt="a mug", callback_url=f"{OWN}#part")
    marked = marks(RetryPolicy(mark_callback_urls=True)).url_for(request)

    assert marks().url_for(request) is None
    assert marked is not None
    assert re.fullmatch(re.escape(OWN) + "#[0-9a-f-]{36}", marked)
    assert mark_in(marked)


def test_a_process_has_luck_of_its_own() -> None:
    """Copies of a process that forks must not give out one mark twice."""
    one, two = (Marks(RetryPolicy(), API).url_for(MUG) for _ in range(2))

    assert one != two

"""A journal belongs to the account and the address that its items were bought with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.service import BASE_URL, emulator, still_runtime
from veo_async import Outcome, RetryPolicy, TextToVideo, VeoClient
from veo_async._journal.buyer import Buyer
from veo_async.emulator import Answer, Emulator, Fault, Seconds
from veo_async.errors import JournalError

REQUESTS = [(key, TextToVideo(prompt=key)) for key in ("mug", "cup")]
ELSEWHERE = "https://api.example.org"
FIRST, SECOND = "the-first-token", "the-second-token"


@pytest.mark.parametrize(
    "one, other, said",
    [
        (Buyer("a", ELSEWHERE), Buyer("a", ELSEWHERE), None),
        (Buyer("a", ELSEWHERE), Buyer("b", ELSEWHERE), "another account"),
        (Buyer("a", ELSEWHERE), Buyer("a", f"{ELSEWHERE}/v2"), "base URL is .*/v2"),
        (Buyer("a", BASE_URL), Buyer("a", ELSEWHERE), f"bought at {BASE_URL}, .* {ELSEWHERE}"),
        (Buyer("a", ELSEWHERE), Buyer("a", BASE_URL), f"bought at {ELSEWHERE}, .* {BASE_URL}"),
        (Buyer("a", BASE_URL), Buyer("a", "http://[::1]:7/x"), None),
        (Buyer("a", BASE_URL), Buyer("a", "https://localhost"), None),
        (Buyer("a", BASE_URL), Buyer("b", "http://localhost"), "another account"),
        (Buyer(None, ELSEWHERE), Buyer("b", ELSEWHERE), None),
        (Buyer("a", None), Buyer("a", ELSEWHERE), None),
        (Buyer(), Buyer("b", ELSEWHERE), None),
        (Buyer("a", ELSEWHERE), Buyer(), None),
    ],
)
def test_which_buyers_are_the_same(one: Buyer, other: Buyer, said: str | None) -> None:
    """All ports of this machine are one address, and what is not known is not compared."""
    error = one.difference(other, "run.db")

    if said is None:
        assert error is None
    else:
        with pytest.raises(JournalError, match=said) as caught:
            raise error or AssertionError
        assert caught.value.path == "run.db"
        assert not caught.value.may_have_cost


def client(service: Emulator, token: str = FIRST, base_url: str = BASE_URL) -> VeoClient:
    """A client with this token at this address."""
    return VeoClient(
        token,
        base_url=base_url,
        transport=service.transport(),
        runtime=still_runtime(),
        retry=RetryPolicy(on_uncertain="raise"),
    )


async def run(veo: VeoClient, requests: Any = REQUESTS, **options: Any) -> list[Outcome]:
    """All outcomes of a batch of a client of its own."""
    async with veo, veo.batch(requests, **options) as outcomes:
        return [outcome async for outcome in outcomes]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of the journal."""
    return tmp_path / "run.db"


def content(path: Path) -> str:
    """All that a journal has written."""
    return path.read_bytes().decode(errors="replace")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "other, said",
    [
        ({"token": SECOND}, "with the token of another account"),
        (
            {"base_url": ELSEWHERE},
            f"bought at {BASE_URL}, .* {ELSEWHERE}",
        ),
    ],
)
async def test_another_buyer_is_refused(path: Path, other: dict[str, str], said: str) -> None:
    """Of the whole journal, before anything is sent; the preview says the same. The error names
    the next step, and no token is in it or in the file."""
    async with emulator(pace=Seconds(mean=10.0)) as service:
        await run(client(service), REQUESTS[:1], journal=path)

        with pytest.raises(JournalError, match=said) as caught:
            await run(client(service, **other), journal=path, extend=True)
        async with client(service, **other) as veo:
            preview = await veo.batch(REQUESTS, journal=path).preview()
            adopting = await veo.batch(REQUESTS, journal=path, adopt_journal=True).preview()

        assert "nothing was sent" in str(caught.value)
        assert "pass adopt_journal=True" in str(caught.value)
        assert str(preview.error) == str(caught.value)
        assert (adopting.error, adopting.finished) == (None, 1)
        assert len(service.bill) == 1
    assert FIRST not in content(path)
    assert SECOND not in content(path) + str(caught.value)


@pytest.mark.asyncio
async def test_an_adopted_journal_belongs_to_its_new_buyer(path: Path) -> None:
    """From the first event that is recorded for it. The former one is refused then."""
    async with emulator(pace=Seconds(mean=10.0)) as service:
        await run(client(service), REQUESTS[:1], journal=path)
        await run(client(service, SECOND), REQUESTS[:1], journal=path, adopt_journal=True)
        await run(client(service), REQUESTS[:1], journal=path)
        await run(client(service, SECOND), journal=path, adopt_journal=True)
        await run(client(service, SECOND), journal=path)

        with pytest.raises(JournalError, match="another account"):
            await run(client(service), journal=path)
        assert len(service.bill) == 2


@pytest.mark.asyncio
async def test_a_journal_that_bought_nothing_belongs_to_nobody(path: Path) -> None:
    """A run with a wrong token, at a wrong address, is repeated with the right ones."""
    async with emulator(pace=Seconds(mean=10.0)) as service:
        service.faults.add(Fault(effect=Answer(code="invalid_token"), count=2))
        refused = await run(client(service, "wrong", ELSEWHERE), journal=path)
        bought = await run(client(service), journal=path)

    assert [outcome.result for outcome in refused] == [None, None]
    assert [outcome.error for outcome in bought] == [None, None]


@pytest.mark.asyncio
async def test_a_purchase_that_is_uncertain_belongs_to_its_buyer(path: Path) -> None:
    """The search for it in another account's list would prove that nothing was bought."""
    from veo_async.emulator import Drop

    async with emulator() as service:
        service.faults.add(Fault(effect=Drop(at="accepted"), count=2))
        lost = await run(client(service), journal=path)

        with pytest.raises(JournalError, match="another account"):
            await run(client(service, SECOND), journal=path)

    assert [outcome.state for outcome in lost] == ["uncertain"] * 2
    assert len(service.bill) == 2


@pytest.mark.asyncio
async def test_a_preview_with_any_token_compares_the_address(path: Path) -> None:
    """It needs no token, so it cannot know the account."""
    async with emulator(pace=Seconds(mean=10.0)) as service:
        await run(client(service), journal=path)
        async with client(service, "none") as veo, client(service, "none", ELSEWHERE) as there:
            here = await veo.batch(REQUESTS, journal=path).preview(any_token=True)
            other = await there.batch(REQUESTS, journal=path).preview(any_token=True)

    assert here.error is None
    assert "bought at" in str(other.error)

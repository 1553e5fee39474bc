from __future__ import annotations

from veo_async._base.account import Account


def test_one_token_is_one_account() -> None:
    """Every process derives the same fingerprint from a token, and another one from another."""
    mine, again, other = (Account.of_token(token) for token in ("token-1", "token-1", "token-2"))

    assert (mine, mine.fingerprint) == (again, again.fingerprint)
    assert mine.fingerprint != other.fingerprint
    assert len(mine.fingerprint) == 16


def test_an_account_shows_neither_its_token_nor_its_key() -> None:
    """Whoever reads a log or a file can compute neither of them."""
    account = Account.of_token("token-1")

    assert "token-1" not in repr(account)
    assert account.key.hex() not in repr(account)
    assert account.fingerprint not in account.key.hex()


def test_seals_depend_on_the_message_and_the_account() -> None:
    """A seal proves that its maker knew the token."""
    mine, other = Account.of_token("token-1"), Account.of_token("token-2")

    assert mine.seal(b"one", 8) == mine.seal(b"one", 8)
    assert len({mine.seal(b"one", 8), mine.seal(b"two", 8), other.seal(b"one", 8)}) == 3
    assert len(mine.seal(b"one", 4)) == 4

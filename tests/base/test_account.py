from __future__ import annotations

from veo_async._base.account import account_of


def test_one_token_is_one_account() -> None:
    """Every process derives the same digits from a token, and other ones from another token."""
    mine, other = account_of("token-1"), account_of("token-2")

    assert mine == account_of("token-1") == "6b321bd87a3d532d"
    assert mine != other
    assert "token" not in mine

from __future__ import annotations

import pytest

from veo_async._base.token import Token
from veo_async._wire.arguments import BASE_URL_VARIABLE, TOKEN_VARIABLE, read_token
from veo_async.errors import NoTokenError

SECRET = "s3cr3t-t0ken-value"


@pytest.mark.parametrize("token", [SECRET, f" {SECRET}\n", f"\t{SECRET}\r\n"])
def test_token_is_read_without_the_white_space_around_it(token: str) -> None:
    """Files and shells leave white space around a token; it is none of it."""
    assert read_token(Token(token)).authorization() == f"Bearer {SECRET}"


@pytest.mark.parametrize("token", [None, "", " ", "\n\t", 12345678, b"bytes-are-no-text"])
def test_missing_token_names_the_variable(token: object) -> None:
    """Without a token the error says which variable to set, and that nothing was bought."""
    with pytest.raises(NoTokenError, match=TOKEN_VARIABLE) as caught:
        read_token(Token(token))

    assert caught.value.code == "no_token"
    assert caught.value.status_code is None
    assert "Nothing was bought" in str(caught.value)


@pytest.mark.parametrize("odd", [" ", "\n", "\r\nx-evil: 1", "\x00", "\x7f", "é", "\ud83d", "€"])
def test_token_that_no_header_carries_is_refused_and_not_repeated(odd: str) -> None:
    """A token with characters that no header carries is refused here, since a lower library's
    message would show it."""
    with pytest.raises(NoTokenError, match="cannot be a token") as caught:
        read_token(Token(f"{SECRET}{odd}{SECRET}"))

    shown = f"{caught.value}{caught.value!r}{vars(caught.value)}"
    assert SECRET not in shown
    assert caught.value.__context__ is None


def test_variables_are_those_of_the_public_clients() -> None:
    """The variables are those of the vendor's own clients."""
    assert (TOKEN_VARIABLE, BASE_URL_VARIABLE) == (
        "ACEDATACLOUD_API_TOKEN",
        "ACEDATACLOUD_API_BASE_URL",
    )

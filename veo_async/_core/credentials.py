"""The API token, checked before it is put into a header."""

from __future__ import annotations

from ..errors import NoTokenError

TOKEN_VARIABLE = "ACEDATACLOUD_API_TOKEN"
BASE_URL_VARIABLE = "ACEDATACLOUD_API_BASE_URL"
"""The environment variables that the vendor's public clients read."""

DEFAULT_BASE_URL = "https://api.acedata.cloud"
"""The API guide."""


def read_token(token: object) -> str:
    """The token without surrounding white space, which files and shells leave.

    Raises:
        NoTokenError: there is none, it is no text, or no header could carry it. The message
            never repeats it.
    """
    stripped = token.strip() if isinstance(token, str) else ""
    if not stripped:
        raise NoTokenError(
            f"There is no API token: set the environment variable {TOKEN_VARIABLE}, or pass "
            "VeoClient(api_token=...).",
            code="no_token",
        )
    # What a header cannot carry would come back inside a lower library's error message.
    if not all("!" <= character <= "~" for character in stripped):
        raise NoTokenError(
            "The API token holds white space or characters outside of ASCII, so it cannot be a "
            f"token: look at {TOKEN_VARIABLE} or VeoClient(api_token=...).",
            code="no_token",
        )
    return stripped

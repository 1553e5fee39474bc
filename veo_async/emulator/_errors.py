"""The documented error codes of the service, with their statuses.

Sources: the API guide, "Error Handling"; the vendor's OpenAPI document for the codes that the
guide omits. ``content_refused`` stands for the 403 of moderation, whose code is not documented.
"""

from __future__ import annotations

from collections.abc import Mapping

STATUSES: Mapping[str, int] = {
    "token_mismatched": 400,
    "api_not_implemented": 400,
    "bad_request": 400,
    "no_token": 400,
    "disabled": 400,
    "invalid_token": 401,
    "token_expired": 401,
    "used_up": 403,
    "content_refused": 403,
    "no_api": 404,
    "not_found": 404,
    "too_many_requests": 429,
    "api_error": 500,
}

MESSAGES: Mapping[str, str] = {
    "token_mismatched": "The token is not for this API.",
    "api_not_implemented": "The API is not implemented.",
    "bad_request": "A parameter is missing or invalid.",
    "no_token": "No token was sent.",
    "disabled": "The application is disabled.",
    "invalid_token": "The token is invalid.",
    "token_expired": "The token has expired.",
    "used_up": "The balance is not sufficient.",
    "content_refused": "The content was refused by moderation.",
    "no_api": "There is no such API.",
    "not_found": "The task does not exist.",
    "too_many_requests": "The rate limit is exceeded.",
    "api_error": "fetch failed",
}


class ServiceError(Exception):
    """The service refuses a call; the answer is the documented error body.

    Args:
        code: the error code; an unknown one has the status 500.
        message: the message; by default the usual one of the code.
        headers: additional headers of the answer.
    """

    def __init__(
        self, code: str, message: str | None = None, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = MESSAGES.get(code, code) if message is None else message
        self.status = STATUSES.get(code, 500)
        self.headers = dict(headers or {})

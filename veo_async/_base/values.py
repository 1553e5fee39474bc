"""The base of all values that a caller makes: frozen, closed, refused by errors of our own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from ..errors import InvalidRequestError


class Value(BaseModel):
    """A frozen value that validates on construction, compares by value and prints its fields.

    Raises:
        InvalidRequestError: a field is missing, unknown or impossible; ``field`` names it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    def __init__(self, /, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as exc:
            raise _in_our_words(type(self).__name__, exc) from None

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy, with other values for some fields; these are validated like all others.

        Args:
            update: the new values, by field.
            deep: whether the values are copied too; without ``update`` only.

        Raises:
            InvalidRequestError: a field is unknown or impossible; ``field`` names it.
        """
        if not update:
            return super().model_copy(deep=deep)
        chosen = {name: getattr(self, name) for name in self.model_fields_set}
        return type(self)(**{**chosen, **update})


def _in_our_words(name: str, exc: ValidationError) -> InvalidRequestError:
    first = exc.errors(include_url=False, include_input=False)[0]
    if isinstance(ours := first.get("ctx", {}).get("error"), InvalidRequestError):
        return ours
    field = str(first["loc"][0]) if first["loc"] else name
    problem = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        problem = "there is no such option"
    return InvalidRequestError(f"{name}: {field}: {problem}.", field=field)


def _seconds(value: object) -> object:
    return value.total_seconds() if isinstance(value, timedelta) else value


Seconds = Annotated[float, BeforeValidator(_seconds), Field(ge=0, allow_inf_nan=False)]
"""A time in seconds: a number or a ``timedelta``."""


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(
            "holds half of a surrogate pair, which JSON in UTF-8 cannot carry"
        ) from None
    return text


Text = Annotated[str, AfterValidator(_encodable)]
"""Text that can be sent as UTF-8."""


def _spoken(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text


RequiredText = Annotated[Text, AfterValidator(_spoken)]
"""Text that is not blank."""


def _web_address(url: str) -> str:
    """The API takes addresses, never files (the API guide: ``image_urls`` are links)."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or any(c.isspace() or not c.isprintable() for c in url):
        raise ValueError(
            "must be an http(s) URL: the API takes URLs only, so a local file or data has to be "
            "uploaded to a public address first"
        )
    return url


WebAddress = Annotated[Text, AfterValidator(_web_address)]
"""An http(s) URL that the service can fetch or post to."""


def _jsonable(fields: dict[str, Any]) -> Any:
    """The JSON that will be sent: a copy, so that the caller's later changes do not reach it."""
    try:
        return from_json(json.dumps(fields, allow_nan=False, ensure_ascii=False).encode())
    except (TypeError, ValueError, RecursionError) as exc:
        raise ValueError(f"must be plain JSON: {exc}") from None


JSONFields = Annotated[dict[str, Any], AfterValidator(_jsonable)]
"""A JSON object."""

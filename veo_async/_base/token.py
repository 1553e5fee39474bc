"""The API token: held by one object, which writes it into a request at the last moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NoReturn

from .account import account_of
from .redaction import REPLACEMENT, Redactor


class Token:
    """An API token that nothing shows: no ``repr``, no attribute, no pickle, no traceback.

    It is made before anything can raise, so that no frame of a traceback holds the text. It is
    stripped of the white space around it, which files and shells leave.

    Attributes:
        problem: the reason why it cannot be a token, if there is one.
        authorization: writes the value of the ``Authorization`` header.
        redactor: removes the token from answers and exceptions.
        account: see `account_of`.
    """

    __slots__ = ("account", "authorization", "problem", "redactor")

    def __init__(self, given: object) -> None:
        text = given.strip() if isinstance(given, str) else ""
        self.problem: Literal["missing", "impossible"] | None = None
        # A lower library's error message would repeat a token that no header can contain.
        if not all("!" <= character <= "~" for character in text):
            self.problem, text = "impossible", ""
        elif not text:
            self.problem = "missing"
        # In a closure: a debugger finds it there, and nothing that prints attributes does.
        self.authorization: Callable[[], str] = lambda: f"Bearer {text}"
        self.redactor = Redactor(text)
        self.account = account_of(text)

    def __repr__(self) -> str:
        return f"Token({REPLACEMENT})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("An API token is neither pickled nor copied: make another client.")

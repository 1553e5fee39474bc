"""Results in a notebook: a player or a table, in markup that no text of theirs can become."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Literal

SHOWN = 50
"""Rows of a table that are shown: each may contain a player."""


def text(value: object) -> str:
    """A text, escaped, also if the service sent half of a surrogate pair."""
    return html.escape(str(value).encode(errors="replace").decode())


def player(
    url: str | None, *, width: int = 480, preload: Literal["metadata", "none"] = "metadata"
) -> str | None:
    """A player of a video; ``None`` if its address is not http(s)."""
    if not (url or "").lower().startswith(("https://", "http://")):
        return None
    source = text(url)
    return f'<video controls preload="{preload}" width="{width}" src="{source}"></video>'


def table(names: Sequence[str], rows: Iterable[Sequence[str]], *, count: int) -> str:
    """A table of the first `SHOWN` rows; the cells are markup already.

    Args:
        count: the number of all rows.
    """
    head = "".join(f"<th>{text(name)}</th>" for name in names)
    body = "".join(
        f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>"
        for _, row in zip(range(SHOWN), rows, strict=False)
    )
    more = f"<p>and {count - SHOWN} more</p>" if count > SHOWN else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"

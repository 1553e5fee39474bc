"""Times as people type them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import typer

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_time(text: str, *, now: datetime, option: str) -> datetime:
    """An aware time from ISO 8601 text, or from a duration before `now` such as ``2h``.

    A time without a zone is in the zone of this machine.

    Raises:
        typer.BadParameter: the text is neither.
    """
    try:
        if ago := re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([smhd])", text.strip()):
            return now - timedelta(**{UNITS[ago[2]]: float(ago[1])})
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError, OSError):
        problem = f"{text!r} is neither an ISO 8601 time nor a duration such as 15m, 2h or 3d."
        raise typer.BadParameter(problem, param_hint=option) from None

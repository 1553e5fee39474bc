"""Points in time as people type them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import typer

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_time(text: str, *, now: datetime, option: str) -> datetime:
    """An aware time: ISO 8601 (in this machine's zone unless it names one), or so long ago.

    Raises:
        typer.BadParameter: it is neither.
    """
    try:
        if ago := re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([smhd])", text.strip()):
            return now - timedelta(**{UNITS[ago[2]]: float(ago[1])})
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError, OSError):
        problem = f"{text!r} is neither an ISO 8601 time nor a duration such as 15m, 2h or 3d."
        raise typer.BadParameter(problem, param_hint=option) from None

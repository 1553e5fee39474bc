"""Points in time as people type them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import typer

from veo_async.cli._times import parse_time

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text, then",
    [
        ("90s", NOW - timedelta(seconds=90)),
        ("15m", NOW - timedelta(minutes=15)),
        (" 1.5h ", NOW - timedelta(minutes=90)),
        ("3d", NOW - timedelta(days=3)),
        ("2026-02-28T10:00:00Z", datetime(2026, 2, 28, 10, tzinfo=UTC)),
        ("2026-02-28", datetime(2026, 2, 28).astimezone()),
    ],
)
def test_parse_time(text: str, then: datetime) -> None:
    """A time is ISO 8601, or a duration before now; without a zone it is this machine's."""
    assert parse_time(text, now=NOW, option="--since") == then


@pytest.mark.parametrize("text", ["", "yesterday", "-5m", "999999999d", "0001-01-01", "5m5"])
def test_no_time(text: str) -> None:
    """Anything else is refused with the option's name, numbers beyond all calendars included."""
    with pytest.raises(typer.BadParameter) as caught:
        parse_time(text, now=NOW, option="--since")

    assert caught.value.param_hint == "--since"

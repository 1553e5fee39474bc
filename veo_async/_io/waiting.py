"""Waiting for an event until a deadline, thousands of times a second.

asyncio's own event and timeout, since they serve this at a third of what anyio's cost: a scope of
anyio watches over whole trees of tasks, and here one task waits for one thing.
"""

from __future__ import annotations

import asyncio
from math import inf


async def happens(event: asyncio.Event, *, by: float) -> bool:
    """Whether the event happens by then, in monotonic seconds; returns as soon as it does."""
    try:
        async with asyncio.timeout_at(None if by == inf else by):
            await event.wait()
    except TimeoutError:
        # Python 3.11 shows its tracers (coverage, debuggers) nothing of the frames above until they
        # are resumed once more after a cancellation that was caught down here.
        await asyncio.sleep(0)
    return event.is_set()

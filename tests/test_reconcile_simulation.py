"""Seeded schedules of faults against the whole client: each request is bought once, or told."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import pytest

from tests.support.service import client, emulator, other_tasks, seams
from veo_async import (
    Get1080p,
    RateLimit,
    RetryPolicy,
    SubmissionUncertainError,
    TextToVideo,
    VeoClient,
    VideoRequest,
)
from veo_async.emulator import (
    Answer,
    Drop,
    Emulator,
    Fault,
    Garble,
    Hang,
    Lag,
    Limits,
    Refuse,
    Seconds,
    Slow,
    Torn,
    Wire,
)

pytestmark = pytest.mark.slow

LOSSES: list[Any] = [
    Drop(at="accepted"),
    Drop(at="read"),
    Drop(at="unread", reset=True),
    Answer(at="accepted"),
    Answer(at="read"),
    Answer(at="accepted", status=502, body="<html>"),
    Answer(at="read", status=504, body=""),
    Torn(),
    Garble(),
    Hang(at="accepted"),
    Hang(at="accepted", seconds=40.0),
    Hang(at="read", seconds=20.0),
    Slow(seconds=3.0),
    Refuse(),
    Answer(at="read", code="too_many_requests"),
]
QUESTIONS: list[Any] = [
    Drop(at="read"),
    Answer(at="read"),
    Torn(),
    Garble(),
    Answer(at="read", status=403, body="WAF"),
]


def world(luck: Random, seed: int) -> Emulator:
    """A service with some faults of each kind, and a lag that all its tasks share."""
    lag = luck.choice([0.0, 5.0, 60.0])
    losses = [
        Fault(effect=effect, probability=luck.uniform(0.05, 0.3))
        for effect in luck.sample(LOSSES, 3)
    ]
    questions = [
        Fault(effect=effect, on="tasks", probability=luck.uniform(0.02, 0.15))
        for effect in luck.sample(QUESTIONS, 2)
    ]
    return emulator(
        seed=seed,
        skew=luck.choice([0.0, 7.0, -300.0, 600.0]),
        date_skew=luck.choice([0.0, 0.0, 0.0, 3.0, 90.0, -400.0]),
        pace=Seconds(mean=luck.choice([5.0, 60.0])),
        failure=luck.choice([0.0, 0.1]),
        wire=Wire(
            stored=luck.choice(["as_submitted", "normalised"]),
            unknown=luck.choice(["empty", "not_found", "missing"]),
            spellings=luck.choice(
                [frozenset({"get_1080p"}), frozenset({"get1080p"}), Wire().spellings]
            ),
            honour_async=luck.random() < 0.8,
        ),
        limits=Limits(submits_per_second=luck.choice([None, 2.0])),
        faults=[*losses, *questions, Fault(effect=Lag(seconds=lag))],
    )


def requests_of(luck: Random) -> list[VideoRequest]:
    """Some requests of which some are equal, or equal but for a default."""
    prompts = [f"video {luck.randrange(8)}" for _ in range(luck.randint(8, 24))]
    shapes: list[Any] = [None, None, "16:9", "9:16"]
    return [TextToVideo(prompt=p, aspect_ratio=luck.choice(shapes)) for p in prompts]


def keys_of(outcomes: list[object], veo: VeoClient) -> tuple[list[str], int]:
    """The ids that somebody was told of, and how many submits were told as uncertain."""
    ids, lost = list[str](), 0
    for end in [*outcomes, *veo.unsettled]:
        error = getattr(end, "error", None)
        known = getattr(end, "task_id", None) or getattr(getattr(end, "result", None), "task_id", 0)
        known = known or getattr(error, "task_id", None)
        ids += [known] if known else []
        lost += isinstance(error, SubmissionUncertainError)
    return ids, lost


async def run(seed: int) -> None:
    """One schedule: generate, upscale what succeeded, cancel some; then count."""
    luck = Random(seed)
    service = world(luck, seed)
    policy = RetryPolicy(submit_timeout=120.0)
    limit = RateLimit(in_flight=luck.choice([None, 3, 12]))
    async with service:
        veo = client(
            service.transport(), retry=policy, rate_limit=limit, _seams=seams(seed), timeout=20000
        )
        wanted = requests_of(luck)
        first = await veo.generate_many(wanted)
        videos = [o.result.video.id for o in first if o.result]
        upscales = [Get1080p(video_id=video) for video in videos[:6] if video]
        second = asyncio.create_task(veo.generate_many(upscales * luck.choice([1, 2])))
        await asyncio.wait([second], timeout=luck.choice([None, 3.0, 40.0]))
        second.cancel()
        await asyncio.wait([second])
        after = [] if second.cancelled() else second.result()
        await asyncio.sleep(600.0)
        ids, lost = keys_of([*first, *after], veo)
        await veo.aclose()
        assert not other_tasks() - {t for t in other_tasks() if "emulator" in repr(t.get_coro())}

    bought = [charge.task_id for charge in service.bill]
    assert len(ids) == len(set(ids)), "a task was given to two"
    assert set(ids) <= set(bought)
    assert len(set(bought) - set(ids)) <= lost, "bought and told to nobody"
    prompts = {charge.task_id: charge.request.get("prompt") for charge in service.bill}
    for outcome in first:
        task_id = outcome.result.task_id if outcome.result else None
        assert task_id is None or prompts[task_id] == getattr(outcome.request, "prompt", None)


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", range(60))
async def test_each_request_is_bought_once_or_told(seed: int) -> None:
    """Whatever goes wrong, no more is bought than was told, and no task is told to two."""
    await run(seed)

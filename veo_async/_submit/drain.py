"""The guard: what is under way when the program ends settles, whoever ends it.

The event loop does not know the POSTs' own tasks, so ``asyncio.run``, which cancels all tasks at
its end, does not cut them. It knows one guard, which holds that end up while they settle.
"""

from __future__ import annotations

import asyncio
from math import inf

import anyio

from .._base.signal import Signal
from .._base.worker import Worker
from .post import Post


class InFlightPosts:
    """All POSTs under way.

    Args:
        settle: for how many seconds each may go on once the end has begun.
    """

    def __init__(self, settle: float) -> None:
        self.posts: set[Post] = set()
        self._settle = settle
        self._guard = Worker(self._stay, "veo_async guard")
        self._all_over = Signal()
        self._closed = False

    def begun(self, post: Post) -> None:
        """One more is under way."""
        self.posts.add(post)
        self._guard.ensure()

    def done(self, post: Post) -> None:
        """It is over."""
        self.posts.discard(post)
        if not self.posts:
            self._all_over.set()

    def expedite(self, post: Post) -> None:
        """Its caller was cancelled a second time: the end waits for it no longer."""
        post.is_expedited = True
        if (self._closed or post.cut_at < inf) and post.task:
            post.task.cancel()  # the end has begun already

    async def _stay(self) -> None:
        """Stay as long as there are POSTs; when all tasks are cancelled, until these settle."""
        while self.posts:
            self._all_over.clear()
            cut_at = min(post.cut_at for post in self.posts)
            try:
                if not await self._all_over.wait(until=cut_at):
                    self._cut_late(cut_at)
            except asyncio.CancelledError:
                now = anyio.current_time()
                for post in self.posts:
                    until = now if post.is_expedited else now + self._settle
                    post.cut_at = min(post.cut_at, until)

    def _cut_late(self, now: float) -> None:
        for post in [post for post in self.posts if post.cut_at <= now]:
            post.cut_at = inf
            assert post.task is not None  # it is under way
            post.task.cancel()

    async def aclose(self) -> None:
        """Let open POSTs settle; those that do not are cut."""
        self._closed = True
        tasks = [post.task for post in self.posts if post.task]
        for post in self.posts:
            if post.is_expedited and post.task:
                post.task.cancel()
        if tasks:
            with anyio.move_on_after(self._settle, shield=True):
                await asyncio.wait(tasks)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        await self._guard.join()

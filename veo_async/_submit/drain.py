"""Graceful shutdown: in-flight POSTs may finish although the event loop is being closed.

The event loop does not know the tasks of the POSTs, so ``asyncio.run``, which cancels all tasks at
its end, does not cancel them. It knows one guard task, which delays that end while they finish.
"""

from __future__ import annotations

import asyncio
from math import inf

import anyio

from .._base.signal import Signal
from .._base.worker import Worker
from .post import Post


class InFlightPosts:
    """The POSTs that are open.

    Args:
        grace: seconds for which each may continue once the shutdown has begun.
    """

    def __init__(self, grace: float) -> None:
        self.posts: set[Post] = set()
        self._grace = grace
        self._guard = Worker(self._stay, "veo_async guard")
        self._all_over = Signal()
        self._closed = False

    def begun(self, post: Post) -> None:
        """One more is open."""
        self.posts.add(post)
        self._guard.ensure()

    def done(self, post: Post) -> None:
        """It is over."""
        self.posts.discard(post)
        if not self.posts:
            self._all_over.set()

    def expedite(self, post: Post) -> None:
        """Its caller was cancelled a second time: the shutdown waits for it no longer."""
        post.is_expedited = True
        if (self._closed or post.cancel_at < inf) and post.task:
            post.task.cancel()  # the shutdown has begun already

    async def _stay(self) -> None:
        """Run while POSTs are open. Once all tasks are cancelled, each has its grace."""
        while self.posts:
            self._all_over.clear()
            cancel_at = min(post.cancel_at for post in self.posts)
            try:
                if not await self._all_over.wait(until=cancel_at):
                    self._cancel_late(cancel_at)
            except asyncio.CancelledError:
                now = anyio.current_time()
                for post in self.posts:
                    until = now if post.is_expedited else now + self._grace
                    post.cancel_at = min(post.cancel_at, until)

    def _cancel_late(self, now: float) -> None:
        for post in [post for post in self.posts if post.cancel_at <= now]:
            post.cancel_at = inf
            assert post.task is not None  # it is open
            post.task.cancel()

    async def aclose(self) -> None:
        """Let open POSTs finish for their grace, and cancel those that do not."""
        self._closed = True
        tasks = [post.task for post in self.posts if post.task]
        for post in self.posts:
            if post.is_expedited and post.task:
                post.task.cancel()
        if tasks:
            with anyio.move_on_after(self._grace, shield=True):
                await asyncio.wait(tasks)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        await self._guard.join()

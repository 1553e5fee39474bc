"""Submits whose caller was cancelled before it received the outcome."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from ..models import Unsettled
from .ledger import Ledger
from .post import Post

logger = logging.getLogger("veo_async")


class UnsettledSubmits:
    """POSTs whose caller left. Each may have been billed."""

    def __init__(self) -> None:
        self._posts: list[Post] = []

    @property
    def unsettled(self) -> tuple[Unsettled, ...]:
        """The public form of each."""
        return tuple(post.unsettled() for post in self._posts)

    def resolved(self, task_id: str) -> None:
        """The end of this task was handed over: it is settled."""
        self._posts = [
            post
            for post in self._posts
            if not (task_id and post.tracked and post.tracked.task_id == task_id)
        ]

    def find(self, is_it: Callable[[Ledger], bool]) -> Post | None:
        """The latest POST with this ledger, if it is here."""
        return next((post for post in reversed(self._posts) if is_it(post.ledger)), None)

    def taken_over(self, post: Post) -> None:
        """A later run of its journal resumes this POST, so its end is in that run's outcome. A task
        is settled by its end, as always."""
        if post in self._posts and not post.tracked:
            self._posts.remove(post)

    def caller_left(self, post: Post) -> None:
        """The caller of this POST leaves now."""
        post.abandoned = True
        if post.done.is_set():
            self.finished(post)
        else:
            self._posts.append(post)

    def finished(self, post: Post) -> None:
        """A POST is over whose caller has left: keep its outcome."""
        if post in self._posts:
            self._posts.remove(post)
        self._keep(post)

    def add(self, begun: Iterable[Post]) -> None:
        """Keep the outcomes of POSTs that were handed to nobody."""
        for post in begun:
            self._keep(post)

    @contextmanager
    def tracking(self) -> Iterator[list[Post]]:
        """A list for the POSTs of a caller, which receives their outcomes at the end of the block.
        If it is cancelled before, they are kept."""
        begun: list[Post] = []
        try:
            yield begun
        except Exception:
            raise  # an error says what became of them
        except BaseException:
            self.add(begun)
            raise

    def _keep(self, post: Post) -> None:
        """Keep a POST that may have been billed, and log it."""
        item = post.unsettled()
        if post in self._posts or not (post.tracked or item.error):
            return
        self._posts.append(post)
        if item.task_id:
            logger.warning(
                "the caller of a submit was gone before its end: task %s was accepted and paid "
                "for; wait for it with veo.wait(%r)",
                item.task_id,
                item.task_id,
            )
        else:
            logger.warning(
                "the caller of a submit was gone before its end; veo.unsettled shows it: %s",
                item.error or "the video is there",
            )

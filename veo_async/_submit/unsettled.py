"""The submits whose callers were gone before they were told what came of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from ..models import Unsettled
from .ledger import Ledger
from .post import Post

logger = logging.getLogger("veo_async")


class UnsettledSubmits:
    """What nobody else remembers: each may have been paid for."""

    def __init__(self) -> None:
        self._posts: list[Post] = []

    @property
    def unsettled(self) -> tuple[Unsettled, ...]:
        """What is known of each."""
        return tuple(post.unsettled() for post in self._posts)

    def resolved(self, task_id: str) -> None:
        """Somebody knows the end of this task now."""
        self._posts = [
            post
            for post in self._posts
            if not (task_id and post.tracked and post.tracked.task_id == task_id)
        ]

    def find(self, is_it: Callable[[Ledger | None], bool], *, since: float) -> Post | None:
        """The POST with this ledger, sent since then (in Unix seconds), if it is here."""
        sent = (post for post in self._posts if post.sent_at >= since)
        return next((post for post in sent if is_it(post.ledger)), None)

    def caller_left(self, post: Post) -> None:
        """The caller of this one goes now."""
        post.abandoned = True
        if post.done.is_set():
            self.finished(post)
        else:
            self._posts.append(post)

    def finished(self, post: Post) -> None:
        """A POST is over whose caller is gone: nobody else keeps what came of it."""
        if post in self._posts:
            self._posts.remove(post)
        self._keep(post)

    def add(self, begun: Iterable[Post]) -> None:
        """Nobody was told what came of these."""
        for post in begun:
            self._keep(post)

    @contextmanager
    def tracking(self) -> Iterator[list[Post]]:
        """For a caller that is told of its submits at the end of the block: if it is cancelled
        before, they are kept."""
        begun: list[Post] = []
        try:
            yield begun
        except Exception:
            raise  # an error tells
        except BaseException:
            self.add(begun)
            raise

    def _keep(self, post: Post) -> None:
        """Keep and say what became of a POST that may have been paid for."""
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

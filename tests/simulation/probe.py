"""What a client concludes about each POST: read at its own joints, nothing is changed."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

from veo_async import VeoClient
from veo_async._reconcile.decision import Absent, Adopt
from veo_async._submit.post import Post
from veo_async._submit.verdict import Accepted, NotSent, Refused, Uncertain

from .world import Plug, Sent

VERDICTS: dict[Any, str] = {
    Accepted: "accepted",
    NotSent: "not sent",
    Refused: "refused",
    Uncertain: "uncertain",
}


class Probe:
    """Watches one client. The tasks of its POSTs, which the event loop does not list, are added to
    ``posts``."""

    def __init__(
        self, veo: VeoClient, plug: Plug, posts: list[asyncio.Task[Any]] | None = None
    ) -> None:
        self._plug = plug
        # By the identity of what was chosen, which stays with a POST while it is looked for.
        self._lost: dict[int, tuple[Any, Sent]] = {}
        self._posts = [] if posts is None else posts
        sender, reconciler = veo._sender, veo._reconciler
        self._begin = sender.begin
        self._conclude = sender._conclude
        self._resolve = reconciler.resolve
        veo._callback_router._rng = Random(f"tokens of {plug.process}")
        joints: list[tuple[Any, str, Any]] = [
            (sender, "begin", self._began),
            (sender, "_conclude", self._concluded),
            (reconciler, "resolve", self._resolved),
        ]
        for part, name, watched in joints:
            setattr(part, name, watched)

    def _began(self, *args: Any, **options: Any) -> Post:
        post = self._begin(*args, **options)
        slot = getattr(post.ledger, "name", None)
        slot = slot[1:] if slot and slot[0] else None
        self._plug.begun[post.task] = slot, post.chosen, post.sent_at
        if post.task:
            self._posts.append(post.task)
        return post

    def _concluded(self, post: Post, task: asyncio.Task[None]) -> None:
        self._conclude(post, task)
        sent = self._plug.sent.get(task)
        if sent and not self._plug.out:
            self._judge(sent, VERDICTS[type(post.verdict)])
            self._lost[id(post.chosen)] = post.chosen, sent

    async def _resolved(self, lost: Any, *, adopted: Any, **options: Any) -> Any:
        _, sent = self._lost.get(id(lost.chosen), (None, None))

        def noted(task_id: str) -> None:
            if sent and not self._plug.out:
                sent.given = task_id
                self._judge(sent, "adopted")  # in the step in which it is given away
            adopted(task_id)

        decision = await self._resolve(lost, adopted=noted, **options)
        if sent and not self._plug.out:
            self._judge(sent, _word(decision))
            sent.reason = getattr(decision, "reason", "")
            self._plug.hear("conclusion")
        return decision

    def watch_items(self, runner: Any, last_of: dict[tuple[str, str], Sent]) -> None:
        """Watch how a batch finds out about the POSTs of earlier processes."""
        reconcile = runner._deps.submitter.reconcile

        async def reconciled(lost: Any, follow: Any, *, ledger: Any, **options: Any) -> Any:
            if sent := last_of.get(getattr(ledger, "name", ("", "", ""))[1:]):
                self._lost.setdefault(id(lost.chosen), (lost.chosen, sent))
            return await reconcile(lost, follow, ledger=ledger, **options)

        runner._deps.submitter.reconcile = reconciled

    def _judge(self, sent: Sent, verdict: str) -> None:
        sent.verdict, sent.judged = verdict, asyncio.get_running_loop().time()


def _word(decision: Any) -> str:
    if isinstance(decision, Adopt):
        return "adopted"
    return "absent" if isinstance(decision, Absent) else "cannot tell"

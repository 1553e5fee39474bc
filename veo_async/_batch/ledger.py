"""The ledger of a batch: each POST is allowed, recorded as an intent, and its end noted.

The intent is durable before the POST. The end is noted in the very step in which it becomes known,
whether or not its item still waits for it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from copy import copy

from .._journal.events import Accepted, Event, Intended, Uncertain, Withdrawn
from .._journal.journal import Journal
from .._submit import verdict as submit_verdict
from ..errors import JournalError
from ..models import VideoRequest
from . import spending, stages
from .spending import SpendingGate

logger = logging.getLogger("veo_async")


class StageLedger:
    """What one stage of one item buys.

    Args:
        offset: by how many seconds the service's clock runs ahead, if that is known.
        is_lost: whether an earlier run may have sent it.

    Attributes:
        key: the item.
        finished: whether the result is recorded already.
    """

    def __init__(
        self,
        till: SpendingGate,
        journal: Journal | None,
        key: str,
        stage: str,
        *,
        offset: Callable[[], float | None],
        is_lost: bool,
    ) -> None:
        self._till = till
        self._journal = journal
        self.key = key
        self._stage = stage
        self._offset = offset
        self._is_lost = is_lost
        self._from_earlier = is_lost
        self._action = ""
        self._respelled = False
        self.finished = False

    def is_of(self, other: object) -> bool:
        """Whether another ledger is of the same stage of the same item, in the same file."""
        return isinstance(other, StageLedger) and self.mark == other.mark

    @property
    def mark(self) -> tuple[str, str, str]:
        """The journal, the item and the stage."""
        path = str(self._journal.path) if self._journal else ""
        return path, self.key, self._stage

    @property
    def is_durable(self) -> bool:
        """Whether there is a journal."""
        return self._journal is not None

    async def before_post(
        self,
        request: VideoRequest,
        action: str,
        wall_clock: Callable[[], float],
        callback_url: str | None,
    ) -> None:
        """Allow it, and record the intent."""
        await self._till.enter()
        # Not before, since that may take minutes, and a lost submit is looked for around this time.
        sent_at = wall_clock()
        self._action = action
        if self._is_lost:  # it is sent again at the user's risk
            self._withdraw()
        event = Intended(
            self.key, self._stage, request, sent_at, self._offset(), action, callback_url
        )
        try:
            if self._journal:
                await self._journal.record(event)
        except BaseException as exc:
            self._till.leave(billed=False)
            if not isinstance(exc, JournalError):
                self._withdraw()
            raise

    def check(self) -> None:
        """Nothing is sent after an error of the account, or if it could not be recorded."""
        if self._till.trouble:
            raise copy(self._till.trouble)
        if self._journal:
            self._journal.check(self.key)

    def not_posted(self) -> None:
        """The intent came to nothing."""
        self._till.leave(billed=False)
        self._withdraw()

    def after_post(
        self, verdict: submit_verdict.Verdict, ended_at: float, *, at_once: bool
    ) -> None:
        """Note what the POST came to."""
        other = stages.may_respell(verdict, self._action) and not self._respelled
        self._respelled = self._respelled or other
        self._is_lost = isinstance(verdict, submit_verdict.Uncertain)
        self._from_earlier = False
        self.finished = isinstance(verdict, submit_verdict.Accepted) and bool(
            verdict.status.generation
        )
        self._note(
            stages.event_of(
                self.key,
                self._stage,
                verdict,
                ended_at=ended_at,
                other_spelling=other,
                at_once=at_once,
            )
        )
        if isinstance(verdict, submit_verdict.Refused):
            self._till.notice(verdict.error)
        self._till.leave(billed=spending.may_be_billed(verdict))

    def is_in(self, journal: Journal) -> bool:
        """Whether this journal is what it is told to."""
        return self._journal is journal

    def left_open(self, until: float) -> None:
        """The POST goes on after the end of the batch."""
        self._note(Uncertain(self.key, self._stage, until))

    def adopted(self, task_id: str) -> None:
        """The lost submit was found."""
        self._is_lost = False
        self._note(Accepted(self.key, self._stage, task_id))

    def absent(self) -> None:
        """The lost submit bought nothing. One of an earlier run was not counted in this one."""
        if not self._from_earlier:
            self._till.give_back()
        self._withdraw()

    def _withdraw(self) -> None:
        self._is_lost = self._from_earlier = False
        self._note(Withdrawn(self.key, self._stage))

    def _note(self, event: Event) -> None:
        """This is called where nothing may be raised: what was bought must go its way."""
        try:
            if self._journal:
                self._journal.note(event)
        except JournalError as exc:
            logger.warning("not recorded: %s of %r: %s", event.name, event.key, exc)

"""The ledger of a batch: each POST is allowed, recorded as an intent, and its end noted.

The intent is durable before the POST. The end is noted in the very step in which it becomes known,
whether or not its item still waits for it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from copy import copy

import anyio

from .._core import batch as law
from .._core import submit
from .._core.journal_events import Accepted, Event, Intended, Uncertain, Withdrawn
from ..errors import AccountError, JournalError
from ..models import VideoRequest
from .journal import Journal

logger = logging.getLogger("veo_async")


class Till:
    """What all items of one batch spend together.

    Attributes:
        trouble: an error of the account, after which nothing more is sent.
    """

    def __init__(self, limit: int | None) -> None:
        self._allowance = law.Allowance(limit)
        self._changed = anyio.Event()
        self.trouble: AccountError | None = None

    async def enter(self) -> None:
        """Wait until one more POST may be sent, and count it.

        Raises:
            VeoError: none may be sent any more.
        """
        while True:
            if self.trouble:
                raise copy(self.trouble)
            verdict = self._allowance.verdict
            if verdict == "stop":
                raise self._allowance.error()
            if verdict == "go":
                self._allowance = self._allowance.begun()
                return
            await self._changed.wait()

    def leave(self, *, billed: bool) -> None:
        """A POST is over."""
        self._change(self._allowance.ended(billed=billed))

    def give_back(self) -> None:
        """A POST that may have been billed was not."""
        self._change(self._allowance.given_back())

    def notice(self, error: BaseException) -> None:
        """Stop sending, if this is an error of the account."""
        self.trouble = self.trouble or law.account_trouble(error)
        self._change(self._allowance)

    def _change(self, allowance: law.Allowance) -> None:
        self._allowance = allowance
        changed, self._changed = self._changed, anyio.Event()
        changed.set()


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
        till: Till,
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
        wall: Callable[[], float],
        callback_url: str | None,
    ) -> None:
        """Allow it, and record the intent."""
        await self._till.enter()
        # Not before, since that may take minutes, and a lost submit is looked for around this time.
        sent_at = wall()
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

    def after_post(self, verdict: submit.Verdict, ended_at: float, *, at_once: bool) -> None:
        """Note what the POST came to."""
        other = law.may_respell(verdict, self._action) and not self._respelled
        self._respelled = self._respelled or other
        self._is_lost = isinstance(verdict, submit.Uncertain)
        self._from_earlier = False
        self.finished = isinstance(verdict, submit.Accepted) and bool(verdict.standing.generation)
        self._note(
            law.event_of(
                self.key,
                self._stage,
                verdict,
                ended_at=ended_at,
                other_spelling=other,
                at_once=at_once,
            )
        )
        if isinstance(verdict, submit.Refused):
            self._till.notice(verdict.error)
        self._till.leave(billed=law.may_be_billed(verdict))

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

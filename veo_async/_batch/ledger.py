"""The ledger of a batch: allows each POST, records its intent, and notes its outcome.

The intent is durable before the POST is sent. The outcome is noted in the same step in which it
becomes known, even if the item no longer waits for it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from copy import copy
from functools import partial

from .._journal.events import (
    Accepted,
    Intended,
    Refused,
    StageEvent,
    Succeeded,
    Uncertain,
    Withdrawn,
)
from .._journal.journal import Journal
from .._reconcile.decision import Absent, Adopt
from .._reconcile.window import EARLY
from .._submit.retry import Step
from .._submit.verdict import Verdict
from ..errors import JournalError
from ..models import VideoRequest
from .spending import SpendingGate
from .stages import event_of
from .unrecorded import LedgerName, Unrecorded

logger = logging.getLogger("veo_async")


class StageLedger:
    """The ledger of one stage of one item.

    Args:
        gate: lets a POST pass, and counts it.
        journal: the batch's journal, if there is one.
        key, stage: the item and its stage.
        wall_clock: Unix time in seconds.
        offset: the lead of the service's clock in seconds, if it is known.
        lost_since: when an earlier run may have sent it, in Unix seconds; ``None`` if it did not.
        unrecorded: keeps what the journal does not take.

    Attributes:
        finished: whether the result is already recorded.
    """

    def __init__(
        self,
        gate: SpendingGate,
        journal: Journal | None,
        key: str,
        stage: str,
        *,
        wall_clock: Callable[[], float],
        offset: Callable[[], float | None],
        lost_since: float | None,
        unrecorded: dict[LedgerName, Unrecorded],
    ) -> None:
        self._gate = gate
        self._journal = journal
        self._key = key
        self._stage = stage
        self._wall_clock = wall_clock
        self._offset = offset
        # When the first POST was sent that may have been billed and was not found.
        self._lost_since = lost_since
        self._unrecorded = unrecorded
        self._sent_at = lost_since
        self._is_billed = False
        self._announced_at: float | None = None
        self.finished = False
        self._left_until: float | None = None

    @property
    def key(self) -> str:
        """The item."""
        return self._key

    @property
    def is_durable(self) -> bool:
        """True if there is a journal."""
        return self._journal is not None

    @property
    def is_unproven(self) -> bool:
        """Whether a POST may have been billed that was not found."""
        return self._lost_since is not None

    @property
    def name(self) -> LedgerName:
        """The journal, the item and the stage."""
        return ledger_name(self._journal, self._key, self._stage)

    @property
    def intent(self) -> tuple[tuple[str, str], float | None]:
        """The item, the stage, and when its POST was sent; whatever the journal is called."""
        return (self._key, self._stage), self._sent_at

    async def announce(
        self, request: VideoRequest, action: str, callback_url: str | None, *, is_held: bool
    ) -> None:
        """Wait until the POST is allowed, and record its intent; again if the intent is too old.

        Raises:
            VeoError: it may not be sent, perhaps because another one failed.
        """
        if self._announced_at is not None:
            try:
                self._check()
            except BaseException:
                self.cancel()
                raise
            if self._wall_clock() - self._announced_at <= EARLY:
                return
            self.cancel()
        await self._gate.enter(self)
        # Read after the wait, which may take minutes: a lost submit is looked for around this time.
        sent_at = self._wall_clock()
        if self._lost_since is not None:  # it is sent again at the user's risk
            self._note(Withdrawn(self._key, self._stage))
            sent_at = min(sent_at, self._lost_since)  # both are looked for, if it comes to that
        self._sent_at = sent_at
        event = Intended(
            self._key,
            self._stage,
            request,
            sent_at,
            self._offset(),
            action,
            callback_url,
            is_held,
        )
        try:
            if self._journal:
                await self._journal.record(event)
        except BaseException as exc:
            self._gate.leave(self)
            if not isinstance(exc, JournalError):
                self._withdraw()
            raise
        self._announced_at = self._wall_clock()

    def _check(self) -> None:
        """Nothing is sent after an error of the account or of the journal."""
        if self._gate.account_error:
            raise copy(self._gate.account_error)
        if self._journal:
            self._journal.check(self._key)

    def cancel(self) -> None:
        """The announced POST is not sent. Without one this does nothing."""
        if self._announced_at is not None:
            self._announced_at = None
            self._gate.leave(self)
            self._withdraw()

    def concluded(
        self, verdict: Verdict, step: Step | None, *, ended_at: float, at_once: bool
    ) -> None:
        """Note the outcome of the POST."""
        sent_at, self._announced_at = self._announced_at, None
        event = event_of(self._key, self._stage, verdict, step, ended_at=ended_at, at_once=at_once)
        if isinstance(event, Uncertain):
            self._lost_since = sent_at if self._lost_since is None else self._lost_since
        elif isinstance(event, Withdrawn | Refused) and self._lost_since is not None:
            event = Uncertain(self._key, self._stage, ended_at)  # an earlier POST is not proven
        else:
            self._lost_since = None
        self.finished = isinstance(event, Succeeded)
        self._note(event)
        self._is_billed = self._gate.conclude(self, verdict)

    def reconciled(self, conclusion: Adopt | Absent) -> None:
        """Note the outcome of a lost submit. One of an earlier run was not counted in this one."""
        self._lost_since = None
        if isinstance(conclusion, Adopt):
            self._note(Accepted(self._key, self._stage, conclusion.task_id))
            return
        if self._is_billed:
            self._gate.give_back()
        self._is_billed = False
        self._withdraw()

    def left_open(self, submit_timeout: float) -> None:
        """The batch ends while the POST is open: note how long its answer may still come."""
        assert self._announced_at is not None  # it passed the gate and has not ended
        self._left_until = self._announced_at + EARLY + submit_timeout
        self._note(Uncertain(self._key, self._stage, self._left_until))

    def _withdraw(self) -> None:
        """Nothing was sent, or it bought nothing; an earlier POST may still have been billed."""
        if self._lost_since is None:
            self._note(Withdrawn(self._key, self._stage))
        else:
            self._note(Uncertain(self._key, self._stage, self._wall_clock()))

    def _note(self, event: StageEvent) -> None:
        """Note an event. This raises nothing: the caller must get the task that was bought."""
        keep = partial(self._keep, event)
        try:
            if self._journal:
                self._journal.note(event, failed=keep)
        except JournalError as exc:
            logger.warning("not recorded: %s of %r: %s", event.name, event.key, exc)
            keep()

    def _keep(self, event: StageEvent) -> None:
        self._unrecorded[self.name] = Unrecorded(event, self._sent_at, self._left_until)


def ledger_name(journal: Journal | None, key: str, stage: str) -> LedgerName:
    """The name of a ledger, the same in all runs of a journal."""
    return str(journal.path) if journal else "", key, stage

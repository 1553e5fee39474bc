"""The logic of one emulated service, from its parts."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from random import Random
from typing import Any

from ._auth_and_limits import Admission
from ._callbacks import Courier
from ._clock import Clock
from ._durations import Pace
from ._effects import Early, Ending, Fail, Hide, Lag, Provisional, Unreadable
from ._errors import ServiceError
from ._faults import Faults
from ._files import Files
from ._ledger import Ledger
from ._options import USER, Account, Limits, Wire
from ._responses import Responses, type_of, unreadable
from ._state import Backend, Task
from ._validation import check, number, page_of, required, texts


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of the API.

    Attributes:
        user_id: the user that the token belongs to.
        host: the host, with its port, to which the call was sent.
    """

    user_id: str
    host: str

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Caller:
        """The caller by the headers of a call. Each token belongs to a user of its own."""
        _, _, token = headers.get("authorization", "").partition(" ")
        user_id = uuid.uuid5(uuid.UUID(USER), token.strip())
        return cls(str(user_id), headers.get("host", ""))


class Service:
    """Carries out the calls that the routes have read. It holds no connection."""

    def __init__(
        self,
        *,
        seed: int | str,
        pace: Pace,
        wire: Wire,
        account: Account,
        limits: Limits,
        clock: Clock,
        faults: Faults,
        courier: Courier,
        files: Files,
        skew: float = 0.0,
        date_skew: float = 0.0,
    ) -> None:
        self._seed, self._pace, self._account = seed, pace, account
        self._date_skew = skew + date_skew
        self.clock, self.faults = clock, faults
        self.courier, self.files = courier, files
        self.responses = Responses(wire, clock, skew)
        self.skew = skew
        self.counters: Counter[str | int] = Counter()
        self._ledger: Ledger | None = None
        self.page_rng = Random(f"{seed}/pages")
        self.limit(limits)
        self.reset()

    def reset(self) -> None:
        """Remove all tasks, the bill, the counters and the files; the ids start again."""
        if self._ledger:
            self._ledger.clear()
        self._begin(self._seed)

    @property
    def wire(self) -> Wire:
        """The behaviour of the deployment."""
        return self.responses.wire

    @wire.setter
    def wire(self, wire: Wire) -> None:
        self.responses.wire = self.backend.wire = wire

    def resume(self, ledger: Ledger) -> None:
        """Take over the tasks of a ledger, and write further ones to it."""
        tasks = list(ledger.tasks())
        self._begin(f"{self._seed}/{len(tasks)}")  # another seed, since no id may come twice
        for task in tasks:
            self.backend.keep(task)
        self.clock.reach(max((task.accepted_at for task in tasks), default=0.0))
        self._ledger = ledger

    def _begin(self, seed: int | str) -> None:
        self.backend = Backend(
            seed=seed, pace=self._pace, wire=self.wire, failure=self._account.failure
        )
        self.limit(self.limits)
        self.counters.clear()
        self.courier.reset()
        self.files.reset()

    def limit(self, limits: Limits) -> None:
        """Set new limits. Earlier calls do not count towards their rates."""
        self.limits = limits
        rng = Random(f"{self._seed}/limits")
        self.admission = Admission(self._account, limits, self.clock, rng)

    def date(self) -> str:
        """The ``Date`` header of an answer that is sent now."""
        return formatdate(self.clock.now() + self._date_skew, usegmt=True)

    def http_date(self, moment: float) -> str:
        """A time of a task as an HTTP date."""
        return formatdate(moment + self.skew, usegmt=True)

    def submit(self, body: Any, caller: Caller, effects: tuple[Any, ...] = ()) -> Task:
        """Accept a submit in one synchronous step: afterwards it is on the bill.

        Args:
            body: the JSON document of the call.
            caller: the caller of the service.
            effects: the effects of faults on it.

        Raises:
            ServiceError: the submit is refused, and nothing is on the bill.
        """
        check(body, self.wire, caller.host)
        now = self.clock.now()
        self.admission.check_submit(
            body, len(self.backend.bill), lambda: self.backend.in_flight(now)
        )
        task = self.backend.accept(body, now, caller.user_id)
        for effect in effects:
            apply(task, effect)
        if self._ledger:
            self._ledger.write(task)
        return task

    def retrieve(self, query: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a query for one task.

        Raises:
            ServiceError: the query has neither an id nor a trace id; or the task is unknown, and
                the deployment answers that with 404.
        """
        by = "id" if query.get("id") is not None else "trace_id"
        if query.get(by) is None:
            raise required("id")
        return self._record(query[by], by)

    def _record(self, key: object, by: str) -> dict[str, Any]:
        now = self.clock.now()
        task = self.backend.find(key, now, by=by)
        if task is not None:
            by_number = key in {task.number, str(task.number)}
            return self.responses.record(task, now) | ({"id": task.number} if by_number else {})
        if self.wire.unknown == "not_found":
            raise ServiceError("not_found")
        return {}

    def retrieve_batch(self, query: Mapping[str, Any], user_id: str) -> dict[str, Any]:
        """Answer a query for a page of records: of the named tasks, or the newest ones.

        Args:
            query: the JSON document of the call.
            user_id: the user that asks.

        Raises:
            ServiceError: a parameter is invalid; or an id is unknown, and the deployment answers
                that with 404.
        """
        limit, offset = page_of(query)
        for field, by in (("ids", "id"), ("trace_ids", "trace_id")):
            if query.get(field) is not None:
                keys = texts(query, field)
                records = [self._record(key, by) for key in keys[offset : offset + limit]]
                missing = self.wire.unknown == "missing"
                items = [record for record in records if record or not missing]
                return self._page(items, len(keys) - (len(records) - len(items)))
        return self._listing(query, user_id, limit, offset)

    def _listing(
        self, query: Mapping[str, Any], user_id: str, limit: int, offset: int
    ) -> dict[str, Any]:
        now = self.clock.now()
        since = number(query, "created_at_min", float("-inf")) - self.skew
        until = number(query, "created_at_max", float("inf")) - self.skew
        tasks = [
            task
            for task in self.backend.listing(now, since, until)
            if query.get("type") in (None, type_of(task))
            and is_listed(task, query.get("user_id"), user_id, self.wire.listed)
        ]
        shown = tasks[offset : offset + min(limit, self.wire.page)]
        items = [self._entry(task, now) for task in shown]
        return self._page(items, len(tasks))

    def _entry(self, task: Task, now: float) -> Any:
        record = self.responses.record(task, now)
        return unreadable(record, task.unreadable) if task.unreadable else record

    def _page(self, items: list[Any], total: int) -> dict[str, Any]:
        return {"items": items, "count": len(items) if self.wire.count == "page" else total}


def is_listed(task: Task, asked: object, user_id: str, listed: str) -> bool:
    """True if a list contains a task.

    Args:
        task: the task.
        asked: the ``user_id`` of the query; ``None`` if it has none.
        user_id: the user that asks.
        listed: the behaviour of the deployment (see `Wire`).
    """
    if listed == "always_empty":
        return False
    if asked is not None:
        return task.user_id == asked
    match listed:
        case "own":
            return task.user_id == user_id
        case "others":
            return task.user_id != user_id
        case _:
            return listed == "all"


def apply(task: Task, effect: Any) -> None:
    """Apply an effect to a task that was just accepted, if it is an effect on tasks."""
    match effect:
        case Fail():
            task.failure = ServiceError(effect.code, effect.message)
        case Provisional():
            task.provisional = effect
        case Ending():
            task.ending = effect
        case Unreadable():
            task.unreadable = effect
        case Hide():
            task.known_from = task.listed_from = task.accepted_at + effect.seconds
        case Lag():
            task.listed_from = task.accepted_at + effect.seconds
        case Early():
            task.finish(task.accepted_at)

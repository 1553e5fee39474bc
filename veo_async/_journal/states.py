"""The journal's states: the evidence about each item, and the next step of a later run.

An item is a request with its key. It passes through stages, each with a row of its own:
``generate``, then perhaps ``upscale``, and perhaps ``download:...`` for each file. The law:

- an intent is recorded before its POST, so a row that stays ``intended`` may have been bought;
- the row of a purchase, certain or possible, changes only by evidence: the events of `events`;
- an end is final, but that a task failed only as long as the service says so. `Retried` opens a new
  attempt beside a failed one, whose task id stays known, so that it is never taken for the id of a
  lost submit.

=============  =================================================  ==========================
state          evidence                                           next step of a later run
=============  =================================================  ==========================
(no row)       nothing was sent                                   ``start``
``intended``   a POST was about to be sent                        ``reconcile``
``uncertain``  a POST was sent, and its answer proves nothing     ``reconcile``
``withdrawn``  that POST bought nothing, and may be sent again    ``start``
``accepted``   the service has the task                           ``wait``
``succeeded``  the result is known                                nothing: ``finished``
``saved``      the file is on the disk                            nothing: ``finished``
``refused``    the service refused the request                    nothing: ``failed``
``failed``     the task failed, or the file is not available      nothing: ``failed``
=============  =================================================  ==========================
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..errors import JournalError
from . import serialization
from .events import Accepted, Failed, Intended, Refused, Saved, StageEvent, Succeeded, Uncertain
from .rows import Row

TRANSITIONS: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "submit": {
        "new": {"intended": "intended"},
        "intended": {
            "accepted": "accepted",
            "withdrawn": "withdrawn",
            "refused": "refused",
            "uncertain": "uncertain",
            "succeeded": "succeeded",  # a synchronous answer may contain the result and no task id
        },
        # The answer may come after its caller gave it up, and the listing may prove it.
        "uncertain": {
            "accepted": "accepted",
            "withdrawn": "withdrawn",
            "refused": "refused",
            "uncertain": "uncertain",
            "succeeded": "succeeded",
        },
        "withdrawn": {"intended": "intended"},
        "accepted": {"succeeded": "succeeded", "failed": "failed"},
        "succeeded": {},
        "refused": {"retried": "withdrawn"},
        # The service may say later that the task goes on, or that it succeeded.
        "failed": {"accepted": "accepted", "succeeded": "succeeded", "retried": "withdrawn"},
    },
    "download": {
        "new": {"saved": "saved", "failed": "failed"},
        "withdrawn": {"saved": "saved", "failed": "failed"},
        "saved": {"saved": "saved", "failed": "failed"},  # somebody removed the file
        "failed": {"retried": "withdrawn"},
    },
}
"""``{kind of stage: {state: {event: next}}}``. A missing key is an illegal event."""

_KINDS: Mapping[str, str] = {"generate": "submit", "upscale": "submit", "download": "download"}


def download_stage(of: str, number: int) -> str:
    """The name of the stage that saves one file of another stage's result."""
    return f"download:{of}:{number}"


def is_storable(key: str) -> bool:
    """Whether the key is text in Unicode."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True


def checked_key(key: str) -> str:
    """The key, if it can be stored.

    Raises:
        JournalError: it is no text in Unicode.
    """
    if not is_storable(key):
        problem = f"The key {key!r} holds half of a surrogate pair, so it cannot be stored."
        raise JournalError(problem, key=key)
    return key


def advance(row: Row | None, event: StageEvent, *, at: float) -> Row:
    """The row after an event, recorded ``at`` (Unix seconds); ``row`` is the last attempt.

    Raises:
        JournalError: the event is illegal in that state, or has another request.
    """
    if row is None:
        row = Row(event.key, event.stage, 1, "new", at)
    state = _next(row, event.name)
    sent_at, request_json = row.sent_at, row.request_json
    if isinstance(event, Intended):
        row.check(event.request)
        sent_at, request_json = event.sent_at, serialization.dump_request(event.request)
    facts, outcome = _facts(row, event, at), _outcome(event)
    place = (row.key, row.stage, row.attempt)
    return Row(*place, state, at, sent_at, request_json, facts, outcome)


def retry(rows: Iterable[Row], key: str, *, at: float) -> list[Row]:
    """The new attempts after `Retried`; ``rows`` are the last attempts at each stage.

    Raises:
        JournalError: there is nothing to try again.
    """
    again = [
        Row(key, row.stage, row.attempt + 1, "withdrawn", at, request_json=row.request_json)
        for row in rows
        if "retried" in TRANSITIONS[_kind(row)][row.state]
    ]
    if not again:
        raise JournalError(f"Nothing of the item {key!r} was refused or failed.", key=key)
    return again


def _kind(row: Row) -> str:
    kind = _KINDS.get(row.stage.partition(":")[0])
    if kind is None:
        raise JournalError(f"There is no stage {row.stage!r}.", key=row.key)
    return kind


def _next(row: Row, event: str) -> str:
    state = TRANSITIONS[_kind(row)][row.state].get(event)
    if state is None:
        what = f"stage {row.stage} of the item {row.key!r}"
        raise JournalError(f"{event!r} is no legal event for {row.state!r} ({what}).", key=row.key)
    return state


def _facts(row: Row, event: StageEvent, at: float) -> str:
    """The known facts about the POST after the event. A new intent starts without any."""
    known = {} if isinstance(event, Intended) else row.facts
    match event:
        case Intended():
            known["offset"], known["action"] = event.offset, event.action
            known["callback_url"], known["held"] = event.callback_url, event.is_held or None
        case Accepted():
            # The end of the POST: that of an adopted one was recorded when its answer was lost.
            known = {"ended_at": at} | known | {"task_id": event.task_id}
            known["at_once"] = event.at_once or None
        case Uncertain():
            known["ended_at"] = event.ended_at
            known["trace_id"] = event.trace_id or known.get("trace_id")
        case Succeeded():
            known = {"ended_at": at, "task_id": event.generation.task_id} | known
        case _:
            return row.facts_json
    return serialization.dumps({name: value for name, value in known.items() if value is not None})


def _outcome(event: StageEvent) -> str | None:
    match event:
        case Succeeded():
            return serialization.dump_generation(event.generation)
        case Refused() | Failed():
            return serialization.dump_error(event.error)
        case Saved():
            return serialization.dumps({"path": event.path, "bytes": event.bytes})
        case _:
            return None

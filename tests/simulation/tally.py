"""How often what happened to a POST: counts by fault, verdict and state of its row at a resume.

A POST counts for the fault that struck it and for each condition of its world. A cell must not be
empty, unless one of `LAWS` says why it is impossible; then it must be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import product

from . import faults
from .scenario import CONDITIONS, UNUSUAL, Scenario
from .world import Sent

Cell = tuple[str, str, str]
"""The fault or condition, the verdict, the state."""

VERDICTS = (
    "accepted",
    "not sent",
    "refused",
    "adopted",
    "absent",
    "cannot tell",
    "uncertain",
    "exchanged",
)
"""What the client concluded in the end. ``uncertain``: its caller was gone, so nobody looked for
it. ``exchanged``: it was given the task of an equal request, or its own was given to one."""

STATES = (
    "no journal",
    "not resumed",
    "intended",
    "uncertain",
    "withdrawn",
    "accepted",
    "succeeded",
    "failed",
    "refused",
)
"""How its row stood when the next process opened the journal. ``not resumed``: another POST
followed on it, or none was needed."""

OWN = ("nothing", "refused mark", *faults.SUBMIT)
ROWS = (*OWN, *CONDITIONS)
LOOKED_UP = frozenset({"adopted", "absent", "cannot tell"})
FEW = frozenset(UNUSUAL) | {"unreadable", "refused mark"}
"""What few worlds have."""

REFUSED = faults.REFUSED | {"refused mark"}
UNBILLED = faults.UNBILLED | {"refused mark"}
UNPROVEN = frozenset({"failed", "refused mark", "other end"})
"""What may be answered with what proves nothing: where an answer is held, it is that of a task
without a video, or of an odd form, and other faults strike a refused mark as well."""

SILENT = faults.UNBILLED | faults.UNANSWERED
ANSWERED = frozenset(OWN) - SILENT - UNPROVEN | faults.REFUSED | {"refused connection"}
"""What does not keep the answer back."""


@dataclass(frozen=True, slots=True)
class Law:
    """Why cells are impossible, or need not be met. What is left out is any."""

    reason: str
    rows: AbstractSet[str] = frozenset(ROWS)
    verdicts: AbstractSet[str] = frozenset(VERDICTS)
    states: AbstractSet[str] = frozenset(STATES)

    def holds(self, cell: Cell) -> bool:
        """Whether it speaks of this cell."""
        row, verdict, state = cell
        return row in self.rows and verdict in self.verdicts and state in self.states


def _but(names: Iterable[str], *left_out: str) -> frozenset[str]:
    return frozenset(names) - frozenset(left_out)


def _only(verdict: str, *states: str, reason: str) -> Law:
    return Law(reason, verdicts={verdict}, states=_but(STATES, "no journal", *states))


LAWS = (
    Law(
        "only a connection that was not made is proof that nothing was sent",
        rows=_but(OWN, "refused connection", "refused mark"),
        verdicts={"not sent"},
    ),
    Law(
        "only the service's own word is a refusal",
        rows=frozenset(OWN) - REFUSED,
        verdicts={"refused"},
    ),
    Law("no id came", rows=SILENT, verdicts={"accepted"}),
    Law(
        "an answer that came is the end of it: it is looked for only if a crash came before the "
        "answer was recorded, or the end of the batch or the client before the answer",
        rows=ANSWERED,
        verdicts=LOOKED_UP | {"uncertain"},
        states=_but(STATES, "no journal", "intended", "uncertain"),
    ),
    Law("what was not billed is no task", rows=UNBILLED, verdicts={"adopted"}),
    Law(
        "what was billed is in the list",
        rows=frozenset(OWN) - UNBILLED,
        verdicts={"absent"},
    ),
    _only(
        "accepted",
        *("not resumed", "accepted", "succeeded", "failed"),
        reason="an id that came is recorded, or the row is looked for",
    ),
    _only("not sent", "not resumed", "withdrawn", reason="it is withdrawn, and sent again"),
    _only("refused", "not resumed", "withdrawn", "refused", reason="it is withdrawn, or stays"),
    _only(
        "adopted",
        *("not resumed", "intended", "uncertain", "accepted", "succeeded", "failed"),
        reason="what was given a task is not withdrawn",
    ),
    _only(
        "absent",
        *("not resumed", "intended", "uncertain", "withdrawn"),
        reason="what bought nothing has no task",
    ),
    _only(
        "cannot tell",
        *("not resumed", "intended", "uncertain"),
        reason="what nobody can tell has no task, and is not withdrawn",
    ),
    _only("uncertain", reason="a journal's uncertain row is looked for by a later process"),
    Law(
        "a refusal of the content is an end, and a 429 is none",
        rows={"refused content"},
        states={"withdrawn"},
    ),
    Law("a 429 is no end", rows={"429"}, states={"refused"}),
    Law(
        "the service fails only what it is told to, so another's task may be the failed one",
        rows=_but(OWN, *faults.ENDED_BADLY),
        verdicts=_but(VERDICTS, "exchanged"),
        states={"failed"},
    ),
    Law("the service failed it", rows=faults.ENDED_BADLY, states={"succeeded"}),
    Law("a refused mark bought nothing", rows={"refused mark"}, verdicts={"accepted", "exchanged"}),
    Law("no connection of a burst is refused", rows={"burst"}, verdicts={"not sent"}),
    Law("an empty list proves nothing", rows={"listed always_empty"}, verdicts={"absent"}),
    Law(
        "only processes with a journal have another one after them",
        rows={"killed", "clock set", "slept", "upscaled", "saved", "bounded", "another account"},
        states={"no journal"},
    ),
)
"""The cells that are impossible, and why."""

SELDOM = (
    Law(
        "takes a held answer that shows no end",
        rows={"answers held"},
        verdicts={"accepted"},
        states={"accepted", "failed"},
    ),
    Law("takes a held answer of an odd form", rows={"other end"}, verdicts=LOOKED_UP),
    Law("takes two equal requests that are lost in one window", verdicts={"exchanged"}),
    Law(
        "takes a failed task, and two processes or a service that ignores async",
        verdicts={"adopted"},
        states={"failed"},
    ),
    Law(
        "takes a batch or a client that ends while an answer is under way, and awaits it no longer",
        rows=ANSWERED,
        verdicts=LOOKED_UP | {"uncertain"},
        states={"no journal", "uncertain"},
    ),
    Law("a crash between the proof and the next POST", verdicts={"absent"}, states={"withdrawn"}),
    Law(
        "only a service that ignores async answers a failed task with what proves nothing",
        rows=UNPROVEN,
        verdicts={"cannot tell", "uncertain"},
    ),
    Law(
        "it is accepted late only where no process is interrupted, but another may follow",
        rows={"accepted late"},
        states=_but(STATES, "no journal", "not resumed"),
    ),
)
"""The cells that need not be met, one by one; each of these laws must be met by some of a long
run."""

RARE = (
    Law("its caller goes while it is looked for", verdicts={"uncertain"}),
    Law(
        "a crash in the turn between an answer and its record",
        rows=(ANSWERED | UNPROVEN) - {"nothing"},
        verdicts=LOOKED_UP,
    ),
    Law("few worlds hold their answers", rows=UNPROVEN, verdicts=LOOKED_UP),
    Law("in one world of many", rows=FEW | {"accepted late"}),
)
"""The cells that a short run need not meet."""


def is_possible(cell: Cell) -> bool:
    """Whether no law forbids this cell."""
    return not _is_any(LAWS, cell)


def _is_any(laws: Iterable[Law], cell: Cell) -> bool:
    return any(law.holds(cell) for law in laws)


def cells_of(scenario: Scenario, sent: Iterable[Sent]) -> Counter[Cell]:
    """What happened to each POST of one scenario."""
    conditions = scenario.conditions
    return Counter(
        (row, _verdict(one), _state(one, scenario))
        for one in sent
        for row in (_struck(one, scenario), *conditions)
    )


def _struck(one: Sent, scenario: Scenario) -> str:
    if scenario.wire.callback_url != "accepted" and one.marked and not one.task_id:
        return "refused mark"
    own = [name for name in one.struck if name in faults.SUBMIT]
    return own[0] if own else "nothing"


def _verdict(one: Sent) -> str:
    taken = one.verdict == "absent" and one.task_id is not None
    swapped = one.verdict == "adopted" and one.given != one.task_id
    return "exchanged" if taken or swapped else one.verdict


def _state(one: Sent, scenario: Scenario) -> str:
    return "no journal" if scenario.face == "calls" else one.state


@dataclass(frozen=True, slots=True)
class Tally:
    """The counts of a run.

    Attributes:
        counts: how often each cell was met.
        whole: whether each cell is demanded (of a long run), or only each pair of a fault and a
            verdict, and of a verdict and a state. Of what is in few worlds no more than a pair is
            demanded of a long run either.
    """

    counts: Counter[Cell]
    whole: bool

    def wrongs(self) -> Iterator[str]:
        """The cells that are empty and must not be, and those that must be and are not."""
        for cell in self.counts:
            for law in LAWS:
                if law.holds(cell):
                    yield f"impossible, and met {self.counts[cell]} times: {cell} ({law.reason})"
        unasked = SELDOM if self.whole else SELDOM + RARE
        demanded = [cell for cell in _possible() if not _is_any(unasked, cell)]
        usual = [cell for cell in demanded if cell[0] not in FEW]
        few = [cell for cell in demanded if cell[1] != "uncertain" and cell[0] != "refused mark"]
        whole = ((0, 1, 2), usual), ((0, 1), few)
        for parts, cells in whole if self.whole else (((0, 1), demanded), ((1, 2), demanded)):
            met = {tuple(cell[part] for part in parts) for cell in self.counts}
            asked = {tuple(cell[part] for part in parts) for cell in cells}
            yield from (f"never met: {cell}" for cell in sorted(asked - met))
        for law in SELDOM if self.whole else ():
            if not any(law.holds(cell) for cell in self.counts):
                yield f"never met: {law.reason}"

    def __str__(self) -> str:
        return "\n\n".join(self._table(verdict) for verdict in VERDICTS)

    def _table(self, verdict: str) -> str:
        """The counts of one verdict: a line for each fault, a column for each state. What is
        impossible is left out."""
        states = [s for s in STATES if any(is_possible((row, verdict, s)) for row in ROWS)]
        lines = [f"{verdict:27}" + "".join(f"{state:>13}" for state in states)]
        for row in ROWS:
            cells = [(row, verdict, state) for state in states]
            if any(map(is_possible, cells)):
                lines.append(f"  {row:25}" + "".join(f"{self._shown(cell):>13}" for cell in cells))
        return "\n".join(lines)

    def _shown(self, cell: Cell) -> str:
        return f"{self.counts[cell]}" if is_possible(cell) or self.counts[cell] else "-"


def _possible() -> Iterator[Cell]:
    return filter(is_possible, product(ROWS, VERDICTS, STATES))

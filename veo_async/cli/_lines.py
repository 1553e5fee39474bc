r"""A plain list of prompts: one a line, or one a paragraph.

Blank lines are skipped, a line that begins with ``#`` is a comment, and a line of dashes
separates. ``\#`` begins a prompt with ``#``. The marks of a list (``-``, ``*``, ``1.``) and the
quotes of a copied list are removed where every line has them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from ._fields import shortened
from ._prompt_file import Lines, Notes, Problem, Read, Record, trouble

RULE = re.compile(r"([-*_=~])\1{2,}\Z|([-*_] ){2,}[-*_]\Z")
"""A line that separates, as in Markdown."""

MARKS = {
    "bullets": re.compile(r"[-*+•\u2013]\s+(?=\S)"),
    "numbers": re.compile(r"\d{1,6}[.)]\s+(?=\S)"),
    "quotes": re.compile(r'["“](?=[^"“”]*["”],?\Z)'),
}
"""The beginnings of lines that belong to a list, not to its prompts."""

MARKS_OF_POINTS = frozenset({"bullets", "numbers"})

ENDED = re.compile(r"""[.!?:;…。\uff01\uff1f]["'”\u2019)\]]*\Z""")
"""The end of a sentence."""

OPEN = re.compile(r"\s(?:an?|the|and|or|of|with|at|to|from|its)\Z", re.IGNORECASE)
"""The end of a line that goes on."""

DOUBTFUL = (
    (re.compile(r"(- *)?prompts?\s*:", re.IGNORECASE), "YAML; use JSON lines or CSV"),
    (re.compile(r"[{\[]\s*[\"'{\[]"), "JSON, for --format jsonl"),
    (re.compile(r"[^\t]*\t|\"[^\"]*\"[,;]"), "a row of a table, for --format csv with a header"),
    (re.compile(r"//|<!--"), "a comment, which begins with #"),
)
"""The beginnings of lines that are probably no prompts."""

WRAPPED = 40
"""Characters of a line that a program or a person may have wrapped, at least."""


@dataclass(slots=True)
class Survey:
    """The form of a list, by all of its lines.

    Attributes:
        mark: the mark that every line has, if they have one.
        wrapped: the first and last line of the first paragraph that reads like one text.
    """

    mark: str | None = None
    wrapped: tuple[int, int] | None = None


def survey(lines: Lines) -> Survey:
    """Read a list to its end, to see how it is meant."""
    counts = _Counts()
    for block in _blocks(lines):
        counts.add(block)
    mark = counts.common_mark()
    if mark:
        return Survey(mark)
    # The points of a list, and the parts between rules, go on in further lines.
    is_divided = counts.is_separated or counts.has_points()
    return Survey(None, counts.wrapped or (counts.first_of_many if is_divided else None))


@dataclass(slots=True)
class _Counts:
    """The lines of a list: their number, those with each mark, and the first paragraphs."""

    total: int = 0
    marked: Counter[str] = field(default_factory=Counter)
    first_mark: str | None = None
    is_separated: bool = False
    first_of_many: tuple[int, int] | None = None
    wrapped: tuple[int, int] | None = None

    def add(self, block: _Block) -> None:
        """Count the lines of a block."""
        texts = [text for _, text in block.lines]
        marks = [name for text in texts for name in MARKS if MARKS[name].match(text)]
        if not self.total and MARKS_OF_POINTS & {*marks[:1]}:
            self.first_mark = marks[0]
        self.total += len(texts)
        self.marked.update(marks)
        self.is_separated = self.is_separated or block.follows_rule
        if len(texts) > 1:
            ends = block.lines[0][0], block.lines[-1][0]
            self.first_of_many = self.first_of_many or ends
            self.wrapped = self.wrapped or (ends if _is_wrapped(texts) else None)

    def common_mark(self) -> str | None:
        """The mark of every line, if they have one."""
        common = (name for name in MARKS if self.total > 1 and self.marked[name] == self.total)
        return next(common, None)

    def has_points(self) -> bool:
        """Whether some lines, the first one among them, begin a point of a list."""
        return self.first_mark is not None and self.marked[self.first_mark] > 1


def prompts(lines: Lines, found: Survey, form: str, notes: Notes, *, is_guess: bool) -> Read:
    """The prompts of a list.

    If its form was recognised and not named, a list that reads like paragraphs is refused, because
    every line of it would be bought.
    """
    if is_guess and found.wrapped:
        first, last = found.wrapped
        yield Problem(
            first,
            f"lines {first} to {last} read like one text over several lines. Say which it is: "
            "--format paragraphs (a prompt ends at a blank line) or --format lines (each line is "
            "a prompt)",
            is_fatal=True,
        )
        return
    if found.mark and form == "lines":
        notes[f"the {found.mark} of the list were removed"] += 1
    for block in _blocks(lines, notes):
        if form == "paragraphs":
            yield _paragraph(block)
        else:
            yield from (
                _prompt(number, _unmarked(text, found.mark), is_guess=is_guess)
                for number, text in block.lines
            )


def _paragraph(block: _Block) -> Record | Problem:
    number = block.lines[0][0]
    if len(block.lines) == LONGEST_BLOCK:
        return Problem(number, f"a paragraph of {LONGEST_BLOCK} lines or more", is_fatal=True)
    return _prompt(number, " ".join(text for _, text in block.lines))


def _doubt(text: str) -> str | None:
    """The reason why a line of a list is probably no prompt."""
    kind = next((kind for pattern, kind in DOUBTFUL if pattern.match(text)), None)
    return kind and (
        f"{shortened(text)!r} looks like {kind}; or say that each line is a prompt: --format lines"
    )


def _prompt(number: int, text: str, *, is_guess: bool = False) -> Record | Problem:
    problem = trouble(text) or (_doubt(text) if is_guess else None)
    return Problem(number, problem) if problem else Record(number, {"prompt": text})


def _unmarked(text: str, mark: str | None) -> str:
    if mark is None:
        return text
    text = text[len(found[0]) :] if (found := MARKS[mark].match(text)) else text
    return text.rstrip(",").rstrip('"”') if mark == "quotes" else text


@dataclass(slots=True)
class _Block:
    """Lines without a blank line between them, without their spaces."""

    lines: list[tuple[int, str]]
    follows_rule: bool = False


LONGEST_BLOCK = 1000
"""Lines of one block that are looked at together. A list without blank lines has no end."""


def _blocks(lines: Lines, notes: Notes | None = None) -> Iterator[_Block]:
    block, after_rule = _Block([]), False
    for number, line in lines:
        text = line if trouble(line) else line.strip()
        is_rule, is_comment = RULE.match(text), text.startswith("#")
        text = text.removeprefix("\\") if text.startswith("\\#") else text
        if notes is not None and (is_rule or is_comment):
            notes["lines with # or --- were left out"] += 1
        if is_comment:
            continue
        if text and not is_rule and len(block.lines) < LONGEST_BLOCK:
            block.lines.append((number, text))
            continue
        if block.lines:
            yield block
        after_rule = bool(is_rule) or (after_rule and not text and not block.lines)
        block = _Block([], after_rule)
        if text and not is_rule:
            block.lines.append((number, text))
    if block.lines:
        yield block


def _is_wrapped(lines: list[str]) -> bool:
    """Whether lines are one text that was wrapped.

    Either a line that ends inside of a sentence is followed by one that begins in lower case while
    the text begins with a capital, or each line is as full as its next word allows.
    """
    pairs = list(pairwise(lines))
    if any(OPEN.search(line) for line in lines[:-1]):
        return True
    continued = any(
        len(line) >= WRAPPED and not ENDED.search(line) and following[:1].islower()
        for line, following in pairs
    )
    if continued and not lines[0][:1].islower():
        return True
    width = max(map(len, lines))
    is_full = all(len(line) + 1 + len(following.split()[0]) > width for line, following in pairs)
    return len(lines) > 2 and width >= WRAPPED and is_full

"""The mistakes of the mutation script can still be made."""

from __future__ import annotations

import ast

import pytest

from tests.simulation.mutants import MUTANTS, ROOT, Edit, Mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_each_mistake_is_an_edit_of_one_place(mutant: Mutant) -> None:
    """Each edit finds its line exactly once, and what comes of it is still Python."""
    sources = {edit.file: (ROOT / "veo_async" / edit.file).read_text() for edit in mutant.edits}

    for edit in mutant.edits:
        sources[edit.file] = edit.made_in(sources[edit.file])

    assert all(ast.parse(source) for source in sources.values())


@pytest.mark.parametrize("text", ["nothing", "once, once"])
def test_an_edit_of_no_place_or_of_two_is_refused(text: str) -> None:
    """A mutant that changes nothing would be caught by nothing."""
    with pytest.raises(ValueError, match="times"):
        Edit("policies.py", "once", "twice").made_in(text)

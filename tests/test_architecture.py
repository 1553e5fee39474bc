"""The rules that import contracts cannot check: which files await, and which keep global state."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "veo_async"

SHELLS = frozenset(
    {
        "_base/runtime.py",
        "_base/signal.py",
        "_base/worker.py",
        "_batch/batch.py",
        "_batch/item.py",
        "_batch/item_files.py",
        "_batch/item_resume.py",
        "_batch/ledger.py",
        "_batch/reader.py",
        "_batch/run.py",
        "_batch/spending.py",
        "_client.py",
        "_downloads/downloader.py",
        "_downloads/egress.py",
        "_downloads/http.py",
        "_journal/journal.py",
        "_journal/ownership.py",
        "_limits/admission.py",
        "_limits/limiter.py",
        "_limits/queue.py",
        "_reconcile/reconciler.py",
        "_submit/drain.py",
        "_submit/ledger.py",
        "_submit/sender.py",
        "_submit/submitter.py",
        "_tracking/poller.py",
        "_tracking/task_list.py",
        "_wire/body.py",
        "_wire/http.py",
        "callbacks/__init__.py",
        "callbacks/_asgi.py",
        "callbacks/_server.py",
    }
)
"""The files of the client that may await. All others decide, and are called."""

APART = ("cli", "emulator", "gallery", "testing")
"""Users of the client, and the service beside it."""

AWAITING = (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await, ast.Global)


def files() -> Iterator[str]:
    """The files of the client."""
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith(APART):
            yield name


def awaits(name: str) -> bool:
    """Return whether a file has an asynchronous function, awaits, or changes a global name."""
    tree = ast.parse((PACKAGE / name).read_text(encoding="utf-8"))
    return any(isinstance(node, AWAITING) for node in ast.walk(tree))


@pytest.mark.parametrize("name", list(files()))
def test_only_a_listed_file_awaits(name: str) -> None:
    """A file that is not listed has no asynchronous function and no global state. A listed file
    awaits."""
    assert awaits(name) is (name in SHELLS)


def test_every_listed_file_exists() -> None:
    """A file that was removed is removed from the list too."""
    assert set(files()) >= SHELLS

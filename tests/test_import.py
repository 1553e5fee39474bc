"""The import of the client is light: a program pays for a part when it uses it."""

from __future__ import annotations

import subprocess
import sys

LATE = (
    "multiprocessing",
    "sqlite3",
    "starlette",
    "veo_async._batch.batch",
    "veo_async._journal.journal",
    "veo_async.emulator",
    "veo_async.testing",
)


def test_the_client_is_imported_without_what_only_some_programs_use() -> None:
    """A client that makes one video needs no journal, no SQLite, no server and no emulator."""
    code = "import sys; from veo_async import VeoClient; VeoClient('any'); print(*sys.modules)"

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    loaded = set(run.stdout.split())
    assert "veo_async._client" in loaded
    assert loaded.isdisjoint(LATE)

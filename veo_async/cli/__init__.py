"""``veo-async``: the command line, a user of the public face that decides nothing about meaning.

Everything heavy is imported by the command that needs it, so that ``--help`` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import MissingExtraError

if TYPE_CHECKING:
    from ._options import Seams

__all__ = ["main"]

NEEDED = frozenset({"typer", "rich"})
"""What the extra ``cli`` installs, as far as every command needs it."""


def main(argv: Sequence[str] | None = None, *, seams: Seams | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments, without the program's name; those of the process unless given.
        seams: what a test hands over in place of the clock, the network and the emulator.

    Returns:
        The exit code, as the table in ``veo-async --help`` explains it.
    """
    try:
        import rich as rich

        from ._app import run

        return run(argv, seams)
    except KeyboardInterrupt:
        return 130
    except ImportError as exc:
        if exc.name not in NEEDED:
            raise
        error = MissingExtraError(feature="The command line", extra="cli")
        print(f"veo-async: error: {error}", file=sys.stderr)
        return 2

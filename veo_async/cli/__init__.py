"""``veo-async``: the command line. It uses the public API, like any other program.

Heavy modules are imported by the command that needs them, so that ``--help`` is fast.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import MissingExtraError
from ._streams import opened, standard_error

if TYPE_CHECKING:
    from ._options import Seams

__all__ = ["main"]

NEEDED = frozenset({"typer", "rich"})
"""The libraries of the extra ``cli``: every command needs them."""


def main(argv: Sequence[str] | None = None, *, seams: Seams | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments without the program's name; by default those of the process.
        seams: a test's replacements for the clock, the network and the emulator.

    Returns:
        The exit code; ``veo-async help exit-codes`` lists them.
    """
    with opened():
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
            print(f"veo-async: error: {error}", file=standard_error())
            return 2

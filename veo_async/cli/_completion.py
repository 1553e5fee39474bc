"""The completion of commands, options and their values in a shell."""

from __future__ import annotations

import typer
from typer.completion import shell_complete

from ._exits import OK
from ._help import COMPLETION, SHELLS


def print_script(shell: str, app: typer.Typer) -> int:
    """Print the script of a shell."""
    if shell not in SHELLS:
        problem = f"{shell!r} is none of {', '.join(SHELLS)}."
        raise typer.BadParameter(problem, param_hint="SHELL")
    enable()
    shell_complete(typer.main.get_command(app), {}, "veo-async", COMPLETION, f"source_{shell}")
    return OK


def enable() -> None:
    """Let the library know the shells."""
    from typer.completion import completion_init  # type: ignore[attr-defined]

    completion_init()

"""The texts of the help, and the form of a command's help."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from typer.core import TyperCommand

from ._exits import MEANINGS

SHELLS: Final = ("bash", "zsh", "fish", "powershell")
"""The shells for which there is a completion."""

COMPLETION: Final = "_VEO_ASYNC_COMPLETE"
"""The environment variable in which a shell's script asks for completions."""

JSON_NOTE: Final = (
    "With --json every task is one object on a line of standard output, with the fields key, "
    "task_id, trace_id, state (succeeded, failed, pending or uncertain), action, model, prompt, "
    "created_at, finished_at, videos (id, video_url, created_at, complete_at, state), cost "
    "(amount, list_amount, currency) or null, files, and error (type, message, may_have_cost) or "
    "null. Progress and errors go to standard error."
)

ENVIRONMENT: Final = """\
ACEDATACLOUD_API_TOKEN     The token of the account, and the only way to give it: an option would
                           show it in the process list. "Acquire" the service at
                           https://platform.acedata.cloud to get one.
ACEDATACLOUD_API_BASE_URL  Another address of the API, such as that of an emulator.
VEO_ASYNC_ALLOW_RESERVED   1: allow downloads from 198.18.0.0/15, where a VPN or a proxy client in
                           fake-IP mode maps all names.
NO_COLOR                   Any value: no colors.
COLUMNS                    The width of the output, where it cannot be measured.
"""

FILES: Final = """\
-o PATH    A folder if it exists, ends with a slash or has no ending such as .mp4; else a file.
           A video in a folder has the id of its task as its name. No file is overwritten without
           --force, but by the demo, which replaces its own.

A batch keeps in its folder:

NNNN-PROMPT.mp4   Each video, named by its number and the first words of its prompt.
NNNN-PROMPT.json  The record of a video: the request, the result or the error, and the ids.
index.html        A page to look at the videos.
journal.db        What was bought. Keep it: the same command resumes the batch from it, and buys
                  nothing twice. Without it the batch is refused.

While a video is downloaded, its file has the ending .part.
"""


def exit_codes() -> str:
    """The codes and their meanings."""
    return "\n".join(f"{code:<3}  {meaning}" for code, meaning in MEANINGS.items()) + "\n"


def topics() -> Mapping[str, str]:
    """The topics of ``veo-async help``, with their texts."""
    return {
        "environment": ENVIRONMENT,
        "exit-codes": exit_codes(),
        "files": FILES,
        "json": JSON_NOTE + "\n",
    }


def epilog(*examples: str) -> str:
    """The end of a command's help: its examples, and the topics that explain the rest."""
    lines = "\n".join(f"  {example}" for example in examples)
    word = "Example" if len(examples) == 1 else "Examples"
    return f"\b\n{word}:\n{lines}\n\nMore: veo-async help {'|'.join(topics())}"


class Command(TyperCommand):
    """A command whose help has the form of well-known tools: ``wait [OPTIONS] TASK_ID...``."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The words of the line that says how the command is used."""
        return ["[OPTIONS]", *(_usage(param) for param in self._arguments(ctx))]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments and the options."""
        arguments = [(_usage(param), param.help or "") for param in self._arguments(ctx)]
        if arguments:
            with formatter.section("Arguments"):
                formatter.write_dl(arguments)
        options = [p for p in self.get_params(ctx) if p.param_type_name == "option"]
        with formatter.section("Options"):
            formatter.write_dl([record for p in options if (record := p.get_help_record(ctx))])

    def _arguments(self, ctx: Any) -> Iterator[Any]:
        return (p for p in self.get_params(ctx) if p.param_type_name == "argument")


def _usage(param: Any) -> str:
    """An argument as people write it: ``A``, ``A...``, or in brackets if it may be left out."""
    word = f"{param.metavar}{'...' if param.nargs != 1 else ''}"
    return word if param.required else f"[{word}]"

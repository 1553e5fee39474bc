"""The commands, their options and their examples. Each imports the module that does its work."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, cast

import typer

from ._exits import OK, USAGE
from ._help import COMPLETION, SHELLS, Command, epilog, topics
from ._options import (
    OUT_HELP,
    Batching,
    Calling,
    Emulating,
    Folder,
    Force,
    Generating,
    Seams,
    Shared,
    Submitting,
    Waiting,
    takes,
)
from ._streams import standard_error
from ._text import plain

# Plain help, because help drawn by rich makes --help three times slower.
app = typer.Typer(
    name="veo-async",
    help="Generate videos with the Veo Videos Generation API, many at once, and never pay twice.",
    epilog="\b\nTry it, offline and for free:\n  veo-async demo\n\n"
    "\b\nExplained by veo-async help TOPIC:\n  " + ", ".join(topics()),
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

Prompt = Annotated[str, typer.Argument(metavar="PROMPT", help="What to show.")]
Images = Annotated[
    list[str] | None,
    typer.Option(
        "--image",
        "-i",
        metavar="URL",
        help="An image's http(s) URL; repeat it for more. The API takes URLs only.",
    ),
]


# typer exports only a subclass of its usage errors, so the base class is taken from that.
USAGE_ERROR = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[1])


def run(argv: Sequence[str] | None, seams: Seams | None) -> int:
    """Run one command. A usage error is one line."""
    with contextlib.suppress(AttributeError):
        # Prompts may be in any language while standard output is in ASCII.
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    if COMPLETION in os.environ:
        from ._completion import enable

        enable()
    try:
        code: int = app(
            list(sys.argv[1:] if argv is None else argv),
            prog_name="veo-async",
            standalone_mode=False,
            obj=seams or Seams(),
        )
    except USAGE_ERROR as error:
        message = plain(error.format_message())
        path = error.ctx.command_path if error.ctx else "veo-async"
        print(f"veo-async: error: {message} (see {path} --help)", file=standard_error())
        return USAGE
    return code


def command(
    *examples: str, options: type[Shared], name: str | None = None
) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Add a function as a command, with the options that it shares with other commands."""

    def decorate(function: Callable[..., int]) -> Callable[..., int]:
        added = app.command(name, cls=Command, epilog=epilog(*examples))
        return added(takes(options)(function))

    return decorate


@app.callback(invoke_without_command=True)
def _main(
    ctx: typer.Context,
    *,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed

        print(installed("veo-async"))
        raise typer.Exit(OK)
    if ctx.invoked_subcommand is None:
        print(ctx.get_help())
        raise typer.Exit(USAGE)


@command("veo-async demo", "veo-async demo --out videos", options=Shared)
def demo(
    out: Folder = Path("out/demo"),
    *,
    options: Shared,
    seams: Seams,
) -> int:
    """Make seven videos with the emulator, offline and free."""
    from ._demo import demonstrate

    return demonstrate(out, options, seams)


@command(
    'veo-async text2video "A coffee mug on a marble counter" -o mug.mp4 --emulator',
    options=Generating,
)
def text2video(prompt: Prompt, *, options: Generating, seams: Seams) -> int:
    """Generate a video from a prompt."""
    from ._generate import generate

    return generate("text2video", options, seams, prompt=prompt)


@command(
    'veo-async image2video "The mug is lifted" -i https://example.com/mug.png --emulator',
    options=Generating,
)
def image2video(prompt: Prompt, image: Images = None, *, options: Generating, seams: Seams) -> int:
    """Generate a video from a first (and a last) image."""
    from ._generate import generate

    return generate("image2video", options, seams, prompt=prompt, image_urls=image or [])


@command(
    'veo-async ingredients2video "The mug in the snow" -i https://example.com/mug.png '
    "-i https://example.com/snow.png --emulator",
    options=Generating,
)
def ingredients2video(
    prompt: Prompt, image: Images = None, *, options: Generating, seams: Seams
) -> int:
    """Generate a video of things that images show."""
    from ._generate import generate

    return generate("ingredients2video", options, seams, prompt=prompt, image_urls=image or [])


@command(
    "veo-async get-1080p 253eedc47f1c4eb2a370ed2312168f4b -o big.mp4",
    options=Submitting,
    name="get-1080p",
)
def get_1080p(
    video_id: Annotated[
        str, typer.Argument(metavar="VIDEO_ID", help="The id of a video, not of a task.")
    ],
    *,
    options: Submitting,
    seams: Seams,
) -> int:
    """Get the 1080p version of a finished video."""
    from ._generate import generate

    return generate("get_1080p", options, seams, video_id=video_id)


@command(
    "veo-async batch prompts.jsonl --out videos --emulator",
    "veo-async batch prompts.jsonl --out videos --dry-run",
    options=Batching,
)
def batch(
    prompts: Annotated[
        str,
        typer.Argument(
            metavar="PROMPTS",
            help="JSON, CSV with a header, or one prompt a line; - is standard input.",
        ),
    ],
    out: Folder,
    *,
    options: Batching,
    seams: Seams,
) -> int:
    """Make many videos from a file of prompts."""
    from ._batch import make_all

    return make_all(prompts, out, options, seams)


@command("veo-async wait dd01fc69-e1f7-4b68-aa8c-463f6b748d11 -o videos", options=Waiting)
def wait(
    task_ids: Annotated[list[str], typer.Argument(metavar="TASK_ID", help="What to wait for.")],
    out: Annotated[str | None, typer.Option("--out", "-o", metavar="PATH", help=OUT_HELP)] = None,
    *,
    force: Force = False,
    options: Waiting,
    seams: Seams,
) -> int:
    """Wait for tasks that were submitted before; free."""
    from ._tasks import wait_for

    return wait_for(task_ids, out, options, seams, force=force)


@command("veo-async tasks --since 2h --limit 5", "veo-async tasks --json", options=Calling)
def tasks(
    task_ids: Annotated[
        list[str] | None, typer.Argument(metavar="TASK_ID", help="These only.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN", help="Created since then: an ISO 8601 time, or 90s, 15m, 2h, 3d ago."
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Created until then, written as --since.")
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, metavar="N", help="At most so many, newest first.")
    ] = 20,
    *,
    options: Calling,
    seams: Seams,
) -> int:
    """List the account's tasks, or show some of them."""
    from ._tasks import list_tasks

    return list_tasks(
        task_ids or [], since=since, until=until, limit=limit, options=options, seams=seams
    )


@command("veo-async download dd01fc69-e1f7-4b68-aa8c-463f6b748d11 mug.mp4", options=Calling)
def download(
    source: Annotated[
        str, typer.Argument(metavar="TASK_ID|URL", help="A finished task, or a video's URL.")
    ],
    path: Annotated[str, typer.Argument(metavar="PATH", help=OUT_HELP)],
    *,
    force: Force = False,
    options: Calling,
    seams: Seams,
) -> int:
    """Download a finished video."""
    from ._tasks import download_to

    return download_to(source, path, options, seams, force=force)


@command("veo-async gallery .", "veo-async gallery . --title Mugs", options=Shared)
def gallery(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of the videos.")],
    title: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The headline [default: the folder's name].")
    ] = None,
    *,
    options: Shared,
    seams: Seams,
) -> int:
    """Write a page to look at a folder of videos."""
    from ._gallery import show

    return show(folder, title, options, seams)


@command(
    "veo-async emulator --port 8080 --clock-factor 60",
    "veo-async emulator --host 0.0.0.0 --port 8080 --allow-host veo --targets any",
    options=Emulating,
)
def emulator(*, options: Emulating, seams: Seams) -> int:
    """Serve the emulated service until Ctrl-C."""
    from ._emulate import serve

    return serve(options, seams)


@app.command(
    "help", cls=Command, epilog=epilog("veo-async help exit-codes", "veo-async help text2video")
)
def help_(
    ctx: typer.Context,
    topic: Annotated[
        str | None,
        typer.Argument(
            metavar="TOPIC",
            help=f"A command, or one of: {', '.join(topics())}.",
            autocompletion=lambda: [*topics()],
        ),
    ] = None,
) -> int:
    """Explain a command or a topic."""
    if text := topics().get(topic or ""):
        print(text, end="")
        return OK
    return run([*([topic] if topic else []), "--help"], ctx.obj)


@app.command(cls=Command, epilog=epilog('eval "$(veo-async completion bash)"'))
def completion(
    shell: Annotated[
        str,
        typer.Argument(
            metavar="SHELL",
            help="bash, zsh, fish or powershell.",
            autocompletion=lambda: [*SHELLS],
        ),
    ],
) -> int:
    """Print the script for completion in a shell."""
    from ._completion import print_script

    return print_script(shell, app)

"""The commands, their options and their examples. Each imports the module that does its work."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, cast

import typer

from ._exits import OK, USAGE, table
from ._options import (
    OUT_HELP,
    TOKEN_NOTE,
    Batching,
    Calling,
    Folder,
    Force,
    Generating,
    Seams,
    Shared,
    Submitting,
    Waiting,
    epilog,
    takes,
)
from ._text import plain

JSON_NOTE = (
    "With --json every task is one object on a line of standard output, with the fields key, "
    "task_id, trace_id, state (succeeded, failed, pending or uncertain), action, model, prompt, "
    "created_at, finished_at, videos (id, video_url, created_at, complete_at, state), cost "
    "(amount, list_amount, currency) or null, files, and error (type, message, may_have_cost) or "
    "null. Progress and errors go to standard error."
)

# Plain help, because help drawn by rich makes --help three times slower.
app = typer.Typer(
    name="veo-async",
    help="Generate videos with the Veo Videos Generation API, many at once, and never pay twice.",
    epilog=f"\b\nTry it, offline and for free:\n  veo-async demo\n\n{table()}\n\n{JSON_NOTE}\n\n"
    f"{TOKEN_NOTE}",
    rich_markup_mode=None,
    add_completion=False,
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
    try:
        code: int = app(
            list(sys.argv[1:] if argv is None else argv),
            prog_name="veo-async",
            standalone_mode=False,
            obj=seams or Seams(),
        )
    except USAGE_ERROR as error:
        message = plain(error.format_message())
        print(f"veo-async: error: {message} (see veo-async --help)", file=sys.stderr)
        return USAGE
    return code


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


@app.command(epilog=epilog("veo-async demo", "veo-async demo --out videos"))
@takes(Shared)
def demo(
    out: Folder = Path("out/demo"),
    *,
    options: Shared,
    seams: Seams,
) -> int:
    """Make seven videos with the emulator, offline and free."""
    from ._demo import demonstrate

    return demonstrate(out, options, seams)


@app.command(
    epilog=epilog('veo-async text2video "A coffee mug on a marble counter" -o mug.mp4 --emulator')
)
@takes(Generating)
def text2video(prompt: Prompt, *, options: Generating, seams: Seams) -> int:
    """Generate a video from a prompt."""
    from ._generate import generate

    return generate("text2video", options, seams, prompt=prompt)


@app.command(
    epilog=epilog(
        'veo-async image2video "The mug is lifted" -i https://example.com/mug.png --emulator'
    )
)
@takes(Generating)
def image2video(prompt: Prompt, image: Images = None, *, options: Generating, seams: Seams) -> int:
    """Generate a video from a first (and a last) image."""
    from ._generate import generate

    return generate("image2video", options, seams, prompt=prompt, image_urls=image or [])


@app.command(
    epilog=epilog(
        'veo-async ingredients2video "The mug in the snow" -i https://example.com/mug.png '
        "-i https://example.com/snow.png --emulator"
    )
)
@takes(Generating)
def ingredients2video(
    prompt: Prompt, image: Images = None, *, options: Generating, seams: Seams
) -> int:
    """Generate a video of things that images show."""
    from ._generate import generate

    return generate("ingredients2video", options, seams, prompt=prompt, image_urls=image or [])


@app.command(
    "get-1080p", epilog=epilog("veo-async get-1080p 253eedc47f1c4eb2a370ed2312168f4b -o big.mp4")
)
@takes(Submitting)
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


@app.command(
    epilog=epilog(
        "veo-async batch prompts.jsonl --out videos --emulator",
        "veo-async batch prompts.jsonl --out videos --dry-run",
    )
)
@takes(Batching)
def batch(
    prompts: Annotated[
        str,
        typer.Argument(
            metavar="PROMPTS",
            help="JSON lines, CSV with a header, or one prompt a line; - is standard input.",
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


@app.command(epilog=epilog("veo-async wait dd01fc69-e1f7-4b68-aa8c-463f6b748d11 -o videos"))
@takes(Waiting)
def wait(
    task_ids: Annotated[list[str], typer.Argument(metavar="TASK_ID...", help="What to wait for.")],
    out: Annotated[str | None, typer.Option("--out", "-o", metavar="PATH", help=OUT_HELP)] = None,
    *,
    force: Force = False,
    options: Waiting,
    seams: Seams,
) -> int:
    """Wait for tasks that were submitted before; free."""
    from ._tasks import wait_for

    return wait_for(task_ids, out, options, seams, force=force)


@app.command(epilog=epilog("veo-async tasks --since 2h --limit 5", "veo-async tasks --json"))
@takes(Calling)
def tasks(
    task_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[TASK_ID]...", help="These only.")
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
    limit: Annotated[int, typer.Option(min=1, help="At most so many, newest first.")] = 20,
    *,
    options: Calling,
    seams: Seams,
) -> int:
    """List the account's tasks, or show some of them."""
    from ._tasks import list_tasks

    return list_tasks(
        task_ids or [], since=since, until=until, limit=limit, options=options, seams=seams
    )


@app.command(epilog=epilog("veo-async download dd01fc69-e1f7-4b68-aa8c-463f6b748d11 mug.mp4"))
@takes(Calling)
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


@app.command(epilog=epilog("veo-async gallery .", "veo-async gallery . --title Mugs"))
@takes(Shared)
def gallery(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of the videos.")],
    title: Annotated[
        str | None, typer.Option(help="What stands above it [default: the folder's name].")
    ] = None,
    *,
    options: Shared,
    seams: Seams,
) -> int:
    """Write a page to look at a folder of videos."""
    from ._gallery import show

    return show(folder, title, options, seams)


@app.command(epilog=epilog("veo-async emulator --port 8080 --clock-factor 60"))
@takes(Shared)
def emulator(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free port.")] = 0,
    clock_factor: Annotated[
        float, typer.Option(help="Seconds of service time in a real second.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="The seed of all randomness.")] = 0,
    token: Annotated[
        str | None, typer.Option(help="The only token to accept [default: any].")
    ] = None,
    *,
    options: Shared,
    seams: Seams,
) -> int:
    """Serve the emulated service until Ctrl-C."""
    from ._emulate import serve

    return serve(
        options, seams, host=host, port=port, clock_factor=clock_factor, seed=seed, token=token
    )

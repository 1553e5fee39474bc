"""The options that several commands share, each defined once.

`takes` adds the fields of a dataclass to the parameters of a command. The command receives one
object in their place.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, get_args, get_type_hints

import typer

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from ..testing import Emulator

OUT_HELP = (
    "Download to this file or folder. It is a folder if it exists, ends with a slash or has no "
    "ending such as .mp4."
)


def expanded(text: str) -> Path:
    """A path with its ``~`` replaced, which a shell leaves in ``--out=~/videos``."""
    try:
        return Path(text).expanduser()
    except RuntimeError:  # the home of an unknown user
        return Path(text)


Folder = Annotated[
    Path,
    typer.Option("--out", "-o", metavar="DIR", parser=expanded, help="The folder of the videos."),
]
Force = Annotated[bool, typer.Option("--force", "-f", help="Overwrite a file that exists.")]


def _models(incomplete: str) -> list[str]:
    from ..models._requests import KNOWN_MODELS

    return [name for name in KNOWN_MODELS if name.startswith(incomplete)]


def _aspect_ratios(incomplete: str) -> list[str]:
    from ..models import AspectRatio

    return [shape for shape in get_args(AspectRatio) if shape.startswith(incomplete)]


def _forms(incomplete: str) -> list[str]:
    from ._prompt_file import Form

    return [form for form in get_args(Form) if form.startswith(incomplete)]


def _resolutions(incomplete: str) -> list[str]:
    from ..models import Resolution

    return [size for size in get_args(Resolution) if size.startswith(incomplete)]


@dataclasses.dataclass(frozen=True)
class Seams:
    """A test's replacements: the event loop, the emulator, and options for every client."""

    loop_factory: Callable[[], AbstractEventLoop] | None = None
    emulator: Callable[..., Emulator] | None = None
    client: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shared:
    """The options of every command."""

    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a line on standard output.")
    ] = False
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the log, and the traceback of an error.")
    ] = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Calling(Shared):
    """The options of commands that call the service."""

    base_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Another address of the API [env: ACEDATACLOUD_API_BASE_URL]."
        ),
    ] = None
    allow_reserved: Annotated[
        bool | None,
        typer.Option(
            "--allow-reserved",
            help="Allow downloads from 198.18.0.0/15, where a VPN or a proxy client in fake-IP "
            "mode maps all names [env: VEO_ASYNC_ALLOW_RESERVED].",
        ),
    ] = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Waiting(Calling):
    """The options of commands that wait for videos."""

    timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="How long to wait for what was accepted; it goes on after that [default: 3600].",
        ),
    ] = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Submitting(Waiting):
    """The options of commands that buy one video."""

    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            metavar="NAME",
            help="The model; any name is passed on [default: veo3-fast].",
            autocompletion=_models,
        ),
    ] = None
    callback_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Where the service posts the result, too.")
    ] = None
    out: Annotated[str | None, typer.Option("--out", "-o", metavar="PATH", help=OUT_HELP)] = None
    force: Force = False
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Submit only, and print the task id.")
    ] = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Generating(Submitting):
    """The options of commands that make one video from a prompt."""

    aspect_ratio: Annotated[
        str | None,
        typer.Option(
            "--aspect-ratio",
            "-a",
            metavar="W:H",
            help="16:9, 9:16, ...",
            autocompletion=_aspect_ratios,
        ),
    ] = None
    resolution: Annotated[
        str | None,
        typer.Option(
            "--resolution",
            "-r",
            metavar="SIZE",
            help="1080p, gif, or (veo31 only) 4k.",
            autocompletion=_resolutions,
        ),
    ] = None
    translation: Annotated[
        bool | None,
        typer.Option(
            "--translation/--no-translation",
            help="Whether the service translates the prompt to English first.",
        ),
    ] = None
    emulator: Annotated[
        bool, typer.Option("--emulator", help="Stay offline: an emulator answers, for free.")
    ] = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Batching(Waiting):
    """The options of the command that reads a file of prompts."""

    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            metavar="NAME",
            help="The model where the file names none.",
            autocompletion=_models,
        ),
    ] = None
    aspect_ratio: Annotated[
        str | None,
        typer.Option(
            "--aspect-ratio",
            "-a",
            metavar="W:H",
            help="The shape where the file names none.",
            autocompletion=_aspect_ratios,
        ),
    ] = None
    resolution: Annotated[
        str | None,
        typer.Option(
            "--resolution",
            "-r",
            metavar="SIZE",
            help="The size where the file names none.",
            autocompletion=_resolutions,
        ),
    ] = None
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORM",
            help="jsonl, json, csv, lines or paragraphs [default: by the file's beginning].",
            autocompletion=_forms,
        ),
    ] = None
    encoding: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="The encoding of the file, such as cp1252 [default: UTF-8]."
        ),
    ] = None
    in_flight: Annotated[
        int | None, typer.Option(metavar="N", help="Videos that are made at once, at most.")
    ] = None
    rate: Annotated[float | None, typer.Option(metavar="N", help="Requests a second, at most.")] = (
        None
    )
    max_submissions: Annotated[
        int | None, typer.Option(metavar="N", help="Buy so many in this run, at most.")
    ] = None
    upscale: Annotated[
        bool, typer.Option("--upscale", help="Buy the 1080p version of each as well.")
    ] = False
    skip_invalid: Annotated[
        bool, typer.Option("--skip-invalid", help="Leave out the lines that are wrong.")
    ] = False
    extend: Annotated[
        bool, typer.Option("--extend", help="Buy what is new even if little of the file is known.")
    ] = False
    adopt_journal: Annotated[
        bool,
        typer.Option(
            "--adopt-journal",
            help="Resume a journal of another token or address of the same account.",
        ),
    ] = False
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Buy again what failed or was refused.")
    ] = False
    price: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1e9,
            metavar="N",
            help="The price of one purchase, for the sum of a dry run.",
        ),
    ] = None
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check all, say what would be done, and do nothing.")
    ] = False
    emulator: Annotated[
        bool, typer.Option("--emulator", help="Stay offline: an emulator answers, for free.")
    ] = False


OptionsT = TypeVar("OptionsT", bound=Shared)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Emulating(Shared):
    """The options of the emulator on a port."""

    host: Annotated[str, typer.Option(metavar="ADDRESS", help="The address to listen on.")] = (
        "127.0.0.1"
    )
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="N", help="0 picks a free port.")
    ] = 0
    clock_factor: Annotated[
        float, typer.Option(metavar="N", help="Seconds of service time in a real second.")
    ] = 1.0
    seed: Annotated[int, typer.Option(metavar="N", help="The seed of all randomness.")] = 0
    token: Annotated[
        str | None, typer.Option(metavar="TOKEN", help="The only token to accept [default: any].")
    ] = None
    allowed_hosts: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            metavar="NAME",
            help="A further name under which callers reach it, such as a container's; repeat it "
            "for more.",
        ),
    ] = None
    targets: Annotated[
        Literal["public", "loopback", "any"] | None,
        typer.Option(
            metavar="public|loopback|any",
            help="Where it posts callbacks and fetches images: on the internet, on this machine "
            "as well, or anywhere [default: loopback; public if other machines reach the port].",
        ),
    ] = None
    remote_control: Annotated[
        bool, typer.Option("--remote-control", help="Let other machines use the control plane.")
    ] = False


def takes(options: type[OptionsT]) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Give a command the fields of `options` as parameters.

    The command is called with its own parameters and with ``options`` and ``seams``.
    """

    def decorate(function: Callable[..., int]) -> Callable[..., int]:
        names = [field.name for field in dataclasses.fields(options)]

        @functools.wraps(function)
        def command(ctx: typer.Context, **given: Any) -> int:
            chosen = options(**{name: given.pop(name) for name in names})
            return function(**given, options=chosen, seams=ctx.obj)

        # typer makes an option of every parameter in the signature, so the other two are left out.
        command.__signature__ = _signature(function, options)  # type: ignore[attr-defined]
        return command

    return decorate


def _rank(field: dataclasses.Field[Any]) -> int:
    """The place of an option in the help: those that every command has come last."""
    last = [common.name for common in reversed(dataclasses.fields(Waiting))]
    return last.index(field.name) + 1 if field.name in last else 0


def _signature(function: Callable[..., int], options: type[Shared]) -> inspect.Signature:
    hints = get_type_hints(options, include_extras=True)
    context = inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    own = inspect.signature(function, eval_str=True).parameters.values()
    shared = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=hints[field.name],
        )
        for field in sorted(dataclasses.fields(options), key=_rank)
    ]
    kept = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in own
        if parameter.name not in {"options", "seams"}
    ]
    return inspect.Signature([context, *kept, *shared])

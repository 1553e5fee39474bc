"""A shell for tests: commands run in process, on virtual time, against an emulator."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

import pytest

from veo_async import VeoClient
from veo_async._base.runtime import Runtime as ClientRuntime
from veo_async.cli import main
from veo_async.cli._options import Seams
from veo_async.emulator import Emulator, Immediate, VideoFormat
from veo_async.testing._virtual_loop import VirtualEventLoop

T = TypeVar("T")

TERMINAL_VARIABLES = ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS")
"""What changes how rich draws, wherever the tests run."""

TINY = VideoFormat(seconds=0.4, fps=5, short_side=64)


async def inline(function: Callable[[], T], /) -> T:
    """Call at once what would run in a thread."""
    return function()


def tiny_emulator(**options: Any) -> Emulator:
    """An emulator whose videos are rendered in milliseconds."""
    return Emulator(**{"pace": Immediate(), "video": TINY, "run_sync": inline, **options})


def interrupting(*moments: float, with_signal: int = signal.SIGINT) -> type[VirtualEventLoop]:
    """A loop on which Ctrl-C is pressed at these times."""

    class Interrupted(VirtualEventLoop):
        def __init__(self) -> None:
            super().__init__()
            for moment in moments:
                self.call_later(moment, signal.raise_signal, with_signal)

    return Interrupted


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


class Shell:
    """Runs commands as a user does, and says how they ended."""

    def __init__(self, emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
        self.emulator = emulator
        self._capsys = capsys
        self.made_with: list[dict[str, Any]] = []

    def _emulate(self, **options: Any) -> Emulator:
        self.made_with.append(options)
        return self.emulator

    def __call__(
        self,
        *argv: str,
        loop: Callable[[], asyncio.AbstractEventLoop] = VirtualEventLoop,
        **client: Any,
    ) -> Ran:
        """Run one command; `client` are options for its client."""
        seams = Seams(
            loop_factory=loop,
            emulator=self._emulate,
            client={
                "transport": self.emulator.transport(),
                "runtime": ClientRuntime(rng=Random(1)),
                **client,
            },
        )
        code = main(argv, seams=seams)
        streams = self._capsys.readouterr()
        return Ran(code, streams.out, streams.err)

    def with_client(self, work: Callable[[VeoClient], Awaitable[T]]) -> T:
        """Do something with a client of one's own on the same emulator."""

        async def do() -> T:
            transport = self.emulator.transport()
            async with VeoClient(
                "elsewhere", base_url=self.emulator.base_url, transport=transport
            ) as veo:
                return await work(veo)

        with asyncio.Runner(loop_factory=VirtualEventLoop) as runner:
            return runner.run(do())

    def submitted(self, *prompts: str) -> Sequence[str]:
        """The ids of tasks that were submitted elsewhere."""
        from veo_async import TextToVideo

        async def submit(veo: VeoClient) -> list[str]:
            return [(await veo.submit(TextToVideo(prompt=prompt))).id for prompt in prompts]

        return self.with_client(submit)


@pytest.fixture
def emulator() -> Emulator:
    """The service that the commands speak to."""
    return tiny_emulator()


@pytest.fixture
def veo(
    emulator: Emulator, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Shell:
    """A shell whose environment names the emulator."""
    for name in TERMINAL_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ACEDATACLOUD_API_TOKEN", "made-up-token")
    monkeypatch.setenv("ACEDATACLOUD_API_BASE_URL", emulator.base_url)
    return Shell(emulator, capsys)

"""The emulator's face."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import anyio
import httpx

from ._background import Background
from ._callbacks import Courier, Delivery
from ._clock import Clock
from ._durations import Pace, Seconds
from ._faults import Fault, Faults
from ._files import Files, RunSync, in_thread
from ._images import Fetch, Images
from ._ledger import Ledger
from ._options import EPOCH, Account, Limits, VideoFormat, Wire
from ._routes import router
from ._service import Service
from ._serving import bound, serving, url_of
from ._state import Charge
from ._transport import EmulatorTransport

IN_PROCESS = "http://127.0.0.1:1"
"""The address of an emulator that is not on a port. Nobody listens on port 1 (tcpmux), so a client
that was not given the transport fails at once instead of reaching somebody else."""


class Emulator:
    """The service on your own machine: for free, offline.

    In process, `transport` is handed to a client; on a port, `serve` it. Both at once are one and
    the same service. What it does not do is listed in `veo_async.emulator`.

    Args:
        token: the one token that is accepted; by default every one that is not empty.
        refused: tokens that are answered with an error code (see `Account`).
        balance, moderation, failure: see `Account`.
        limits: what is answered with 429.
        wire: how this deployment speaks where the documents leave it open.
        pace: how long a task takes: `Seconds`, `Looks` or `Immediate`.
        video: what the rendered files look like.
        faults: the first rules of `Emulator.faults`.
        seed: all luck comes from it: ids, durations, failures, faults.
        clock_factor: seconds of service time in one second of the caller's.
        epoch: the Unix time when the emulator is first used; fixed by default, so that a run can
            be repeated to the letter. Give ``time.time()`` to work with today's dates.
        skew: seconds by which the service's clock runs ahead.
        date_skew: seconds by which the ``Date`` header runs ahead of even that.
        ledger: a file that keeps what was accepted, so that a later emulator goes on with it in
            another process. Give ``time.time()`` as ``epoch``, so that time goes on as well.
        base_url: how callers reach the service; by default the port it is served on.
        files_url: where files lie; by default ``base_url``, but the real ones are on another host.
        clock: the caller's monotonic clock; by default the event loop's.
        run_sync: how a blocking function is called; by default in a worker thread. Under a virtual
            event loop, give one that calls it inline.
        fetch: gets the bytes behind an image URL; by default over HTTP, with limits.
        callback_transport: what carries callbacks; by default real connections.

    Attributes:
        faults: the rules in force.
    """

    def __init__(
        self,
        *,
        token: str | None = None,
        refused: Mapping[str, str] | None = None,
        balance: int | None = None,
        moderation: str | None = None,
        failure: float = 0.0,
        limits: Limits | None = None,
        wire: Wire | None = None,
        pace: Pace | None = None,
        video: VideoFormat | None = None,
        faults: Iterable[Fault] = (),
        seed: int | str = 0,
        clock_factor: float = 1.0,
        epoch: float = EPOCH,
        skew: float = 0.0,
        date_skew: float = 0.0,
        ledger: str | os.PathLike[str] | None = None,
        base_url: str | None = None,
        files_url: str | None = None,
        clock: Callable[[], float] | None = None,
        run_sync: RunSync | None = None,
        fetch: Fetch | None = None,
        callback_transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.faults = Faults(faults, seed=seed)
        self._background = Background()
        self._images = Images(fetch)
        self._files = Files(video or VideoFormat(), self._images, run_sync or in_thread)
        self._courier = Courier(callback_transport)
        self._service = Service(
            seed=seed,
            pace=pace or Seconds(),
            wire=wire or Wire(),
            account=Account(
                token=token,
                refused=refused or {},
                balance=balance,
                moderation=moderation,
                failure=failure,
            ),
            limits=limits or Limits(),
            clock=Clock(factor=clock_factor, epoch=epoch, monotonic=clock),
            faults=self.faults,
            courier=self._courier,
            files=self._files,
            skew=skew,
            date_skew=date_skew,
        )
        if ledger is not None:
            self._service.go_on_with(Ledger(Path(ledger)))
        self._given_url, self._given_files_url = base_url, files_url
        self._reached_at(IN_PROCESS)
        self.app = router(self._service)

    def _reached_at(self, url: str) -> None:
        self.base_url = (self._given_url or url).rstrip("/")
        self._service.files_url = (self._given_files_url or self.base_url).rstrip("/")

    def __repr__(self) -> str:
        return f"<Emulator at {self.base_url}: {len(self.bill)} accepted>"

    @property
    def bill(self) -> list[Charge]:
        """What was accepted, in that order: what a real service would have charged for."""
        return self._service.backend.bill

    @property
    def counters(self) -> Counter[str | int]:
        """Calls by kind (``submit``, ``retrieve``, ``retrieve_batch``, ``list``, ``file``,
        ``callback``) and answers by status (``200``, ...). ``leaked_token`` counts calls for files
        that bore a token, which they must not."""
        return self._service.counters

    @property
    def deliveries(self) -> list[Delivery]:
        """The calls to a ``callback_url``, in the order in which they were answered."""
        return self._courier.deliveries

    @property
    def limits(self) -> Limits:
        """What is answered with 429; it may be changed while the service runs."""
        return self._service.limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        self._service.limit(limits)

    def now(self) -> float:
        """The service's time in Unix seconds (without ``skew``)."""
        return self._service.clock.now()

    def add_image(self, data: bytes, media_type: str = "image/png") -> str:
        """Put an image on the service's files, for use in ``image_urls``; returns its URL."""
        return f"{self._service.files_url}/images/{self._images.add(data, media_type)}"

    def reset(self) -> None:
        """Forget tasks, bill, counters, rules and files, and start the ids anew."""
        self.faults.clear()
        self._service.reset()

    def transport(self) -> EmulatorTransport:
        """The service for a client in this process."""
        return EmulatorTransport(self.app, self._background)

    @asynccontextmanager
    async def serve(self, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
        """Serve on a port while the block runs; port 0 picks a free one. Yields the base URL.

        Raises:
            OSError: the address is taken.
        """
        listener = bound(host, port)
        before = self.base_url
        self._reached_at(url_of(listener))
        try:
            async with serving(self.app, listener):
                yield self.base_url
        finally:
            self._reached_at(before)

    async def run_forever(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        on_ready: Callable[[str], object] = str,
    ) -> None:
        """Serve until cancelled.

        Args:
            host: the address to listen on.
            port: the port; 0 picks a free one.
            on_ready: called with the base URL once calls are taken.
        """
        async with self.serve(host=host, port=port) as base_url:
            on_ready(base_url)
            await anyio.sleep_forever()

    def close(self) -> None:
        """Remove the files and end what was started, without waiting: for synchronous code."""
        self._background.cancel()
        self._courier.reset()
        self._files.reset()

    async def aclose(self) -> None:
        """End what was started, and remove the files."""
        await self._background.aclose()
        await self._courier.aclose()
        await self._files.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

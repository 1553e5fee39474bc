"""The class `Emulator`: it connects the parts and documents the options."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import anyio
import httpx

from ._access import Access, Guarded, is_loopback
from ._background import Background
from ._callbacks import Courier, Delivery
from ._clock import Clock
from ._durations import Pace, Seconds
from ._egress import Reach, Targets
from ._faults import Fault, Faults
from ._files import Files, RunSync, in_thread
from ._images import Fetch, Images, over_http
from ._ledger import Ledger
from ._options import EPOCH, Account, Limits, VideoFormat, Wire
from ._routes import router
from ._service import Service
from ._serving import bound, serving, url_of
from ._state import Charge
from ._transport import EmulatorTransport

IN_PROCESS = "http://127.0.0.1:1"
"""The address of an emulator that is not on a port. No program listens on port 1 (tcpmux), so a
client without the transport fails immediately instead of reaching another service."""


class Emulator:
    """The service on your own machine: free of charge and offline.

    In the same process, a client uses its `transport`; other processes use a port (`serve`). Both
    can be used at the same time: it is one service. `veo_async.emulator` lists its limits.

    Args:
        token: the only accepted token; ``None`` accepts every token that is not empty.
        refused: tokens that are refused, each with its error code (see `Account`).
        balance: the number of videos that can be bought; ``None`` is unlimited.
        moderation: a regular expression; a prompt that contains a match is refused with 403.
        failure: the part of the accepted tasks that fail at random, between 0 and 1.
        limits: the limits above which a call is answered with 429; none by default.
        wire: the behaviour of the deployment where the documents leave it open.
        pace: how long tasks take: `Seconds` (the default), `Looks`, `Immediate` or your own `Pace`.
        video: the format of the rendered files.
        faults: the first rules of `faults`.
        seed: the seed of everything random: ids, durations, failures, faults.
        clock_factor: seconds of service time in one second of the caller's time.
        epoch: the service's time at its first use, in Unix seconds. It is fixed by default, so
            that a run can be repeated exactly; ``time.time()`` gives today's dates.
        skew: seconds by which the times in answers are ahead of the service's clock.
        date_skew: seconds by which the ``Date`` header is ahead of those times.
        ledger: a file that keeps the accepted tasks, so that a later emulator, also in another
            process, continues with them. Use ``time.time()`` as ``epoch``, so that its time
            continues as well.
        base_url: the address at which callers reach the service; by default that of its port.
        files_url: the address of the files; by default ``base_url``. The real service has its
            files on another host.
        clock: a monotonic clock in seconds, the caller's time; by default the event loop's.
        run_sync: calls a blocking function and awaits its result; by default in a worker thread.
            Under a virtual event loop, use one that calls it inline.
        fetch: gets the bytes of an image by its URL; by default over HTTP, with limits.
        callback_transport: the httpx transport of the callbacks; by default real connections.
        targets: where callbacks are posted and images are fetched, by the default ``fetch`` and
            ``callback_transport``: on the internet (``public``), on this machine as well
            (``loopback``), or at any address, also in private networks (``any``). By default
            ``loopback``, but ``public`` while a port is open to other machines. Connections are
            direct, without a proxy.
        allowed_hosts: further names under which callers reach the port or `app`, such as the
            service's name in a network of containers. IP addresses, ``localhost``, and the hosts of
            ``base_url`` and ``files_url`` are always allowed.
        remote_control: the control plane answers to other machines as well. A container's port is
            reached from another machine: its host.

    Attributes:
        faults: the rules in force.
        base_url: the address for clients; another one while it is served on a port.
        app: the service as an ASGI app, for a port: it refuses the calls of web pages.

    Raises:
        ValueError: ``clock_factor`` is not greater than 0.
        re.error: ``moderation`` is not a regular expression.
        OSError: the ledger cannot be read or written.
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
        targets: Targets | None = None,
        allowed_hosts: Iterable[str] = (),
        remote_control: bool = False,
    ) -> None:
        self.faults = Faults(faults, seed=seed)
        self._background = Background()
        self._reach = Reach(targets)
        self._images = Images(fetch or over_http(self._reach))
        self._files = Files(video or VideoFormat(), self._images, run_sync or in_thread)
        self._courier = Courier(self._reach, callback_transport)
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
            self._service.resume(Ledger(Path(ledger)))
        self._given_url, self._given_files_url = base_url, files_url
        self._reached_at(IN_PROCESS)
        self._router = router(self._service)
        access = Access.of(allowed_hosts, (base_url, files_url), remote=remote_control)
        self.app = Guarded(self._router, self._service, access)

    def _reached_at(self, url: str) -> None:
        self.base_url = (self._given_url or url).rstrip("/")
        self._service.responses.files_url = (self._given_files_url or self.base_url).rstrip("/")

    def __repr__(self) -> str:
        return f"<Emulator at {self.base_url}: {len(self.bill)} accepted>"

    @property
    def bill(self) -> list[Charge]:
        """The accepted submits in their order: the real service would charge for each."""
        return self._service.backend.bill

    @property
    def counters(self) -> Counter[str | int]:
        """The number of calls by kind (``submit``, ``retrieve``, ``retrieve_batch``, ``list``,
        ``file``, ``callback``) and of answers by status (``200``, ...). ``leaked_token`` counts
        the calls for files that contained a token, which they must not."""
        return self._service.counters

    @property
    def deliveries(self) -> list[Delivery]:
        """The calls to a ``callback_url``, in the order of the receivers' answers."""
        return self._courier.deliveries

    @property
    def limits(self) -> Limits:
        """The limits above which a call is answered with 429. New limits hold from then on."""
        return self._service.limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        self._service.limit(limits)

    @property
    def wire(self) -> Wire:
        """The behaviour of the deployment. A new one holds from then on; what is stored stays."""
        return self._service.wire

    @wire.setter
    def wire(self, wire: Wire) -> None:
        self._service.wire = wire

    def now(self) -> float:
        """The service's time in Unix seconds, without ``skew``."""
        return self._service.clock.now()

    def add_image(self, data: bytes, media_type: str = "image/png") -> str:
        """Add an image to the service's files and return its URL, for use in ``image_urls``.

        Args:
            data: the encoded image.
            media_type: its ``Content-Type``.
        """
        return f"{self._service.responses.files_url}/images/{self._images.add(data, media_type)}"

    def reset(self) -> None:
        """Remove tasks, bill, counters, deliveries, rules and files; the ids start again."""
        self.faults.clear()
        self._service.reset()

    def transport(self) -> EmulatorTransport:
        """A new httpx transport to this service, for a client in this process."""
        return EmulatorTransport(self._router, self._background)

    @asynccontextmanager
    async def serve(self, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
        """Serve on a port while the block runs; yields the base URL.

        The port serves programs: calls that a web page makes in a browser are refused.

        Args:
            host: the address to listen on.
            port: the port; 0 picks a free one.

        Raises:
            OSError: the address is in use or does not belong to this machine.
        """
        listener = bound(host, port)
        before = self.base_url
        self._reached_at(url_of(listener))
        exposed = not is_loopback(listener.getsockname()[0])
        self._reach.exposed += exposed
        try:
            async with serving(self.app, listener):
                yield self.base_url
        finally:
            self._reach.exposed -= exposed
            self._reached_at(before)

    async def run_forever(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        on_ready: Callable[[str], object] = str,
    ) -> None:
        """Serve on a port until cancelled.

        Args:
            host: the address to listen on.
            port: the port; 0 picks a free one.
            on_ready: called with the base URL as soon as the service accepts calls.

        Raises:
            OSError: the address is in use or does not belong to this machine.
        """
        async with self.serve(host=host, port=port) as base_url:
            on_ready(base_url)
            await anyio.sleep_forever()

    def close(self) -> None:
        """End calls, callbacks and renders without waiting, and remove the files.

        For synchronous code; asynchronous code uses `aclose` or ``async with``.
        """
        self._background.cancel()
        self._courier.reset()
        self._files.reset()

    async def aclose(self) -> None:
        """End calls, callbacks and renders, and remove the files."""
        await self._background.aclose()
        await self._courier.aclose()
        await self._files.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

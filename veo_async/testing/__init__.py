"""Tools for tests of applications: the service on your own machine, and an event loop that never
waits.

* `Emulator`: the service itself, offline and free of charge. It needs the extra ``emulator``.
* `VirtualEventLoop`: asyncio with virtual time, so that minutes of generation take no time.
  `DeadlockError` says that nothing can happen on it any more.
* `Runtime`: a clock and random numbers for a `VeoClient` whose runs must repeat exactly.

::

    emulator = Emulator()
    runtime = Runtime(wall_clock=lambda: 1_750_000_000.0, rng=random.Random(1))
    with asyncio.Runner(loop_factory=VirtualEventLoop) as runner:
        runner.run(main(VeoClient("any-token", base_url=emulator.base_url,
                                  transport=emulator.transport(), runtime=runtime)))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._base.runtime import Runtime
from ..errors import MissingExtraError
from ._virtual_loop import DeadlockError, VirtualEventLoop

if TYPE_CHECKING:
    from ..emulator import Emulator

__all__ = ["DeadlockError", "Emulator", "Runtime", "VirtualEventLoop"]

for _public in (DeadlockError, Runtime, VirtualEventLoop):
    _public.__module__ = __name__  # the door, not the file behind it


def __getattr__(name: str) -> Any:
    # Late, so that the virtual event loop works without the emulator's libraries.
    if name != "Emulator":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from ..emulator import Emulator
    except ModuleNotFoundError as error:
        raise MissingExtraError(feature="The emulator", extra="emulator") from error
    return Emulator

"""The Veo service on your own machine: for free, offline, with faults on demand.

::

    emulator = Emulator(pace=Seconds(mean=60))
    client = VeoClient("any", base_url=emulator.base_url, transport=emulator.transport())
    ...
    assert len(emulator.bill) == 1  # paid once

or on a port: ``async with emulator.serve() as base_url: ...``. Its answers are shaped by hand after
the vendor's documents, so it is a witness of the wire that owes nothing to the client's models.

How the parts go together::

    transport, serving    the connection: in process, or on a port
    routes, endpoint      the paths; downloads: files with ranges; control: other processes
    exchange              one call, and what the faults with their effects make of it
    service               what is asked: gate and intake refuse, state keeps tasks and the bill,
                          responses write the wire, callbacks are calls of the service's own
    files                 rendered once: images, scene, painting, rendering

What it does **not** do:

- It makes no video of what a prompt says. The files show the prompt, the model and the images of
  the request in moving colours. There is no sound, and no ``gif``: such a request gets an MP4.
- ``translation`` is accepted and does nothing.
- Letters beyond the built-in font (Chinese, Arabic, emoji) are drawn as boxes.
- A task belongs to nobody: every token sees every task. Nothing is kept after the process ends,
  unless ``ledger=`` names a file for it, and files stay for as long as the emulator lives.
- A failed task is on the bill like any other; there are no refunds and no prices.
- Callbacks are posted once, whatever the receiver answers, unless `Wire` says otherwise (faults
  repeat, delay or lose them).
- What the documents leave open is a guess that `Wire` can change: the order and number of items,
  the shape of a pending record, the answer for an unknown id. A page has at most 50 items.
- TLS, HTTP/2, and answers that are not HTTP at all (a garbled status line): the last two need a
  raw socket.
"""

from __future__ import annotations

from ._emulator import Emulator
from .callbacks import Delivery
from .effects import (
    Answer,
    Bomb,
    Drop,
    Early,
    Fail,
    Garble,
    Hang,
    Hide,
    Lag,
    Late,
    Never,
    Refuse,
    Repeat,
    Scramble,
    Slow,
    Torn,
)
from .faults import Fault, Faults
from .options import Account, Limits, VideoFormat, Wire
from .pace import Immediate, Looks, Pace, Plan, Seconds
from .state import Charge
from .transport import EmulatorTransport

__all__ = [
    "Account",
    "Answer",
    "Bomb",
    "Charge",
    "Delivery",
    "Drop",
    "Early",
    "Emulator",
    "EmulatorTransport",
    "Fail",
    "Fault",
    "Faults",
    "Garble",
    "Hang",
    "Hide",
    "Immediate",
    "Lag",
    "Late",
    "Limits",
    "Looks",
    "Never",
    "Pace",
    "Plan",
    "Refuse",
    "Repeat",
    "Scramble",
    "Seconds",
    "Slow",
    "Torn",
    "VideoFormat",
    "Wire",
]

for _public in map(globals().get, __all__):
    if isinstance(_public, type):
        _public.__module__ = __name__  # the door, not the file behind it

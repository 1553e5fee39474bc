"""The Veo service on your own machine: free of charge, offline, with faults on demand.

::

    emulator = Emulator(pace=Seconds(mean=60))
    client = VeoClient("any", base_url=emulator.base_url, transport=emulator.transport())
    ...
    assert len(emulator.bill) == 1  # paid once

or on a port: ``async with emulator.serve() as base_url: ...``. Its answers are written by hand
after the vendor's documents, without the client's models: so a test can find where both differ.

The parts::

    _transport, _serving   the connection: in process, or on a port; _access: who may use a port
    _routes, _endpoint     the paths; _downloads: files with ranges; _control: the control plane
    _exchange              one call and its answer, with the effects of faults
    _service               the logic: _auth_and_limits and _validation refuse calls, _state keeps
                           the tasks and the bill, _responses builds the answers, _callbacks posts
                           the results, and _egress says to which addresses
    _files                 the video files: _images, _scene, _painting, _rendering

What it does **not** do:

- It generates no video from a prompt. The files show the prompt, the model and the images of the
  request in moving colours. There is no sound, and no ``gif``: such a request gets an MP4.
- It accepts ``translation`` and ignores it.
- It draws characters beyond the built-in font (Chinese, Arabic, emoji) as boxes.
- It has a single application: every token sees every task by its id. Each token has a ``user_id``
  of its own; `Wire` decides what a list shows of the others. After the process ends nothing is kept
  except the file that ``ledger=`` names; the video files are removed with the emulator.
- It posts no callback to an address that only discards it: to the vendor's host, or to ``/health``
  of its own. So nothing that is meant for the vendor leaves the machine.
- It knows no refunds and no prices: a failed task is on the bill like any other.
- It posts a callback once, also if the receiver answers with an error, unless `Wire` or a fault
  changes that.
- It guesses where the documents leave something open: the order and number of items, the form of
  a pending record, the answer for an unknown id. `Wire` changes the guess. A page has at most 50
  items.
- It is no server for the internet. A port refuses the calls of web pages, and its control plane
  answers only to this machine (see `Emulator`); but it does not defend itself against programs that
  want to exhaust it, and it forgets no task.
- It speaks neither TLS nor HTTP/2, and always answers in HTTP: a garbled status line needs a raw
  socket.
"""

from __future__ import annotations

from ._callbacks import Delivery
from ._durations import Immediate, Looks, Pace, Plan, Seconds
from ._effects import (
    Answer,
    Bomb,
    Drop,
    Early,
    Ending,
    Fail,
    Garble,
    Hang,
    Hide,
    Lag,
    Late,
    Never,
    Provisional,
    Refuse,
    Repeat,
    Scramble,
    Slow,
    Torn,
    Unreadable,
    endings,
)
from ._emulator import Emulator
from ._faults import Fault, Faults
from ._options import Account, Limits, VideoFormat, Wire
from ._state import Charge
from ._transport import EmulatorTransport

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
    "Ending",
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
    "Provisional",
    "Refuse",
    "Repeat",
    "Scramble",
    "Seconds",
    "Slow",
    "Torn",
    "Unreadable",
    "VideoFormat",
    "Wire",
    "endings",
]

for _public in map(globals().__getitem__, __all__):
    _public.__module__ = __name__  # the door, not the file behind it

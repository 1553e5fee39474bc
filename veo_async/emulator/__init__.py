"""The Veo service on your own machine: for free, offline, with faults on demand."""

from __future__ import annotations

from ._emulator import Emulator
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

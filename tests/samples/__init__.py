"""What the vendor's documents show on the wire, as files: evidence, not inventions.

Each folder is one message: its ``body.json`` (or ``body``, if it is not JSON), its ``status`` if it
is an answer, and a ``SOURCE`` that says where it is documented and what of it is made up.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Sample:
    """One documented message.

    Attributes:
        case: the folder's name.
        body: the bytes.
        source: where it is documented.
        status: the status of an answer; ``None`` for a request or a callback.
    """

    case: str
    body: bytes
    source: str
    status: int | None

    def json(self) -> Any:
        """The body, decoded anew each time."""
        return json.loads(self.body)


def load(case: str) -> Sample:
    """The sample of that name."""
    folder = FOLDER / case
    (body,) = folder.glob("body*")
    status = folder / "status"
    return Sample(
        case=case,
        body=body.read_bytes(),
        source=(folder / "SOURCE").read_text(encoding="utf-8").strip(),
        status=int(status.read_text(encoding="utf-8")) if status.exists() else None,
    )


SAMPLES = {path.parent.name: load(path.parent.name) for path in sorted(FOLDER.glob("*/SOURCE"))}
"""Every sample by its name."""


def named(prefix: str) -> list[Sample]:
    """The samples whose names begin so."""
    return [sample for case, sample in SAMPLES.items() if case.startswith(prefix)]

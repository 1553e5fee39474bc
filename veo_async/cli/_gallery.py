"""The command that writes the page of a folder of videos."""

from __future__ import annotations

import json
from pathlib import Path

import typer

from ..errors import InvalidRequestError
from ..gallery import write_gallery
from ._exits import OK
from ._options import Seams, Shared
from ._screen import Screen
from ._session import run
from ._text import plain


def show(folder: Path, title: str | None, options: Shared, seams: Seams) -> int:
    """Write the page, and print its path."""

    async def work(screen: Screen) -> int:
        try:
            page = write_gallery(folder, title=title)
        except InvalidRequestError as error:
            raise typer.BadParameter(str(error), param_hint="DIR") from None
        except OSError as error:
            problem = f"{folder} cannot be read or written: {error.strerror}."
            raise typer.BadParameter(problem, param_hint="DIR") from None
        screen.print(json.dumps({"gallery": str(page)}) if options.json else plain(str(page)))
        return OK

    return run(work, options, seams)

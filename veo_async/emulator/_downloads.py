"""``GET`` and ``HEAD`` of files, with ranges (RFC 9110, section 14).

Starlette's file response is not used: here a file is a `Reply` like any other, so that the same
faults can truncate, slow down or replace it.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from ._endpoint import Endpoint
from ._errors import ServiceError
from ._exchange import Exchange, Reply
from ._faults import Call

_RANGE = re.compile(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*", re.ASCII | re.IGNORECASE)
EXPIRED = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
"""The words of common object stores."""

_EXPIRES = re.compile(r"\d{1,12}\.\d{3}", re.ASCII)


def part_of(asked: str | None, size: int) -> range | None:
    """The byte range of a ``Range`` header; empty if it lies outside of the file.

    ``None`` is the whole file. That is also the result for several ranges and for a header that
    cannot be parsed, as the standard allows.

    Args:
        asked: the header, if there is one.
        size: the size of the file in bytes.
    """
    match = _RANGE.fullmatch(asked or "")
    first, last = match.groups() if match else ("", "")
    if first and last and int(last) < int(first):
        return None
    if first:
        return range(int(first), min(int(last) + 1, size) if last else size)
    return range(max(0, size - int(last)), size) if last else None


class Downloads(Endpoint):
    """``/files/{task id}.mp4``. It requires no token; a call that contains one is counted."""

    kinds = frozenset({"file"})

    async def answer(self, exchange: Exchange) -> Reply:
        name = exchange.path_params["name"]
        await exchange.understood(Call("file", ids=frozenset({name})))
        if "authorization" in exchange.headers:
            self.service.counters["leaked_token"] += 1
        task = self.service.backend.tasks.get(name)
        if task is None or not task.succeeded(self.service.clock.now()):
            raise ServiceError("not_found", "There is no such file.")
        if self._is_stale(exchange.query.get("expires")):
            return Reply(403, {"content-type": "application/xml"}, EXPIRED)
        path = await self.service.files.path(task, self.service.responses.files_url)
        await exchange.reach("accepted")
        return self._file(exchange, path, self.service.http_date(task.finish_at))

    def _is_stale(self, expires: str | None) -> bool:
        """True if the URL has expired, or is not one that the service has answered."""
        if self.service.wire.url_lifetime is None:
            return False
        good = _EXPIRES.fullmatch(expires or "")
        return good is None or float(good[0]) < self.service.clock.now()

    def _file(self, exchange: Exchange, path: Path, modified: str) -> Reply:
        size = path.stat().st_size
        headers = {
            "content-type": "video/mp4",
            "accept-ranges": "bytes",
            "etag": f'"{path.stem}-{size}"',
            "last-modified": modified,
        }
        asked = exchange.headers.get("range")
        if exchange.headers.get("if-range", headers["etag"]) not in {headers["etag"], modified}:
            asked = None
        part = part_of(asked, size)
        if part is not None and not part:
            return Reply(416, {**headers, "content-range": f"bytes */{size}"})
        if part is not None:
            headers["content-range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
        whole = part or range(size)
        chunks = partial(self.service.files.chunks, path, whole.start, len(whole))
        return Reply(206 if part else 200, headers, chunks=chunks, length=len(whole))


class HostedImages(Endpoint):
    """``/images/{name}``: the images of `Emulator.add_image`."""

    kinds = frozenset({"file"})

    async def answer(self, exchange: Exchange) -> Reply:
        hosted = self.service.files.images.hosted(exchange.path_params["name"])
        if hosted is None:
            raise ServiceError("not_found", "There is no such image.")
        data, media_type = hosted
        return Reply(200, {"content-type": media_type}, data)

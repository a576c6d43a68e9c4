"""HTTP bodies and answers as bytes: decompressing what came, writing what goes out. PURE."""

import zlib
from email.utils import formatdate
from functools import cache, lru_cache
from http import HTTPStatus
from typing import Final

from hangbot.web.http import Response

__all__ = ["unpacked", "written"]

_GZIP_OR_ZLIB: Final = 47
"""zlib's window size that lets it detect which of the two formats it reads."""
_FIRST_FINAL_STATUS: Final = 200
_BODILESS: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


def unpacked(body: bytes, how: str, largest: int) -> bytes | None:
    """Return a decompressed body, cut if it exceeds ``largest``, or ``None`` if it cannot be decompressed."""
    if how.lower() not in {"gzip", "deflate"}:
        return body
    unpacking = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        whole = unpacking.decompress(body, largest + 1)
    except zlib.error:
        return None
    return whole if unpacking.eof or len(whole) > largest else None


def written(response: Response, method: str, *, last: bool, now_s: float) -> tuple[bytes, bool]:
    """Return the bytes of an answer, and whether the connection closes after it."""
    given = {name.lower(): value for name, value in response.headers.items()}
    added = {}
    length = str(len(response.body))
    interim = response.status < _FIRST_FINAL_STATUS
    bodiless = interim or response.status in _BODILESS
    silent = bodiless or method == "HEAD"
    misleads = not silent and ("transfer-encoding" in given or given.get("content-length", length) != length)
    # After these a client does not know where the next answer begins.
    last = last or interim or misleads or "close" in given.get("connection", "").lower()
    if not bodiless and "content-length" not in given:
        added["Content-Length"] = length
    if response.body and "content-type" not in given:
        added["Content-Type"] = "application/octet-stream"
    if "date" not in given:
        added["Date"] = _date(int(now_s))
    if last and "connection" not in given:
        added["Connection"] = "close"
    lines = [f"HTTP/1.1 {response.status} {_phrase(response.status)}"]
    lines += [f"{name}: {value}" for name, value in (*response.headers.items(), *added.items())]
    head = "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n"
    return (head if silent else head + response.body), last


@lru_cache(maxsize=1)
def _date(now_s: int) -> str:
    return formatdate(now_s, usegmt=True)


@cache
def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"

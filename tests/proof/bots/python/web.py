"""HTTP on the standard library: one connection a request, a bound for each; and the health page."""

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.proof.bots.python.faults import has


class Unreachable(Exception):
    """No answer came that can be read: what was asked may have been done."""


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    text: str

    def json(self) -> Any:  # noqa: ANN401  as JSON has it
        """Return its value."""
        try:
            return json.loads(self.text)
        except ValueError:
            raise Unreachable(f"{self.status} with what is no JSON") from None


async def request(
    method: str, url: str, headers: Mapping[str, str], body: object = None, *, within: float = 10.0
) -> Answer:
    """Make a request."""
    parts = urlsplit(url)
    content = b"" if body is None else json.dumps(body).encode()
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    given = {
        "Host": parts.netloc,
        "Connection": "close",
        "Accept": "application/json",
        "Content-Type": "application/json",
        "Content-Length": str(len(content)),
        **headers,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    where = f"{method} {parts.path}"
    try:
        async with asyncio.timeout(None if has("no-time-outs") else within):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80, limit=2**24)
            try:
                writer.write(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode() + content)
                await writer.drain()
                raw = await reader.read()
            finally:
                writer.close()
    except (OSError, TimeoutError) as exc:
        raise Unreachable(f"{where}: {type(exc).__name__}") from None
    return _read(raw, where)


def _read(raw: bytes, where: str) -> Answer:
    top, _, content = raw.partition(b"\r\n\r\n")
    first, *lines = top.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    words = first.split()
    if len(words) < 2 or len(content) < int(headers.get("content-length", "0")):
        raise Unreachable(f"{where}: the connection broke before the answer")
    return Answer(int(words[1]), headers, content.decode("utf-8", "replace"))


async def serve_health(port: int, is_well: Callable[[], bool]) -> asyncio.Server:
    """Serve a page that answers 200 while all is well, 503 otherwise."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(
            OSError, TimeoutError, asyncio.LimitOverrunError, asyncio.IncompleteReadError
        ):
            async with asyncio.timeout(5):
                await reader.readuntil(b"\r\n\r\n")
                status = "200 OK" if is_well() else "503 Service Unavailable"
                writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
                await writer.drain()
        writer.close()

    return await asyncio.start_server(answer, "127.0.0.1", port)

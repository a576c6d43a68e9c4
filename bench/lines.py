"""The child's side of `bench.processes`: requests from standard input, answers to standard output."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

__all__ = ["Handler", "answer_lines"]

Handler = Callable[[dict[str, Any]], Awaitable[object]]


async def answer_lines(handle: Handler) -> None:
    """Answer a request after the other until standard input ends."""
    reader = asyncio.StreamReader(limit=2**24)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    try:
        while line := await reader.readline():
            print(json.dumps(await handle(json.loads(line))), flush=True)
    finally:
        transport.close()

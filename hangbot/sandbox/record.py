"""The file that keeps a sandbox's whole journal, a JSON object a line."""

import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from hangbot.errors import UsageError
from hangbot.sandbox.journal import Event

__all__ = ["recorded"]

logger = logging.getLogger(__name__)

_FIRST: Final = b'{"n": 1,'
"""How each record begins, so that only one of an earlier sandbox is written anew."""


@contextmanager
def recorded(path: Path) -> Iterator[Callable[[Event], object]]:
    """Yield what writes an event; what was written stays readable however the sandbox ends.

    Where that fails it is logged once, and the services go on: they do not answer for the record's disk.

    Raises:
        UsageError: A file is there that is no record.
        OSError: It cannot be opened; or, when the block ends, part of it could not be written.
    """
    if path.is_file() and (begins := _beginning(path)) and begins != _FIRST:
        raise UsageError(f"{path} is no record; it was left as it is", remedy="Name another file.")
    failed: list[OSError] = []
    with path.open("wb", buffering=0) as file:

        def write(event: Event) -> None:
            if failed:
                return
            line = memoryview(f"{json.dumps(event, default=str)}\n".encode())
            try:
                while line:
                    line = line[file.write(line) or 0 :]
            except OSError as exc:
                failed.append(OSError(exc.errno, os.strerror(exc.errno or 0), str(path)))
                logger.error(  # noqa: TRY400  the sentence says it all
                    "[ERROR] the record %s cannot be written (%s): it ends here, and the sandbox goes on",
                    path,
                    exc.strerror,
                    extra={"action": "record_failed"},
                )

        yield write
    if failed:
        raise failed[0]


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(len(_FIRST))

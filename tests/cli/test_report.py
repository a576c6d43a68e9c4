"""What is told to the operator where standard error takes nothing: a stopped terminal, a full pipe."""

import os
import sys
import threading
from collections.abc import Iterator
from typing import Final, Self, TextIO

import pytest

from hangbot.cli.output import report, report_lines
from tests.bounds import WITHIN

LATE: Final = 0.3
"""Seconds after which a reader reads that is slow, but there."""


class FullPipe:
    """A pipe that takes nothing until it is read; after a minute it is read after all."""

    def __init__(self, reader: int, stream: TextIO) -> None:
        self.stream = stream
        self.had_to_be_read = threading.Event()
        self._reader = reader
        self._rescue = threading.Timer(WITHIN, self._read_after_all)

    def __enter__(self) -> Self:
        self._rescue.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._rescue.cancel()
        self._rescue.join()

    def _read_after_all(self) -> None:
        self.had_to_be_read.set()
        self.read()

    def read(self) -> str:
        """Return what was written behind what it was filled with."""
        found = b""
        try:
            while part := os.read(self._reader, 65_536):
                found += part
        except BlockingIOError:
            pass
        return found.decode().lstrip("x")


@pytest.fixture
def pipe() -> Iterator[FullPipe]:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    try:
        while os.write(writer, b"x" * 4_096):
            pass
    except BlockingIOError:
        os.set_blocking(writer, True)
    with os.fdopen(writer, "w", encoding="utf-8") as stream, FullPipe(reader, stream) as full:
        yield full
    os.close(reader)


async def test_it_holds_up_no_loop_and_what_comes_later_is_told(
    pipe: FullPipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", pipe.stream)
    report("lost")
    report_lines("lost\ntoo")
    before = pipe.read()
    report("heard")

    assert not pipe.had_to_be_read.is_set()
    assert before == ""
    assert pipe.read() == "hangbot: heard\n"


def test_a_reader_that_is_late_is_waited_for_where_that_holds_up_nothing(
    pipe: FullPipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", pipe.stream)
    read: list[str] = []
    late = threading.Timer(LATE, lambda: read.append(pipe.read()))
    late.start()

    report("heard")
    late.join()

    assert not pipe.had_to_be_read.is_set()
    assert "".join([*read, pipe.read()]) == "hangbot: heard\n"


def test_a_reader_that_never_reads_keeps_no_command_from_its_end(
    pipe: FullPipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", pipe.stream)
    report("lost")
    report_lines("lost\ntoo")

    assert not pipe.had_to_be_read.is_set()
    assert pipe.read() == ""

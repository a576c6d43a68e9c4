import asyncio
import logging
import os
import sys
from collections.abc import Iterator
from typing import TextIO

import pytest

from hangbot import logs
from hangbot.logs.outlet import Outlet
from hangbot.redact import Redactor
from pytest_hangfm.manual_clock import ManualClock

MUCH = 1_000
"""Lines that no pipe takes while it is not read."""


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    """What is to read, and what is written to."""
    reads, writes = os.pipe()
    os.set_blocking(reads, False)
    with os.fdopen(writes, "w", encoding="utf-8") as stream:
        yield reads, stream
    os.close(reads)


def read(reader: int) -> list[str]:
    found = b""
    try:
        while part := os.read(reader, 65_536):
            found += part
    except BlockingIOError:
        pass
    return found.decode().splitlines()


def test_a_reader_that_does_not_read_holds_nothing_up_and_is_told_later_what_it_missed(
    pipe: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, stream = pipe
    monkeypatch.setattr(sys, "stderr", stream)
    log = logs.set_up("text", "info", Redactor())
    clock = ManualClock()

    async def settle() -> None:
        async with log.settling(clock):
            await clock.advance(1.0)

    for number in range(MUCH):
        logging.getLogger("hangbot").info("line %d %s", number, "x" * 200)
    before = read(reader)
    asyncio.run(settle())
    logging.getLogger("hangbot").info("the end")

    told, end = read(reader)
    lost = MUCH - len(before)
    assert 0 < lost < MUCH
    assert f"| ERROR | [ERROR] {lost} line(s) of the log are lost here: standard error took none" in told
    assert end.endswith(" | the end")
    assert [line.text for line in log.recent.lines()][-1] == "the end"
    assert all(line.endswith("x" * 200) for line in before)


def test_a_text_that_was_begun_is_ended_before_another_and_one_that_was_not_is_not(
    pipe: tuple[int, TextIO],
) -> None:
    reader, stream = pipe
    outlet = Outlet(stream)

    taken = [outlet.write("y" * 200_000), outlet.write("lost"), outlet.write("lost")]
    seen = "".join(read(reader))
    while not outlet.finish():
        seen += "".join(read(reader))
    taken.append(outlet.write("z"))

    assert (taken, seen + "".join(read(reader))) == ([True, False, False, True], "y" * 200_000 + "z")

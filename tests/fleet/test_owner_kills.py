"""Owners of a room's outbox that are killed or stand still at any moment: processes, on real servers."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hangbot.clock import SystemClock
from hangbot.delivery.outbox import Outbox
from hangbot.delivery.record import OutboxRow
from hangbot.factory.outbox import open_fleet, open_owned_outbox
from tests.delivery.builders import message
from tests.fleet.outbox_process import settings_of
from tests.fleet.processes import OutboxProcess, outbox_process

SEED = int(os.environ.get("HANGBOT_PROVE_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)


@asynccontextmanager
async def owned(address: str, fence: int) -> AsyncIterator[Outbox]:
    """Own the room here."""
    settings = settings_of(address)
    async with open_fleet(settings) as cluster, open_owned_outbox(settings, cluster, fence) as (outbox, _):
        yield outbox


def check(rows: list[OutboxRow], lives: list[OutboxProcess]) -> None:
    """Compare what a new owner finds, before it does anything, with what the earlier ones have told."""
    accepted = [key for life in lives for key in life.told("accepted")]
    sending = {key for life in lives for key in life.told("sending")}
    settled = {key for life in lives for key in life.told("settled")}
    state = {row.message.id: row.state for row in rows}
    assert len(state) == len(rows)
    assert [key for key in state if key in set(accepted)] == accepted
    assert {state[key] for key in settled} <= {"delivered"}
    assert {state[key] for key in sending - settled} <= {"sending", "queued", "delivered"}
    assert all(row.in_doubt for row in rows if row.message.id in sending and row.state != "delivered")


async def kill(address: str, folder: Path, times: int) -> None:
    """Let owners follow each other, each killed at any moment."""
    print(f"seed {SEED}")  # noqa: T201  how to repeat it, shown when it fails
    rng, lives, cut_off = random.Random(SEED), list[OutboxProcess](), 0  # noqa: S311  no secret
    for number in range(times):
        args = ("own", address, f"{number}-", str(2 * number + 1))
        with outbox_process(folder / f"told{number}", *args) as life:
            lives.append(life)
            await life.tells(rng.randint(1, 30))
            await asyncio.sleep(rng.uniform(0, 0.06))  # at any moment, not only at the ends of steps

        async with owned(address, 2 * number + 2) as outbox:
            before = await outbox.rows()
            await outbox.recover(SystemClock().wall())
            after = {row.message.id: row for row in await outbox.rows()}
        check(before, lives)
        for row in before:
            now = after[row.message.id]
            if row.state == "sending":
                cut_off += 1
                assert (now.state, now.in_doubt) == ("queued", True)
            else:
                assert now == row
    print(f"{len(before)} messages, {times} kills, {cut_off} cut off on their way")  # noqa: T201  the figures


async def test_owners_that_are_killed_lose_nothing_that_they_told(address: str, tmp_path: Path) -> None:
    await kill(address, tmp_path, 5)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_owners_that_are_killed_again_and_again(address: str, tmp_path: Path) -> None:
    await kill(address, tmp_path, 25)


async def stand_still(address: str, folder: Path, times: int) -> None:
    """Let owners stand still while another one takes the room, and go on then."""
    print(f"seed {SEED}")  # noqa: T201  how to repeat it, shown when it fails
    rng, lives = random.Random(SEED), list[OutboxProcess]()  # noqa: S311  no secret
    for number in range(times):
        args = ("own", address, f"{number}-", str(2 * number + 1))
        with outbox_process(folder / f"told{number}", *args) as life:
            lives.append(life)
            await life.tells(rng.randint(1, 30))
            await asyncio.sleep(rng.uniform(0, 0.06))  # likewise
            life.send(signal.SIGSTOP)
            async with owned(address, 2 * number + 2) as outbox:
                found = await outbox.rows()

                life.send(signal.SIGCONT)
                last_words = await life.ends()
                await outbox.put([message(f"{number}-mine")], SystemClock().wall())

                *rows, mine = await outbox.rows()
        assert "is lost" in last_words
        assert (rows, mine.message.id) == (found, f"{number}-mine")
        check(rows, lives)


async def test_an_owner_that_stood_still_writes_nothing_behind_the_next_one(
    address: str, tmp_path: Path
) -> None:
    await stand_still(address, tmp_path, 2)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_owners_that_stand_still_again_and_again(address: str, tmp_path: Path) -> None:
    await stand_still(address, tmp_path, 25)

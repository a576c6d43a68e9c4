"""A real process that answers and marks, killed at any moment: each answer is whole, no mark too soon."""

import asyncio
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hangbot.clock import SystemClock
from hangbot.delivery.inbox import Inbox, Remembered
from hangbot.delivery.record import OutboxRow
from tests.bounds import WITHIN
from tests.delivery.builders import opened

KILLS = int(os.environ.get("HANGBOT_PROVE_KILLS", "10"))
SEED = int(os.environ.get("HANGBOT_PROVE_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
LINES = 100_000
"""More than are answered before the last kill."""

ANSWERING = """
import asyncio, random, sys
from pathlib import Path
from hangbot.clock import SystemClock
from hangbot.delivery.inbox import Inbox, Witness
from hangbot.delivery.message import Outgoing
from hangbot.delivery.outbox import Outbox
from hangbot.delivery.outbox_file import OutboxFile

async def answer(box, inbox, line, low):
    parts = random.randint(1, 4)  # a handler that runs again says something else
    ids = [f"a{line}", *(f"a{line}.{n}" for n in range(2, parts + 1))]
    await box.put([Outgoing(key, "room", f"{parts}") for key in ids], float(line), first_wins=True)
    await inbox.handled("group_room", [line], low, [Witness(line, line, "print", True)])

async def main():
    box = Outbox(OutboxFile(Path(sys.argv[1])))
    await box.open()
    inbox = Inbox(box.place, SystemClock())
    known = (await inbox.load()).conversations.get("group_room")
    if known is None:
        await inbox.begin("group_room", 0)
    low, heard = (known.low, known.heard) if known else (0, frozenset())
    print("answering", flush=True)
    for start in range(low + 1, int(sys.argv[2]), 3):  # three users beside each other
        lines = [line for line in range(start, start + 3) if line not in heard]
        await asyncio.gather(*(answer(box, inbox, line, start - 1) for line in lines))
asyncio.run(main())
"""


def killed_after(path: Path, seconds: float) -> None:
    with subprocess.Popen(  # noqa: S603  our own code
        [sys.executable, "-c", ANSWERING, str(path), str(LINES)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        process.stdout.readline()
        time.sleep(seconds)
        assert process.poll() is None
        process.kill()
        process.wait(WITHIN)


async def found(path: Path) -> tuple[Remembered, list[OutboxRow]]:
    async with opened(path) as box:
        return await Inbox(box.place, SystemClock()).load(), await box.rows()


@pytest.mark.slow
@pytest.mark.timeout(30 + 10 * KILLS)
def test_whatever_is_killed_each_answer_is_there_once_and_whole_and_no_mark_is_too_soon(path: Path) -> None:
    print(f"seed {SEED}")  # noqa: T201  how to repeat it, shown when it fails
    rng = random.Random(SEED)  # noqa: S311  no secret
    low, firsts = 0, dict[str, str]()
    for _ in range(KILLS):
        killed_after(path, rng.uniform(0.0, 0.2))

        marks, rows = asyncio.run(found(path))

        here = marks.conversations["group_room"]
        groups: dict[str, list[OutboxRow]] = {}
        for row in rows:
            groups.setdefault(row.group_id, []).append(row)
        assert all(len(parts) == int(parts[0].message.text) for parts in groups.values())
        handled = set(range(1, here.low + 1)) | here.heard
        assert handled <= {int(key[1:]) for key in groups}
        assert len(groups) - len(handled) <= 3  # what was answered and not marked yet
        assert here.low >= low
        low = here.low
        texts = {key: parts[0].message.text for key, parts in groups.items()}
        assert firsts.items() <= texts.items()
        firsts = texts
    print(f"{low} lines, {len(firsts)} answers")  # noqa: T201  the figures, for the report
    assert low

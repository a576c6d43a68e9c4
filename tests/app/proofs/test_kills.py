"""An app that is killed at any moment: what a handler counted, said and scheduled is there together.

As `tests/bot/proofs/test_answers.py`, whose world and whose environment (``HANGBOT_PROVE_KILLS=100``) it has.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from tests.bot.proofs.test_answers import KILLS, World, prove
from tests.processes import until

_APP: Final = """
import asyncio
import os
import random

from hangbot import App, ChatMessage, Context

hear = App("quiz")


@hear.on(ChatMessage)
async def question(ctx: Context, message: ChatMessage) -> None:
    word, _, number = (message.text or "").partition(" ")
    if word != "question":
        return
    print("begun", number, flush=True)
    await ctx.store.set("answered", await ctx.store.get("answered", 0) + 1)
    ctx.after(random.random() / 10, ring, number)
    await asyncio.sleep(random.random() / 100)
    for part in range({parts}):
        await ctx.reply(f"answer {{number}}.{{part}} in the words of {{os.getpid()}}")
    await asyncio.sleep(random.random() / 100)


async def ring(ctx: Context, number: str) -> None:
    await ctx.store.set("rung", await ctx.store.get("rung", 0) + 1)
    await ctx.say(f"ring {{number}} in the words of {{os.getpid()}}")
    await asyncio.sleep(random.random() / 100)
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, app=_APP, parts=2)
    yield world
    world.close()


def kept(world: World, key: str) -> int:
    with closing(sqlite3.connect(world.folder / "hangbot-outbox.sqlite3")) as database:
        found = database.execute("SELECT value FROM kept WHERE key = ?", (key,)).fetchone()
    return int(found[0]) if found else 0


@pytest.mark.slow
@pytest.mark.timeout(300 + 60 * KILLS)
def test_counter_messages_and_timers_agree(world: World) -> None:
    questions = 10 * KILLS

    prove(world, kills=KILLS, questions=questions, pause=0.25)

    until(lambda: len(world.answers("ring")) >= questions)
    assert sorted(world.answers("ring")) == sorted(f"ring {number}" for number in range(questions))
    assert kept(world, "answered") == questions
    assert kept(world, "rung") == questions

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest

from hangbot.delivery.message import Outgoing
from hangbot.delivery.outbox import Outbox
from hangbot.delivery.outbox_file import OutboxFile
from hangbot.delivery.record import Settlement, Step
from hangbot.errors import OutboxUnusable
from hangbot.logs import Recent
from hangbot.ops.deliveries import Deliveries
from hangbot.ops.feed import Feed, Sources
from pytest_hangfm.manual_clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from hangbot.bot.bot import Bot

FAILED = Settlement("failed", 3, 1, "the chat refused it", "Say it otherwise.")


class OutOfTheRoom:
    """A bot, as far as the feed looks at it."""

    room = None


class World:
    def __init__(self, outbox: Outbox) -> None:
        self.clock = ManualClock(auto=True)
        self.outbox = outbox
        self.deliveries = Deliveries()
        self.log = Recent()
        self.feed = Feed(
            Sources(
                cast("Bot", OutOfTheRoom()),
                outbox,
                self.deliveries,
                self.log,
                lambda: {"parts": []},
                lambda: False,
                str,
                self.clock,
            )
        )

    async def look(self) -> dict[str, Any]:
        """Look, and return what is new."""
        await self.feed.look()
        return read(self.feed.news())


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    outbox = Outbox(OutboxFile(tmp_path / "outbox.sqlite3"))
    await outbox.open()
    made = World(outbox)
    yield made
    await made.feed.close()
    await outbox.close()


def read(event: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(event.decode().partition("data: ")[2])
    return found


def settled(key: str) -> Step:
    return Step(key, 1.0, "settled", 1, FAILED.reason, settlement=FAILED)


async def test_what_the_outbox_has_a_moment_after_its_step_is_shown(world: World) -> None:
    await world.outbox.put([Outgoing("m-1", "room", "hello")], 1.0)
    await world.look()

    world.deliveries.step(settled("m-1"))
    early = await world.look()
    await world.outbox.settle("m-1", FAILED, [settled("m-1")], 2.0)
    late = await world.look()
    calm = await world.look()

    assert early.get("troubles") is None
    assert [(row["id"], row["reason"]) for row in late["troubles"]] == [("m-1", "the chat refused it")]
    assert late["deliveries"][0]["state"] == "failed"
    assert calm == {}


async def test_lines_and_answers_are_given_once_and_a_new_page_has_them_all(world: World) -> None:
    world.log.add(1.0, "INFO", "hangbot", "one")
    world.deliveries.step(Step("m-1", 1.0, "answer", 1, "acknowledged", 0.5))
    first = await world.look()
    world.log.add(2.0, "INFO", "hangbot", "two")
    second = await world.look()
    whole = read(world.feed.whole())

    assert (first["log"], first["acks"]) == ([[1.0, "INFO", "one"]], [[1.0, 500.0, 1]])
    assert (second["log"], second.get("acks")) == ([[2.0, "INFO", "two"]], None)
    assert (len(whole["log"]), len(whole["acks"])) == (2, 1)


async def test_an_outbox_that_cannot_be_read_is_said_and_the_rest_is_shown(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise OutboxUnusable("the disk is gone")

    monkeypatch.setattr(world.outbox, "queue", fail)
    shown = await world.look()

    assert shown["queue"] == {"waiting": 0, "oldest_at": None, "held": [], "silent": True}
    assert shown["health"] == {"parts": []}


async def test_what_waits_is_counted_with_what_it_waits_for(world: World) -> None:
    for key in ("m-1", "m-2"):
        await world.outbox.put([Outgoing(key, "room", "hello")], 1_799_999_990.0)
    detail = "held up by the rate (30 s)"
    world.deliveries.step(Step("m-1", world.clock.wall(), "waiting", 0, detail, 30.0))

    shown = await world.look()
    await world.clock.sleep(60.0)
    later = await world.look()

    assert (shown["queue"]["waiting"], shown["queue"]["oldest_at"]) == (2, 1_799_999_990.0)
    assert [(row["id"], row["why"]) for row in shown["queue"]["held"]] == [("m-1", detail)]
    assert shown["deliveries"][1]["doing"] == detail
    assert later["queue"]["held"] == []


async def test_a_room_action_stands_among_the_deliveries_and_an_old_message_does_not(world: World) -> None:
    end = Settlement("delivered", 1, 1)
    world.deliveries.step(Step("voteOnSong-0123abcd", 5.0, "settled", 1, "tier 1", settlement=end))
    world.deliveries.step(Step("an-old-message", 4.0, "settled", 1, "tier 1", settlement=end))

    shown = await world.look()

    assert [(row["text"], row["state"], row["tier"]) for row in shown["deliveries"]] == [
        ("room action voteOnSong", "delivered", 1)
    ]


async def test_the_text_of_a_direct_message_is_not_shown(world: World) -> None:
    await world.outbox.put([Outgoing("m-1", "alice", "between us", direct=True)], 1.0)

    shown = await world.look()

    assert shown["deliveries"][0]["text"] == "a direct message of 10 letters"

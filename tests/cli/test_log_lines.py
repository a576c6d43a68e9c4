"""The log of a bot as a machine reads it."""

import json
from typing import TYPE_CHECKING, Any

from tests.cli.stories import Heard

if TYPE_CHECKING:
    from hangbot.sandbox import Sandbox
    from tests.cli.conftest import Bench


def test_each_line_is_an_object_that_names_its_event_its_room_and_its_message(bench: "Bench") -> None:
    async def speak(sandbox: "Sandbox") -> None:
        alice = sandbox.users.add("alice", uid="alice")
        await alice.join()
        await alice.dm(sandbox.bot.uid, "between us")
        sandbox.faults.add("chat.send", "cut_after_store")
        await alice.say("/uptime")

    def story() -> None:
        running.wait()
        bench.do(speak)
        bench.wait_for(lambda row: row["service"] == "chat" and "has been up for" in str(row.get("body")))

    with Heard("[OK] the chat is heard by push") as running:
        ended = bench.call.beside(story, "--log-format", "json", "run")

    rows: list[dict[str, Any]] = [json.loads(line) for line in ended.err.splitlines()]
    assert {row["room"] for row in rows} == {bench.sandbox.room.uuid}
    heard = [row["message"] for row in rows if row["event"] == "heard"]
    assert heard == ["[HEARD] alice, to the bot alone: 10 characters", "[HEARD] alice: /uptime"]
    (said,) = [row for row in rows if row["event"] == "said"]
    its = [row for row in rows if row.get("message_id") == said["message_id"]]
    story_of = [(row["event"], row["attempt"]) for row in its if row is not said]
    assert story_of == [
        ("delivery_answer", 1),
        ("delivery_waiting", 1),
        ("delivery_asked", 1),
        ("delivery_settled", 1),
    ]
    assert "between us" not in ended.err

"""What the passing of time does in a room."""

from typing import TYPE_CHECKING

from hangbot.sandbox import Sandbox
from tests.cases import cases

if TYPE_CHECKING:
    from tests.sandbox.room.conftest import Client, OpenClient


@cases("seconds", ("default", 20.0), ("variant", 3.0))
async def test_user_left_comes_after_roomleave_too(open_client: "OpenClient", seconds: float) -> None:
    watcher = await open_client("watcher", joined=True, user_left_s=seconds)
    sandbox = watcher.sandbox
    client = await open_client(joined=True, at=sandbox)

    left = await client.verb("roomLeave", room=sandbox.room_uuid)
    lingering = sandbox.bot.uid in sandbox.room
    sandbox.clock.advance(seconds)
    told = await watcher.until("userLeft")

    assert left["status"] == "OK"
    assert lingering
    assert told["statePatch"][-1] == {"op": "remove", "path": f"/allUserData/{sandbox.bot.uid}"}
    assert await client.quiet()


async def test_on_a_dead_network_a_user_lingers(sandbox: Sandbox, joined: "Client") -> None:
    sandbox.clock.advance(30)
    await joined.next()  # the ping, which stays unanswered
    after_30 = len(sandbox.server.connections)
    sandbox.clock.advance(30)
    code = await joined.end()
    await sandbox.journal.wait_for(lambda e: e["kind"] == "close" and e["dir"] == "in")
    after_60 = sandbox.bot.uid in sandbox.room
    sandbox.clock.advance(20)

    assert (after_30, code) == (1, 1005)
    assert after_60
    assert sandbox.bot.uid not in sandbox.room

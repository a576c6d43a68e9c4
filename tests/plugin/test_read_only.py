import pytest

from hangbot import Outgoing
from hangbot.config import Settings
from hangbot.factory import open_clients, open_room
from hangbot.sandbox import Sandbox
from pytest_hangfm.read_only import skip_unless_joining, skip_unless_reading


async def test_a_chat_client_skips_without_leave(hangfm_sandbox: Sandbox, hangfm_settings: Settings) -> None:
    async with open_clients(hangfm_settings, guard=skip_unless_reading) as clients:
        await clients.chat.join()
        assert await clients.chat.history() == []
        with pytest.raises(
            pytest.skip.Exception, match="POST /messages: others would see it on a live target"
        ):
            await clients.chat.send(Outgoing("m-1", hangfm_sandbox.room_uuid, "hello"))

    assert hangfm_sandbox.messages == []


async def test_a_room_client_skips_without_leave(hangfm_sandbox: Sandbox, hangfm_settings: Settings) -> None:
    async with open_room(hangfm_settings, guard=skip_unless_joining) as room:
        await room.join()
        with pytest.raises(pytest.skip.Exception, match="addDj: others would see it"):
            await room.act("addDj")

    assert hangfm_sandbox.state["djs"] == []

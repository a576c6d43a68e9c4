import pytest

from hangbot import Outgoing
from hangbot.hangfm.chat import ChatClient
from hangbot.hangfm.room import RoomClient
from hangbot.sandbox import Sandbox
from pytest_hangfm.read_only import only_reads_chat, only_reads_room


async def test_without_leave_a_chat_client_joins_and_reads_and_skips_before_it_sends(
    hangfm_sandbox: Sandbox, hangfm_chat: ChatClient
) -> None:
    chat = only_reads_chat(hangfm_chat)

    await chat.join()
    assert await chat.history() == []
    with pytest.raises(pytest.skip.Exception, match="POST /messages: others would see it on a live target"):
        await chat.send(Outgoing("m-1", hangfm_sandbox.room_uuid, "hello"))

    assert hangfm_sandbox.messages == []


async def test_without_leave_a_room_client_joins_and_skips_before_it_acts(
    hangfm_sandbox: Sandbox, hangfm_room: RoomClient
) -> None:
    room = only_reads_room(hangfm_room)

    with pytest.raises(pytest.skip.Exception, match="addDj: others would see it"):
        await room.act("addDj")

    assert hangfm_sandbox.state["djs"] == []

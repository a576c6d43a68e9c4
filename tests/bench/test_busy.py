from bench.busy import MIX, BusyRoom
from hangbot.sandbox import Sandbox


async def test_the_same_happens_in_two_rooms_as_often_as_the_mix_says(hangfm_sandbox: Sandbox) -> None:
    rooms = [hangfm_sandbox.room, hangfm_sandbox.add_room("other")]
    busy = []
    for room in rooms:
        await hangfm_sandbox.users.add("listener").join(room)
        busy.append(BusyRoom(hangfm_sandbox, room))
        await busy[-1].open()

    for each in busy:
        await each.happen(sum(MIX.values()), seed=1, rate=1e6)

    lines = [
        [
            message["data"]["text"]
            for message in hangfm_sandbox.messages
            if message["receiver"] == room.uuid and "text" in message["data"]
        ]
        for room in rooms
    ]
    assert lines[0] == lines[1]
    assert len(lines[0]) == MIX["lines"] + MIX["lines that are answered"]

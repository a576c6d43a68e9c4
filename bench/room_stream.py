"""What happens in a room of the sandbox, as the room's messages: the same stream for all who are measured."""

import json
import random
from typing import Any, Final

from bench.servers import long_song
from hangbot.sandbox import RoomVariants
from hangbot.sandbox.people import People
from hangbot.sandbox.room.room import Room, RoomMessage

__all__ = ["HAPPENS", "room_stream"]

HAPPENS: Final = {
    "vote": "a vote",
    "join": "a join",
    "leave": "a leave of the newest",
    "shift": "a leave out of the middle, after which the lists move up",
    "song": "a song after a song, twenty having voted",
}
"""The kinds of batches that are measured, in words."""

_DJS: Final = 5
_BATCH: Final = 20
"""Messages between two looks at the clock: looking takes Node a fifth of a microsecond."""


def room_stream(users: int, number: int) -> dict[str, Any]:
    """Make a room of so many users, and so many batches of messages of each kind.

    Returns:
        ``state``: the room's, before all of them; ``batches``: pairs of a kind (of `HAPPENS`, or
        ``besides``, which is not measured) and its messages, in order.
    """
    rng = random.Random(users)  # noqa: S311  a stream, not a secret
    people, room = People(lambda: 1_800_000_000.0), Room("room", "room", "Room", RoomVariants())
    room.moderation.update_settings({"roomSize": 2 * users})
    there = [people.add(f"user {at}") for at in range(users)]
    for person in there:
        room.presence.enter(person, "bench")
    for person in there[:_DJS]:
        room.stage.add_dj(person.uid, long_song("first"), 0)
    stream: dict[str, Any] = {"state": json.loads(json.dumps(room.state)), "batches": []}

    def take(kind: str, *changes: list[RoomMessage]) -> None:
        messages = [message.body() for change in changes for message in change if message.patch]
        stream["batches"].append([kind, json.loads(json.dumps(messages))])

    for at in range(number):
        for _ in range(4):
            take(
                "vote",
                *(
                    room.votes.cast(one.uid, {"like": rng.choice((True, False))})
                    for one in rng.sample(there, _BATCH)
                ),
            )
        guests = [people.add(f"guest {at}") for _ in range(_BATCH)]
        take("join", *(room.presence.enter(guest, "bench") for guest in guests))
        take("leave", *(room.presence.leave(guest.uid, 0) for guest in reversed(guests)))
        gone = [there.pop(rng.randrange(_DJS, len(there))) for _ in range(_BATCH)]
        take("shift", *(room.presence.leave(one.uid, 0) for one in gone))
        there += [people.add(f"newer {at}") for _ in range(_BATCH)]
        take("join", *(room.presence.enter(one, "bench") for one in there[-_BATCH:]))
        songs = [
            room.stage.update_next_song(dj["uuid"], long_song(f"song {at}"), 0) for dj in room.state["djs"]
        ]
        votes = [room.votes.cast(one.uid, {"like": True}) for one in rng.sample(there, _BATCH)]
        take("besides", *songs, *votes)
        take("song", room.stage.next_song(at))
    return stream

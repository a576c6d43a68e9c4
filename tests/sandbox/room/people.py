"""Users for the pure parts of a room, and a room with some of them in it."""

from typing import Any

from hangbot.sandbox.people import People, Person
from hangbot.sandbox.room.room import Room
from hangbot.sandbox.room.state import RoomMessage
from hangbot.sandbox.room.variants import RoomVariants

NOW = 1_800_000_000_000
PEOPLE = People(lambda: 1_800_000_000.0)
ANN, BEN, CAT, DAN = (PEOPLE.add(name) for name in ("ann", "ben", "cat", "dan"))
MOD = PEOPLE.add("mod", role="globalModerator")
GHOST = PEOPLE.add("ghost-9910", role="guest")
EVERYONE = (ANN, BEN, CAT, DAN, MOD, GHOST)


def room_with(*people: Person, **variants: Any) -> Room:  # noqa: ANN401  passed on
    room = Room("room-uuid", "room", "Room", RoomVariants(**variants))
    for person in people:
        room.presence.enter(person, "test")
    return room


def names(messages: list[RoomMessage]) -> list[str]:
    return [message.name for message in messages]


def lists(room: Room, key: str) -> list[str]:
    return [PEOPLE.get(user["uuid"]).nickname for user in room.state[key]]

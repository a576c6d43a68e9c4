"""Faults of the room and its socket."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

from hangbot.sandbox import ActionRefused
from pytest_hangfm.proof.scenarios.state import UNFITTING, bustle
from pytest_hangfm.proof.search.kind import Args, FaultKind, Happen, armed, away

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_hangfm.proof.play import Play

__all__ = ["CUTS", "ROOM_KINDS"]

CUTS: Final = ("room.cut", "room.closed")
"""The classes that end the room socket and do nothing else."""


async def _cut(play: Play) -> None:
    await play.cut()


def _ends(how: str) -> Happen:
    async def happen(play: Play, _args: Args, _lasts: float) -> int:
        if not play.room_sockets():
            return 0
        await play.cut(how)  # type: ignore[arg-type]  # one of the three ways
        return 1

    return happen


async def _reset(play: Play, _args: Args, _lasts: float) -> int:
    if not play.room_sockets():
        return 0
    play.mark("the room is reset")
    await play.sandbox.reset_room()
    return 1


def _in_a_bustle(on: str, do: str) -> Happen:
    """Arm a fault of the room's messages while people come, vote and leave."""
    happen_alone = armed(on, do)

    async def happen(play: Play, args: Args, lasts: float) -> int:
        going = asyncio.create_task(_people_come_and_go(play), name="people come and go")
        try:
            return await happen_alone(play, args, lasts)
        finally:
            going.cancel()
            await asyncio.gather(going, return_exceptions=True)

    return happen


async def _people_come_and_go(play: Play) -> int:
    host = play.sandbox.users.add("a guest who plays")
    try:
        await host.join()
        await bustle(play, host)
        await host.leave()
    except ActionRefused:  # the room was reset meanwhile
        return 0
    return 1


async def _crowd(play: Play, _args: Args, _lasts: float) -> int:
    if not play.room_sockets():
        return 0
    play.mark("people come and go")
    return await _people_come_and_go(play)


def _odd(send: Callable[[Play], None], what: str) -> Happen:
    async def happen(play: Play, _args: Args, _lasts: float) -> int:
        if not play.room_sockets():
            return 0
        play.mark(what)
        send(play)
        return 1

    return happen


def _unfitting(play: Play) -> None:
    for step in UNFITTING:
        play.room_says({"name": "votedOnSong", "statePatch": [step]})


def _unknown(play: Play) -> None:
    messages: tuple[Any, ...] = (
        "a plain text",
        None,
        {"name": "somethingNew"},
        {"name": "x", "statePatch": 3},
    )
    for message in messages:
        play.room_says(message)
    play.room_frame('{"context":"somethingNew"}')
    play.room_frame(json.dumps({"context": "response", "messageId": 999_999, "error": "for no one"}))


_REFUSED: Final = "the server is shutting down"
_ROOM: Final = ("room", "answers")

ROOM_KINDS: Final = (
    FaultKind("room.cut", _ends("abort"), _ROOM, (0.0, 0.0), weight=2.0, may_end=True),
    FaultKind("room.closed", _ends("close"), _ROOM, (0.0, 0.0), may_end=True),
    FaultKind(
        "room.closed-on-purpose", _ends("close_deliberate"), _ROOM, (0.0, 0.0), weight=0.5, may_end=True
    ),
    FaultKind("room.reset", _reset, _ROOM, (0.0, 0.0), weight=0.5, may_end=True),
    FaultKind("room.away", away("room.connect", "refuse", _cut, times=0), _ROOM, (2.0, 5.0), may_end=True),
    FaultKind(
        "room.proxy-page",
        away("room.connect", "status", _cut, status=503, body="<html>503</html>"),
        _ROOM,
        (3.0, 5.0),
        {"times": (1, 2)},
        may_end=True,
    ),
    FaultKind(
        "room.join-refused",
        away("room.joinRoom", "status", _cut, body=_REFUSED),
        _ROOM,
        (3.0, 5.0),
        {"times": (1, 2)},
        may_end=True,
    ),
    FaultKind(
        "room.join-late",
        away("room.joinRoom", "delay", _cut),
        _ROOM,
        (4.0, 6.0),
        {"ms": (1500, 3000)},
        may_end=True,
    ),
    FaultKind(
        "room.no-welcome", away("room.welcome", "drop", _cut), _ROOM, (3.0, 5.0), weight=0.5, may_end=True
    ),
    FaultKind(
        "room.messages-lost", _in_a_bustle("room.message", "drop"), _ROOM, (2.0, 3.0), {"times": (2, 6)}
    ),
    FaultKind(
        "room.messages-twice",
        _in_a_bustle("room.message", "duplicate"),
        _ROOM,
        (2.0, 3.0),
        {"times": (4, 12)},
    ),
    FaultKind(
        "room.messages-reordered",
        _in_a_bustle("room.message", "reorder"),
        _ROOM,
        (2.0, 3.0),
        {"times": (2, 6)},
    ),
    FaultKind(
        "room.patches-unfitting", _odd(_unfitting, "patches that do not fit"), _ROOM, (0.0, 0.0), weight=0.5
    ),
    FaultKind(
        "room.frames-unknown", _odd(_unknown, "frames that nothing describes"), _ROOM, (0.0, 0.0), weight=0.5
    ),
    FaultKind("room.crowd", _crowd, _ROOM, (0.0, 0.0), weight=0.5),
)

"""What happens to the room's state."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Final

from pytest_hangfm.proof.scenario import scenario

if TYPE_CHECKING:
    from hangbot.sandbox import Actor
    from pytest_hangfm.proof.play import Play

__all__ = ["UNFITTING", "bustle"]

_SETTLED: Final = 1.0
"""Seconds until a bot that trips over a message has fallen."""
_AWAITED: Final = 3.0
"""Seconds until a bot has given up waiting for the profiles: one waits for 2.5."""
UNFITTING: Final = (
    {"op": "remove", "path": "/allUserData/not-there/songVotes/like"},
    {"op": "replace", "path": "/djs/7/nextSongId", "value": "x"},
    {"op": "add", "path": "/nothing/of/this/kind", "value": 1},
    {"op": "test", "path": "/vibeMeter", "value": "no number"},
)
"""Steps of a patch for which a room's state has no place."""


async def bustle(play: Play, dj: Actor, times: int = 3) -> None:
    """Let people come, vote and leave while another user plays."""
    await dj.dj()
    for number in range(times):
        guest = play.sandbox.users.add(f"guest {number}")
        await guest.join()
        await guest.vote(like=True)
        await guest.jump()
        await asyncio.sleep(0.05)
        await guest.leave()
    await dj.step_down()


async def _still_well(play: Play) -> None:
    await asyncio.sleep(_SETTLED)
    await play.must_recover(within=20)


@scenario("state.early", needs=("room",), seconds=6)
async def early(play: Play) -> None:
    """Patches come before the state that they belong to."""
    await play.company()
    fault = play.fault("room.joinRoom", "delay", ms=1500)
    await play.start()
    await play.until(lambda: bool(play.sandbox.faults.hits(fault.id)), within=20)
    await bustle(play, play.people[0])
    play.must_have_hit(fault)
    await _still_well(play)


@scenario("state.no-profiles", needs=("room",), seconds=8)
async def no_profiles(play: Play) -> None:
    """The profiles of those in the room are lost, and those people vote and leave."""
    await play.company()
    fault = play.fault("room.message", "drop", name="updatedUserData")
    await play.start()
    await play.joined()
    await asyncio.sleep(_AWAITED)
    play.must_have_hit(fault)
    await bustle(play, play.people[0])
    await _still_well(play)


@scenario("state.doubled", needs=("room",), seconds=6, pace="quick")
async def doubled(play: Play) -> None:
    """Every message of the room comes twice for a while."""
    await play.ready()
    fault = play.fault("room.message", "duplicate", times=12)
    await bustle(play, play.people[0])
    play.must_have_hit(fault)
    play.heal()
    await _still_well(play)


@scenario("state.lost", needs=("room",), seconds=6, pace="quick")
async def lost(play: Play) -> None:
    """Messages of the room are lost, so that later patches do not fit."""
    await play.ready()
    fault = play.fault("room.message", "drop", times=4)
    await bustle(play, play.people[0])
    play.must_have_hit(fault)
    play.heal()
    await bustle(play, play.people[0])
    await _still_well(play)


@scenario("state.reordered", needs=("room",), seconds=6)
async def reordered(play: Play) -> None:
    """Messages of the room change places."""
    await play.ready()
    fault = play.fault("room.message", "reorder", times=6)
    await bustle(play, play.people[0])
    play.must_have_hit(fault)
    play.heal()
    await bustle(play, play.people[0])
    await _still_well(play)


@scenario("state.unfitting", needs=("room",), seconds=6, pace="quick")
async def unfitting(play: Play) -> None:
    """A patch removes and replaces what is not there."""
    await play.ready()
    for step in UNFITTING:
        play.room_says({"name": "votedOnSong", "statePatch": [step]})
    await _still_well(play)


@scenario("state.song-end", needs=("room",), seconds=6, pace="quick")
async def song_end(play: Play) -> None:
    """Songs end, are skipped, and nothing follows."""
    await play.ready()
    first, second = play.people[0], play.people[1]
    await first.dj()
    await second.dj()
    for _ in range(3):
        await play.sandbox.next_song()
        await asyncio.sleep(0.1)
    await first.step_down()
    await second.step_down()
    await _still_well(play)


@scenario("state.leaving", needs=("room",), seconds=6, pace="quick")
async def leaving(play: Play) -> None:
    """Thirty people come, and leave at once."""
    await play.ready()
    guests = [play.sandbox.users.add(f"guest {number}") for number in range(30)]
    for guest in guests:
        await guest.join()
    for guest in guests:
        await guest.leave()
    await _still_well(play)


@scenario("state.odd-people", needs=("room",), seconds=6)
async def odd_people(play: Play) -> None:
    """People have names of emoji, quotes, markup and 200 characters."""
    await play.ready()
    for name in ("🦄🦄🦄", "'; --", "<b>bold</b>", "__proto__", "constructor", "%s%n{0}", "x" * 200):
        guest = play.sandbox.users.add(name)
        await guest.join()
        await guest.dj()
        await guest.step_down()
        await guest.leave()
    await _still_well(play)


@scenario("state.roles", needs=("room",), seconds=6)
async def roles(play: Play) -> None:
    """People become moderators and lose the role, the guests' password changes."""
    await play.ready()
    for role in ("moderator", None):
        play.sandbox.users.set_role(play.people[0].uid, role)
    await play.sandbox.set_guest_password("sesame")
    await play.sandbox.set_guest_password(None)
    await _still_well(play)


@scenario("state.unknown-messages", needs=("room",), seconds=6, pace="quick")
async def unknown_messages(play: Play) -> None:
    """Frames come whose kind, name or shape nothing describes."""
    await play.ready()
    for message in (
        "a plain text",
        7,
        None,
        {"name": 5},
        {"name": "somethingNew"},
        {"name": "x", "statePatch": 3},
    ):
        play.room_says(message)
    for frame in (
        '{"context":"alert","message":"maintenance at noon"}',
        '{"context":"somethingNew"}',
        "7",
        "[]",
    ):
        play.room_frame(frame)
    play.room_frame(json.dumps({"context": "response", "messageId": 999_999, "error": "for no one"}))
    await _still_well(play)

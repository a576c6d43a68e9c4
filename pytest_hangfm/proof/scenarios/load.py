"""What a bot costs, and what it does when much happens."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from pytest_hangfm.proof.judge import growth, idle_requests
from pytest_hangfm.proof.scenario import NotApplicable, scenario

if TYPE_CHECKING:
    from pytest_hangfm.proof.play import Play

_CROWD: Final = 200
_WATCHED: Final = 20.0
_ROUNDS: Final = 12
_ROUND: Final = 60


@scenario("load.crowd", rules=("load.crowd", "load.crowd-requests"), seconds=35)
async def crowd(play: Play) -> None:
    """Two hundred people are in the room."""
    await play.ready()
    for number in range(_CROWD):
        await play.sandbox.users.add(f"one of many {number}").join()
        if number % 20 == 0:
            await asyncio.sleep(0)
    await play.must_recover()
    before = play.mark("nothing happens")
    await play.ended(within=_WATCHED)
    play.blame(idle_requests(play.evidence(), before, _WATCHED), "load.crowd-requests")


@scenario("load.memory", needs=("room",), seconds=45)
async def memory(play: Play) -> None:
    """Thousands of songs, votes and comings happen within a minute."""
    await play.ready()
    sizes: list[int] = []
    for number in range(_ROUNDS):
        for _ in range(_ROUND):
            guest = play.sandbox.users.add(f"guest {number}")
            await guest.join()
            await guest.dj()
            await guest.vote(like=True)
            await guest.step_down()
            await guest.leave()
            await asyncio.sleep(0.03)
        size = play.memory()
        if size is None:
            raise NotApplicable("its memory cannot be measured on this system")
        sizes.append(size)
    await play.must_recover(ask=False)  # one that greets everybody has much to say before it answers
    play.blame(growth(sizes))

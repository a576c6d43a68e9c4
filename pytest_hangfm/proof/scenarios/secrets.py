"""What must not be printed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pytest_hangfm.proof.judge import leaks, tokens_in_urls
from pytest_hangfm.proof.scenario import scenario

if TYPE_CHECKING:
    from pytest_hangfm.proof.play import Play


@scenario("secrets.output", rules=("secrets.output", "secrets.url"), seconds=9, pace="quick")
async def output(play: Play) -> None:
    """The bot starts, answers, meets an error of each service, and ends."""
    await play.ready()
    play.fault("chat.*", "status", status=500, body="")
    play.fault("gateway.token", "status", status=500, body="")
    play.fault("room.connect", "status", status=503, body="no")
    await play.cut()
    await asyncio.sleep(3)
    play.heal()
    await play.stop()
    play.blame(leaks(play.evidence()))
    play.blame(tokens_in_urls(play.evidence()), "secrets.url")

"""What must not be printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_hangfm.proof.judge import leaks
from pytest_hangfm.proof.scenario import scenario

if TYPE_CHECKING:
    from pytest_hangfm.proof.play import Play


@scenario("secrets.output", seconds=6, pace="quick")
async def output(play: Play) -> None:
    """The bot starts, answers, meets an error of each service, and ends."""
    await play.ready()
    play.fault("chat.*", "status", status=500, body="")
    play.sandbox.server.disconnect_all()
    await play.trouble(within=10)
    await play.stop()
    play.blame(leaks(play.evidence()))

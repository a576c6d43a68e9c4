"""How a bot ends."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from pytest_hangfm.proof.scenario import scenario

if TYPE_CHECKING:
    from pytest_hangfm.proof.play import Play

_LIMIT_S = 10.0


@scenario("stop.sigterm", seconds=4, pace="quick")
async def sigterm(play: Play) -> None:
    """SIGTERM asks the bot to end."""
    await play.ready()
    play.signal(signal.SIGTERM)
    code = await play.ended(within=_LIMIT_S)
    if code is None:
        play.blame(f"it still ran {_LIMIT_S:.0f} s after SIGTERM")

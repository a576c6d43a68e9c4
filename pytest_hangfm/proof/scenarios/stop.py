"""How a bot ends."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Final

from pytest_hangfm.proof.judge import doubled, lost
from pytest_hangfm.proof.scenario import scenario
from pytest_hangfm.proof.scenarios.chat_in import come_back

if TYPE_CHECKING:
    from pytest_hangfm.proof.play import Play

_LIMIT_S: Final = 10.0


async def _must_end(play: Play, number: int) -> int | None:
    play.signal(number)
    code = await play.ended(within=_LIMIT_S)
    if code is None:
        play.blame(f"it still ran {_LIMIT_S:.0f} s after {signal.Signals(number).name}")
    return code


@scenario("stop.sigterm", rules=("stop.sigterm", "stop.exit-code", "stop.children"), seconds=5, pace="quick")
async def sigterm(play: Play) -> None:
    """SIGTERM asks the bot to end."""
    await play.ready()
    code = await _must_end(play, signal.SIGTERM)
    if code is None:
        return
    if code < 0:
        play.blame(
            f"the signal killed it ({signal.Signals(-code).name}): it has no handler", "stop.exit-code"
        )
    elif code not in {0, 128 + signal.SIGTERM}:
        play.blame(f"it ended with exit code {code}", "stop.exit-code")
    await asyncio.sleep(0.5)
    if left := len(play.processes()):
        play.blame(f"it left {left} process{'' if left == 1 else 'es'} running", "stop.children")


@scenario("stop.sigint", seconds=5, pace="quick")
async def sigint(play: Play) -> None:
    """Ctrl-C (SIGINT) asks the bot to end."""
    await play.ready()
    await _must_end(play, signal.SIGINT)


@scenario("stop.in-outage", seconds=8, pace="quick")
async def in_outage(play: Play) -> None:
    """SIGTERM comes while no service can be reached."""
    await play.ready()
    for point in ("room.connect", "chat.*", "gateway.*"):
        play.fault(point, "refuse", times=0)
    await play.cut()
    await asyncio.sleep(2)
    await _must_end(play, signal.SIGTERM)


@scenario("stop.while-starting", needs=("chat",), seconds=6)
async def while_starting(play: Play) -> None:
    """SIGTERM comes while the bot waits for a gateway that does not answer."""
    fault = play.fault("gateway.token", "hang", times=0)
    await play.start()
    await play.until(lambda: bool(play.sandbox.faults.hits(fault.id)), within=30)
    play.must_have_hit(fault)
    await _must_end(play, signal.SIGTERM)


@scenario("stop.drains", needs=("answers",), seconds=20)
async def drains(play: Play) -> None:
    """SIGTERM comes while an answer is being sent; then the bot is started again."""
    await play.ready()
    fault = play.fault("chat.send", "delay", ms=1500)
    await play.put_question()
    await play.until(lambda: bool(play.sandbox.faults.hits(fault.id)), within=20)
    play.must_have_hit(fault)
    await play.end(signal.SIGTERM, within=_LIMIT_S)
    await come_back(play)
    seen = play.evidence()
    play.blame(doubled(seen) or lost(seen))

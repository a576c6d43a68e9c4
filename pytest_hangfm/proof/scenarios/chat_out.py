"""What happens to what the bot writes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pytest_hangfm.proof.judge import doubled, lost
from pytest_hangfm.proof.scenario import scenario

if TYPE_CHECKING:
    from pytest_hangfm.proof.play import Play


@scenario("chat-out.lost-answer", needs=("answers",), seconds=16)
async def lost_answer(play: Play) -> None:
    """The message is stored, and the connection breaks before the answer."""
    await play.ready()
    fault = play.fault("chat.send", "cut_after_store")
    await play.ask()
    play.must_have_hit(fault)
    await asyncio.sleep(10)
    play.blame(doubled(play.evidence()) or lost(play.evidence()))

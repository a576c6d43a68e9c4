"""Two faults of the services at once, for what neither of them shows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from pytest_hangfm.proof.judge import doubled, lost
from pytest_hangfm.proof.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pytest_hangfm.proof.play import Play

_REPEATED_WITHIN: Final = 10.0


async def lost_answer_failed_look_up(play: Play) -> None:
    """A message is stored, its answer lost, and the look-up of it fails with 503."""
    await play.ready()
    both = (
        play.fault("chat.send", "cut_after_store"),
        play.fault("chat.lookup", "status", status=503, body=""),
    )
    await play.ask()
    await asyncio.sleep(_REPEATED_WITHIN)
    for fault in both:
        play.must_have_hit(fault)
    play.blame(doubled(play.evidence()))


async def slow_answer_broken_room_socket(play: Play) -> None:
    """While a message waits for its answer the room socket breaks."""
    await play.ready()
    fault = play.fault("chat.send", "delay", ms=5_000)
    await play.put_question()
    await play.until(lambda: bool(play.sandbox.faults.hits(fault.id)), within=20)
    play.must_have_hit(fault)
    await play.cut()
    await play.joined()
    await asyncio.sleep(_REPEATED_WITHIN)
    seen = play.evidence()
    play.blame(doubled(seen) or lost(seen))


async def dead_chat_token_failed_exchange(play: Play) -> None:
    """The chat's token ends, and the gateway answers the next exchange with 503."""
    await play.ready()
    fault = play.fault("gateway.token", "status", status=503, body="")
    play.revoke_chat_token()
    problem = await play.trouble(within=45)
    play.must_have_hit(fault)
    play.blame(problem)


_PLAYS: Final[dict[str, tuple[str, Callable[[Play], Awaitable[None]]]]] = {
    "lost answer, failed look-up": ("chat-out.lost-answer", lost_answer_failed_look_up),
    "slow answer, broken room socket": ("chat-out.late-answer", slow_answer_broken_room_socket),
    "dead chat token, failed exchange": ("chat-in.token-expired", dead_chat_token_failed_exchange),
}

PAIRS: Final = {
    name: Scenario(rule, play, ("answers",), (rule,), 30.0, "normal", {})
    for name, (rule, play) in _PLAYS.items()
}
"""By the names that the table of planted bots has for them; each with the rule that is broken."""

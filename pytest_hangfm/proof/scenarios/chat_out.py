"""What happens to what the bot writes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from pytest_hangfm.proof.judge import burst_of, doubled, invisible, lost
from pytest_hangfm.proof.scenario import NotApplicable, scenario

if TYPE_CHECKING:
    from pytest_hangfm.proof.play import Play

_RETRIES: Final = 10.0
"""Seconds in which a bot that sends again without asking has done so."""
_PAGE: Final = "<html><body>Request blocked</body></html>"


async def _send_through(
    play: Play, do: str, *, within: float = 30.0, watched: float = _RETRIES, **more: object
) -> None:
    """Let sending fail; the answer has to be in the chat, once."""
    await play.ready()
    fault = play.fault("chat.send", do, **more)
    await play.ask(within=within)
    play.must_have_hit(fault)
    await asyncio.sleep(watched)
    seen = play.evidence()
    play.blame(doubled(seen) or lost(seen))


@scenario("chat-out.lost-answer", needs=("answers",), seconds=16)
async def lost_answer(play: Play) -> None:
    """The message is stored, and the connection breaks before the answer."""
    await _send_through(play, "cut_after_store")


@scenario("chat-out.cut", needs=("answers",), seconds=16)
async def cut(play: Play) -> None:
    """The connection breaks before the message is stored."""
    await _send_through(play, "cut_before_store")


@scenario("chat-out.unavailable", needs=("answers",), seconds=18)
async def unavailable(play: Play) -> None:
    """Twice the message is answered with 503."""
    await _send_through(play, "status", status=503, body="", times=2)


@scenario("chat-out.empty-500", needs=("answers",), seconds=16)
async def empty_500(play: Play) -> None:
    """The message is answered with 500 and an empty body."""
    await _send_through(play, "status", status=500, body="")


@scenario("chat-out.page", needs=("answers",), seconds=16)
async def page(play: Play) -> None:
    """A firewall answers the message with a page and status 403."""
    await _send_through(play, "status", status=403, body=_PAGE, headers={"Content-Type": "text/html"})


@scenario("chat-out.time-out", needs=("answers",), seconds=45)
async def time_out(play: Play) -> None:
    """The message is never answered, and never stored."""
    await _send_through(play, "hang", within=90, watched=4)


@scenario("chat-out.late-answer", needs=("answers",), seconds=60)
async def late_answer(play: Play) -> None:
    """The message is stored at once, and answered after 20 seconds."""
    await _send_through(play, "delay", ms=20_000, watched=45)


@scenario(
    "chat-out.limited", needs=("answers",), rules=("chat-out.limited", "chat-out.retry-after"), seconds=18
)
async def limited(play: Play) -> None:
    """The message is answered with 429 and Retry-After: 4."""
    await play.ready()
    fault = play.fault("chat.send", "status", status=429, body="", headers={"Retry-After": "4"})
    before = play.mark("429, Retry-After: 4")
    await play.ask(within=45)
    play.must_have_hit(fault)
    await asyncio.sleep(4)
    seen = play.evidence()
    play.blame(doubled(seen) or lost(seen))
    sends = [row["t_ms"] for row in seen.requests("chat", "POST", "/messages", since=before)]
    if len(sends) > 1 and sends[1] - sends[0] < 3_500:  # noqa: PLR2004  four seconds, rounded down
        play.blame(f"it sent again after {(sends[1] - sends[0]) / 1000:.1f} s", "chat-out.retry-after")


@scenario("chat-out.token-expired", needs=("answers",), seconds=16)
async def token_expired(play: Play) -> None:
    """The chat says at the message that the token is no longer good; the gateway has another one."""
    await _send_through(
        play,
        "status",
        status=401,
        body={"error": {"code": "ERR_NO_AUTH", "message": "Who?"}},
        within=45,
        watched=4,
    )


@scenario("chat-out.pace", needs=("answers",), seconds=14)
async def pace(play: Play) -> None:
    """Forty questions come at once."""
    await play.ready()
    if play.profile.pause:
        raise NotApplicable("it answers only after a pause")
    for _ in range(40):
        await play.put_question()
    await play.all_answered(within=30)
    sends = [row["t_ms"] for row in play.evidence().requests("chat", "POST", "/messages")]
    play.blame(burst_of(sends))


@scenario("chat-out.visible", needs=("answers",), seconds=5, pace="quick")
async def visible(play: Play) -> None:
    """The bot answers, and a browser shows the room."""
    await play.ready()
    await play.ask()
    play.blame(invisible(play.evidence(), play.sandbox.messages))


@scenario("chat-out.odd-name", needs=("answers",), seconds=5, pace="quick")
async def odd_name(play: Play) -> None:
    """People ask whose names are markup, a mention and a formula."""
    await play.ready()
    for name in ("<@uid:nobody>", "${x} %s {0} `id`", "__proto__", '"\\'):
        odd = play.sandbox.users.add(name)
        await odd.join()
        await odd.say(play.profile.says)
        await asyncio.sleep(play.profile.pause)
    play.blame(await play.trouble(within=20))

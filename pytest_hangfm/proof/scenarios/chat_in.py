"""What happens to what others write."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any, Final

from pytest_hangfm.proof.judge import doubled, lost
from pytest_hangfm.proof.scenario import NotApplicable, scenario

if TYPE_CHECKING:
    from pytest_hangfm.proof.play import Play

__all__ = ["come_back"]

_STRAGGLERS: Final = 4.0
_PAGE: Final = "<html><body>Checking your browser</body></html>"


async def _settle(play: Play, *, within: float = 30.0) -> None:
    """Wait for the answers, and for those that are one too many; then judge both."""
    await play.all_answered(within=within)
    await asyncio.sleep(_STRAGGLERS)
    seen = play.evidence()
    play.blame(lost(seen) or doubled(seen))


def _needs_no_pause(play: Play) -> None:
    if play.profile.pause:
        raise NotApplicable("it answers only after a pause")


@scenario("chat-in.burst", needs=("answers",), seconds=14)
async def burst(play: Play) -> None:
    """Three hundred lines come at once, three questions among them."""
    await play.ready()
    _needs_no_pause(play)
    for number in range(300):
        if number in {0, 150, 299}:
            await play.put_question()
        else:
            await play.people[0].say(f"line {number} of many")
    await _settle(play, within=60)


@scenario("chat-in.gaps", needs=("answers",), seconds=9)
async def gaps(play: Play) -> None:
    """The numbers of the lines have gaps: others write to one another meanwhile."""
    await play.ready()
    _needs_no_pause(play)
    for _ in range(3):
        for _ in range(20):
            await play.people[0].dm(play.people[1].uid, "between us")
        await play.put_question()
    await _settle(play)


@scenario("chat-in.same-second", needs=("answers",), seconds=9)
async def same_second(play: Play) -> None:
    """Three people ask within the same second."""
    await play.ready()
    _needs_no_pause(play)
    for _ in range(3):
        await play.put_question()
    await _settle(play)


@scenario("chat-in.changed-rows", needs=("answers",), seconds=10)
async def changed_rows(play: Play) -> None:
    """A question that was answered is edited, another one deleted."""
    await play.ready()
    first = await play.people[0].say("a line")
    await play.ask()
    await play.chat("PUT", f"/v3.0/messages/{play.last_question}", {"data": {"text": play.profile.says}})
    await play.chat("DELETE", f"/v3.0/messages/{play.last_question}", None)
    play.mark(f"the question is edited and deleted, after line {first['id']}")
    await _settle(play)


@scenario("chat-in.unparsable", needs=("answers",), seconds=9)
async def unparsable(play: Play) -> None:
    """A row stands in the history that nothing describes."""
    await play.ready()
    rows: tuple[dict[str, Any], ...] = (
        {"sender": None, "data": "no object"},
        {"sender": {"uid": play.people[0].uid}, "data": {"text": None, "metadata": "none"}},
        {"category": "custom", "type": "Unheard", "data": {"customData": [1, 2]}},
        {"data": {"text": {"deep": 1}, "entities": {"sender": 7}}, "sentAt": "yesterday"},
    )
    for row in rows:
        play.sandbox.chat.world.store.plant(play.sandbox.room_uuid, row)
    play.mark("rows that cannot be read")
    await play.put_question()
    await _settle(play)


@scenario("chat-in.odd-texts", needs=("answers",), seconds=9, pace="quick")
async def odd_texts(play: Play) -> None:
    """Lines come that are long, empty of letters, or full of signs."""
    await play.ready()
    texts = (
        "x" * 5000,
        "\u202eright to left",
        "\x1b[31mred\x07",
        "🦄" * 300,
        "<@uid:none>",
        "/",
        "!",
        "/ /",
        "${7*7}",
    )
    for text in texts:
        await play.people[0].say(text)
    await play.put_question()
    await _settle(play)


async def _read_through(play: Play, on: str, do: str, *, within: float = 30.0, **more: object) -> None:
    """Let reading fail for a while; the bot hears again afterwards."""
    await play.ready()
    fault = play.fault(on, do, **more)
    if play.profile.push:  # it reads the history when its socket was away
        play.sandbox.chat.realtime.abort_all()
    await play.until(lambda: bool(play.sandbox.faults.hits(fault.id)), within=15)
    problem = await play.trouble(within=within)
    play.must_have_hit(fault)
    play.blame(problem)


@scenario("chat-in.history-fails", needs=("answers",), seconds=10, pace="quick")
async def history_fails(play: Play) -> None:
    """Three times the history is answered with 503."""
    await _read_through(play, "chat.history", "status", status=503, body="", times=3, within=60)


@scenario("chat-in.history-page", needs=("answers",), seconds=10)
async def history_page(play: Play) -> None:
    """Twice a firewall's page comes in the place of the history, with status 200."""
    await _read_through(play, "chat.history", "status", status=200, body=_PAGE, times=2, within=60)


@scenario("chat-in.history-empty", needs=("answers",), seconds=10)
async def history_empty(play: Play) -> None:
    """Twice the history is answered with nothing at all."""
    await _read_through(play, "chat.history", "status", status=200, body="", times=2, within=60)


@scenario("chat-in.history-hangs", needs=("answers",), seconds=25)
async def history_hangs(play: Play) -> None:
    """One request for the history is never answered."""
    await _read_through(play, "chat.history", "hang", within=90)


@scenario("chat-in.history-limited", needs=("answers",), seconds=12)
async def history_limited(play: Play) -> None:
    """The history is limited (429) for three seconds."""
    await _read_through(
        play, "chat.history", "status", status=429, headers={"Retry-After": "3"}, body="", times=2, within=60
    )


@scenario("chat-in.outage", needs=("answers",), seconds=20)
async def outage(play: Play) -> None:
    """The chat drops every request for eight seconds."""
    await play.ready()
    play.fault("chat.*", "refuse", times=0)
    await asyncio.sleep(8)
    play.heal()
    play.supervise()
    await play.must_recover(within=60)


@scenario("chat-in.token-expired", needs=("answers",), seconds=12)
async def token_expired(play: Play) -> None:
    """The chat's token is no longer good; the gateway has another one."""
    await play.ready()
    play.revoke_chat_token()
    play.supervise()
    await play.must_recover(within=90)


@scenario("chat-in.removed", needs=("answers",), seconds=12)
async def removed(play: Play) -> None:
    """The bot is removed from the chat group, which it may join again."""
    await play.ready()
    before = play.mark("the bot is removed from the chat group")
    await play.sandbox.chat.kick(play.sandbox.bot.uid, play.sandbox.room_uuid)
    play.supervise()
    problem = await play.trouble(within=60)
    if problem and not play.printed_since(before):
        play.blame(f"{problem}, and it said nothing of it")


async def come_back(play: Play) -> None:
    """Start the bot again, and wait until it hears the chat, and for answers that are one too many."""
    before = play.mark("it is to come back")
    await play.start()
    within = max(15.0, 3 * play.profile.start)
    await play.until(lambda: play.hears(since=before) or play.has_ended, within=within)
    await play.until(lambda: play.has_ended, within=_STRAGGLERS)


@scenario("chat-in.restart", needs=("answers",), seconds=18)
async def restart(play: Play) -> None:
    """The bot is stopped and started again after it answered."""
    await play.ready()
    await play.ask()
    await play.ask()
    await play.end(signal.SIGTERM)
    await come_back(play)
    play.blame(doubled(play.evidence()))


@scenario("chat-in.killed", needs=("answers",), seconds=18)
async def killed(play: Play) -> None:
    """The bot is killed right after it answered, and started again."""
    await play.ready()
    await play.ask()
    await play.end(signal.SIGKILL)
    await come_back(play)
    play.blame(doubled(play.evidence()))


@scenario("chat-in.while-down", needs=("answers",), seconds=18)
async def while_down(play: Play) -> None:
    """A question is asked while the bot is down for three seconds."""
    await play.ready()
    await play.ask()
    await play.end(signal.SIGTERM)
    await play.put_question()
    await asyncio.sleep(3)
    await play.start()
    await _settle(play, within=max(15.0, 3 * play.profile.start))


@scenario("chat-in.while-out", needs=("answers",), seconds=18)
async def while_out(play: Play) -> None:
    """A question is asked while the chat cannot be reached for four seconds."""
    await play.ready()
    await play.ask()
    play.fault("chat.*", "refuse", times=0)
    play.mark("the chat's socket breaks")
    play.sandbox.chat.realtime.abort_all()
    await play.put_question()
    await asyncio.sleep(4)
    play.heal()
    play.supervise()
    await _settle(play, within=60)


@scenario("chat-in.push-drop", needs=("answers", "push"), seconds=8)
async def push_drop(play: Play) -> None:
    """The chat's socket breaks."""
    await play.ready()
    play.mark("the chat's socket breaks")
    play.sandbox.chat.realtime.abort_all()
    play.supervise()
    await play.must_recover(within=60)


@scenario("chat-in.push-refused", needs=("answers", "push"), seconds=15)
async def push_refused(play: Play) -> None:
    """The chat's socket breaks, and cannot be opened three times."""
    await play.ready()
    fault = play.fault("chat.ws", "refuse", times=3)
    play.sandbox.chat.realtime.abort_all()
    play.supervise()
    await play.must_recover(within=90)
    play.must_have_hit(fault)


@scenario("chat-in.push-deaf", needs=("answers", "push"), seconds=70)
async def push_deaf(play: Play) -> None:
    """The chat's socket answers pings, and brings no line any more."""
    await play.ready()
    fault = play.fault("chat.ws", "deaf")
    await play.put_question()
    await play.all_answered(within=120)
    play.must_have_hit(fault)
    play.blame(lost(play.evidence()))


@scenario("chat-in.push-doubled", needs=("answers", "push"), seconds=8)
async def push_doubled(play: Play) -> None:
    """Every line comes twice through the chat's socket."""
    await play.ready()
    fault = play.fault("chat.ws", "duplicate", times=20)
    await play.ask()
    await play.put_question()
    play.must_have_hit(fault)
    await _settle(play)


@scenario("chat-in.direct", needs=("answers", "direct"), seconds=8)
async def direct(play: Play) -> None:
    """A user asks the bot alone."""
    await play.ready()
    asker = play.people[1]
    before = len(play.lines())
    await asker.dm(play.sandbox.bot.uid, play.profile.says)

    def answered() -> list[str]:
        return [line.to for line in play.lines()[before:] if line.sender == play.sandbox.bot.uid]

    await play.until(lambda: bool(answered()), within=30)
    await asyncio.sleep(2)
    if asker.uid not in answered():
        play.blame("it did not answer the user" if not answered() else "it answered in the room")
    elif len(answered()) > 1:
        play.blame(f"it answered {len(answered())} times")

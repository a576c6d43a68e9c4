"""Preflight: one question a function, each answered in words or with an error that has a remedy.

`hangbot run`, `hangbot preflight` and the tests in ``checks/`` ask the same functions. Nothing
here changes what others can see, but that the bot joins its room and its chat group, which
counts as reading.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final, Literal

from hangbot.chat import ChatClient
from hangbot.claims import read_claims
from hangbot.clock import Clock
from hangbot.config import Settings
from hangbot.delivery.outbox import Outbox
from hangbot.errors import CANNOT_TELL, ConfigError, HangbotError, TokenRejected
from hangbot.gateway import GatewayClient
from hangbot.room import RoomClient

__all__ = [
    "QUESTIONS",
    "Finding",
    "Overall",
    "Question",
    "Result",
    "Subject",
    "Verdict",
    "answer",
    "blocked",
    "examine",
    "overall",
    "result_of",
]

Verdict = Literal["ok", "warn", "rejected", "cannot_tell", "skipped"]
Overall = Literal["ready", "not_ready", "cannot_tell", "sandbox_only"]

_DAY: Final = 86_400
_EXPIRES_SOON: Final = 7 * _DAY
_CLOCK_OFF: Final = 5.0
"""Seconds of difference from which song ends and expiry are judged wrongly."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is examined: the configuration, and clients made from it that open on use."""

    settings: Settings
    gateway: GatewayClient
    chat: ChatClient
    open_room: Callable[[], AbstractAsyncContextManager[RoomClient]]
    open_outbox: Callable[[], AbstractAsyncContextManager[Outbox]]
    clock: Clock


@dataclass(frozen=True, slots=True)
class Finding:
    """A question that could be answered: ``remedy`` is set when it is answered with a warning."""

    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """A question with the ones that must have been answered well before it makes sense."""

    id: str
    title: str
    ask: Callable[[Subject], Awaitable[Finding]]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """How a question was answered; a row of the contract's JSON."""

    id: str
    title: str
    verdict: Verdict
    message: str
    remedy: str = ""
    duration_ms: float = 0.0


async def configuration(subject: Subject) -> Finding:
    """Every required name is there, and every value can be used."""
    warnings = subject.settings.warnings
    if warnings:
        return Finding("; ".join(warnings), "Correct or remove these lines of the configuration file.")
    derived = [row.name for row in subject.settings.described() if row.origin.startswith("derived")]
    return Finding("every required name is set" + (f"; derived: {', '.join(derived)}" if derived else ""))


async def token_expiry(subject: Subject) -> Finding:
    """The bot's token is valid for another week at least, by its own words."""
    claims = read_claims(subject.settings.bot_user_token.get_secret_value())
    if claims is None or claims.expires_at is None:
        return Finding("BOT_USER_TOKEN names no expiry", "Nothing to do; the services decide.")
    left = claims.expires_at - subject.clock.wall()
    if left <= 0:
        raise TokenRejected(f"BOT_USER_TOKEN expired {-left / _DAY:.1f} days ago", service="gateway")
    if left < _EXPIRES_SOON:
        return Finding(
            f"BOT_USER_TOKEN expires in {left / _DAY:.1f} days", "Renew BOT_USER_TOKEN before then."
        )
    return Finding(f"BOT_USER_TOKEN is valid for another {left / _DAY:.0f} days")


async def gateway_token(subject: Subject) -> Finding:
    """The gateway answers and accepts the bot's token."""
    await subject.gateway.exchange_token()
    return Finding(f"{subject.gateway.address} exchanged BOT_USER_TOKEN for a chat token")


async def chat_server(subject: Subject) -> Finding:
    """What answers at the chat address is a chat server."""
    await subject.chat.settings()
    return Finding(f"{subject.chat.address} is a chat server")


async def chat_token(subject: Subject) -> Finding:
    """The chat server accepts the chat token."""
    me = await subject.chat.me()
    return Finding(f"the chat token is accepted, for {me.get('name') or me.get('uid')}")


async def chat_uid(subject: Subject) -> Finding:
    """The chat token is the bot's own."""
    told = subject.settings.chat_uid
    uid = (await subject.chat.me()).get("uid")
    if told is not None and uid != told:
        origin = subject.settings.origins.get("chat_uid", "COMETCHAT_UID")
        raise TokenRejected(
            f"the chat token belongs to {uid}, COMETCHAT_UID ({origin}) says {told}",
            service="chat",
            remedy="Remove COMETCHAT_UID and COMETCHAT_AUTH: both are derived from BOT_USER_TOKEN.",
        )
    return Finding(f"the chat token belongs to {uid}")


async def chat_group(subject: Subject) -> Finding:
    """The room's chat group exists."""
    group = await subject.chat.group()
    return Finding(f"group {group.get('name') or subject.chat.group_id} exists")


async def chat_member(subject: Subject) -> Finding:
    """The bot is in the chat group: joining is idempotent, asking is not reliable on OpenChat."""
    if not subject.settings.auto_join:
        return Finding("not asked: AUTO_JOIN is off, and only joining tells for sure")
    await subject.chat.join()
    return Finding(f"the bot is in group {subject.chat.group_id}")


async def chat_history(subject: Subject) -> Finding:
    """The group's messages can be read."""
    rows = await subject.chat.history(most=1)
    return Finding("the history can be read" + ("" if rows else " (it is empty)"))


async def room_connect(subject: Subject) -> Finding:
    """The room socket takes a connection and says welcome."""
    async with subject.open_room() as room:
        if await room.welcome(subject.settings.welcome_timeout):
            return Finding("the room socket is connected and said welcome")
        return Finding(
            f"the room socket is connected, but said no welcome in {subject.settings.welcome_timeout:g} s",
            "Nothing to do when the room can be joined; the server's set-up may be slow.",
        )


async def room_joined(subject: Subject) -> Finding:
    """The room lets the bot in, and the bot is in the room's state."""
    async with subject.open_room() as room:
        await room.welcome(subject.settings.welcome_timeout)
        state = await room.join()
        name = state.room_name() or subject.settings.room_uuid
        users = list(state.users())
        if subject.settings.chat_uid and subject.settings.chat_uid not in users:
            return Finding(
                f'joined "{name}", but the bot is not among its {len(users)} users yet',
                "Nothing to do if it appears within seconds; else check ROOM_UUID.",
            )
        return Finding(f'the bot is in "{name}" with {len(users) - 1} others')


async def clock_offset(subject: Subject) -> Finding:
    """This machine's clock agrees with the room server's."""
    async with subject.open_room() as room:
        await room.welcome(subject.settings.welcome_timeout)
        await room.join()
        told = (room.joined or {}).get("serverTime")
    if isinstance(told, bool) or not isinstance(told, int | float):
        return Finding("the room server does not tell its time", "Nothing to do.")
    offset = subject.clock.wall() - told / 1000
    if abs(offset) > _CLOCK_OFF:
        word = "ahead of" if offset > 0 else "behind"
        return Finding(
            f"this machine's clock is {abs(offset):.0f} s {word} the room server's",
            "Set the clock (`timedatectl set-ntp true`): tokens and song ends are judged by it.",
        )
    return Finding(f"the clocks agree within {max(abs(offset), 0.1):.1f} s")


async def outbox_writable(subject: Subject) -> Finding:
    """The outbox can be written."""
    async with subject.open_outbox() as outbox:
        waiting = await outbox.count_waiting()
    more = f", {waiting} messages wait" if waiting else ""
    return Finding(f"{subject.settings.outbox} can be written{more}")


QUESTIONS: Final[Sequence[Question]] = (
    Question("config", "Configuration is complete", configuration),
    Question("token.expiry", "Bot token is not about to expire", token_expiry, ("config",)),
    Question("gateway.token", "Gateway accepts the bot token", gateway_token, ("config", "token.expiry")),
    Question("chat.server", "Chat host is a chat server", chat_server, ("config",)),
    Question("chat.token", "Chat token is accepted", chat_token, ("chat.server", "gateway.token")),
    Question("chat.uid", "Chat token is the bot's own", chat_uid, ("chat.token",)),
    Question("chat.group", "Chat group exists", chat_group, ("chat.token",)),
    Question("chat.member", "Bot is in the chat group", chat_member, ("chat.group",)),
    Question("chat.history", "Chat history is readable", chat_history, ("chat.member",)),
    Question("room.connect", "Room socket connects", room_connect, ("config",)),
    Question("room.joined", "Bot is in the room", room_joined, ("room.connect",)),
    Question("clock", "Clock agrees with the server", clock_offset, ("room.joined",)),
    Question("outbox", "Outbox is writable", outbox_writable, ("config",)),
)


async def answer(question: Question, subject: Subject, earlier: Sequence[Result] = ()) -> Result:
    """Ask a question, unless an earlier one that it needs was answered badly."""
    skipped = blocked(question, earlier)
    if skipped is not None:
        return skipped
    started = subject.clock.now()
    try:
        found = await question.ask(subject)
    except HangbotError as exc:
        return result_of(question, exc, subject.clock.now() - started)
    verdict: Verdict = "warn" if found.remedy else "ok"
    duration = round((subject.clock.now() - started) * 1000, 1)
    return Result(question.id, question.title, verdict, found.message, found.remedy, duration)


def blocked(question: Question, earlier: Sequence[Result]) -> Result | None:
    """Skip a question that an earlier answer makes pointless; ``None`` where it can be asked."""
    for result in earlier:
        if result.id in question.needs and result.verdict in {"rejected", "cannot_tell", "skipped"}:
            return Result(question.id, question.title, "skipped", f'because of "{result.title}"')
    return None


def result_of(question: Question, error: HangbotError, seconds: float = 0.0) -> Result:
    """Turn an error into the result of the question that met it."""
    verdict: Verdict = "cannot_tell" if error.exit_code == CANNOT_TELL else "rejected"
    message = "; ".join(error.faults) if isinstance(error, ConfigError) and error.faults else str(error)
    return Result(question.id, question.title, verdict, message, error.remedy, round(seconds * 1000, 1))


async def examine(subject: Subject) -> AsyncIterator[Result]:
    """Ask every question in order and yield each result as it comes."""
    results: list[Result] = []
    for question in QUESTIONS:
        result = await answer(question, subject, results)
        results.append(result)
        yield result


def overall(results: Sequence[Result], *, sandbox: bool = False) -> Overall:
    """Sum results up: one rejection is enough, then one that cannot be told."""
    verdicts = {result.verdict for result in results}
    if "rejected" in verdicts:
        return "not_ready"
    if "cannot_tell" in verdicts:
        return "cannot_tell"
    return "sandbox_only" if sandbox else "ready"

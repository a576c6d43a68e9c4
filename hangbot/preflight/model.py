"""What preflight is made of: a subject, questions about it, and what was found."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from hangbot.clock import Clock
from hangbot.config import Settings
from hangbot.delivery.outbox import Outbox
from hangbot.errors import CANNOT_TELL, FAILED, PUT_OUT, ConfigError, HangbotError, OutboxLocked, worst
from hangbot.hangfm.chat import ChatClient
from hangbot.hangfm.gateway import GatewayClient
from hangbot.hangfm.http import Endpoint
from hangbot.hangfm.room import RoomClient
from hangbot.ids import Rng
from hangbot.redact import Redactor
from hangbot.system_errors import explained

__all__ = [
    "Finding",
    "OpenRoom",
    "Overall",
    "Question",
    "Result",
    "Service",
    "Subject",
    "Verdict",
    "answer",
    "blocked",
    "exit_code",
    "overall",
    "result_of",
]

Service = Literal["gateway", "chat", "room"]
Verdict = Literal["ok", "warn", "rejected", "cannot_tell", "skipped"]
Overall = Literal["ready", "not_ready", "cannot_tell", "sandbox_only"]


class OpenRoom(Protocol):
    """Connects to the room socket; joining is the caller's next step."""

    def __call__(
        self, *, on_frame: Callable[[str | bytes], None] | None = None
    ) -> AbstractAsyncContextManager[RoomClient]:
        """Connect; ``on_frame`` is shown every frame as it came."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is examined: the configuration, and clients made from it that open on use.

    Attributes:
        settings: The configuration.
        gateway: The bot's gateway client.
        chat: The bot's chat client.
        open_room: Connects to the room socket.
        open_outbox: Opens the bot's outbox.
        open_http: Opens plain HTTP to one of the services, for answers as they came.
        clock: Bounds every wait, and is itself compared with the services'.
        rng: Draws the canary's id.
    """

    settings: Settings
    gateway: GatewayClient
    chat: ChatClient
    open_room: OpenRoom
    open_outbox: Callable[[], AbstractAsyncContextManager[Outbox]]
    open_http: Callable[[Service], AbstractAsyncContextManager[Endpoint]]
    clock: Clock
    rng: Rng


@dataclass(frozen=True, slots=True)
class Finding:
    """A question that could be answered.

    Attributes:
        message: What was found.
        remedy: Set when the question is answered with a warning: what to do about it.
        room: The room's name, where it was learnt.
    """

    message: str
    remedy: str = ""
    room: str = ""


def _no_settings(_: Settings) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Question:
    """A question, and when it makes no sense to ask it.

    Attributes:
        id: Its name.
        title: What is true where it is answered well.
        ask: Answers it.
        needs: Questions that must have been answered well before.
        uses: Gives the settings that it is about: where one was found wrong already, the answer would
            only blame something else for it.
    """

    id: str
    title: str
    ask: Callable[[Subject], Awaitable[Finding]]
    needs: tuple[str, ...] = ()
    uses: Callable[[Settings], tuple[str, ...]] = _no_settings


@dataclass(frozen=True, slots=True)
class Result:
    """How a question was answered; all up to ``duration_ms`` is a row of the contract's JSON."""

    id: str
    title: str
    verdict: Verdict
    message: str
    remedy: str = ""
    duration_ms: float = 0.0
    room: str = ""
    code: int = 0
    """What a command ends with that this ends, by the error that was met."""
    blames: str = ""
    """The setting that was found wrong."""


async def answer(question: Question, subject: Subject, earlier: Sequence[Result] = ()) -> Result:
    """Ask a question, unless an earlier one that it needs was answered badly."""
    skipped = blocked(question, earlier, question.uses(subject.settings))
    if skipped is not None:
        return skipped
    started = subject.clock.now()
    try:
        found = await question.ask(subject)
    except Exception as exc:
        told = explained(exc)
        if told is None:
            raise
        result = result_of(question, told, subject.clock.now() - started)
    else:
        verdict: Verdict = "warn" if found.remedy else "ok"
        duration = round((subject.clock.now() - started) * 1000, 1)
        result = Result(
            question.id, question.title, verdict, found.message, found.remedy, duration, room=found.room
        )
    redactor = Redactor(subject.settings.secrets())  # the services' own words may hold a token
    return replace(
        result,
        message=redactor.text(result.message),
        remedy=redactor.text(result.remedy),
        room=redactor.text(result.room),
    )


def blocked(question: Question, earlier: Sequence[Result], uses: Sequence[str] = ()) -> Result | None:
    """Skip a question that an earlier answer makes pointless, and name the cause at the root of it.

    Args:
        question: The question.
        earlier: What was answered so far.
        uses: The settings that it is about.
    """
    for result in earlier:
        needed = result.id in question.needs and result.verdict in {"rejected", "cannot_tell", "skipped"}
        if needed or (result.verdict == "rejected" and result.blames in uses):
            inherited = result.verdict == "skipped" and result.message.startswith(_BECAUSE)
            because = result.message if inherited else f'{_BECAUSE}"{result.title}"'
            return Result(question.id, question.title, "skipped", because)
    return None


_BECAUSE = "because of "


def result_of(question: Question, error: HangbotError, seconds: float = 0.0) -> Result:
    """Turn an error into the result of the question that met it."""
    passes = error.exit_code == CANNOT_TELL or isinstance(error, OutboxLocked)  # a bot waits for its end
    verdict: Verdict = "cannot_tell" if passes else "rejected"
    message = "; ".join(error.faults) if isinstance(error, ConfigError) and error.faults else str(error)
    duration = round(seconds * 1000, 1)
    return Result(
        question.id,
        question.title,
        verdict,
        message,
        error.remedy,
        duration,
        code=error.exit_code,
        blames=error.blames,
    )


def exit_code(results: Sequence[Result]) -> int:
    """Return what a command ends with after these: a kick that was received is told from a rejection."""
    codes = {"rejected": FAILED, "cannot_tell": CANNOT_TELL}
    return worst(*(PUT_OUT if result.code == PUT_OUT else codes.get(result.verdict, 0) for result in results))


def overall(results: Sequence[Result], *, sandbox: bool = False) -> Overall:
    """Sum results up: one rejection is enough, then one that cannot be told."""
    verdicts = {result.verdict for result in results}
    if "rejected" in verdicts:
        return "not_ready"
    if "cannot_tell" in verdicts:
        return "cannot_tell"
    return "sandbox_only" if sandbox else "ready"

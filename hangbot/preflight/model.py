"""What preflight is made of: checks, what they run against, and what they found."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from hangbot.clock import Clock
from hangbot.config import Settings
from hangbot.delivery.outbox import Outbox
from hangbot.errors import ConfigError, HangbotError, OutboxLocked
from hangbot.exit_codes import CANNOT_TELL, FAILED, PUT_OUT, worst
from hangbot.hangfm.chat import ChatClient
from hangbot.hangfm.gateway import GatewayClient
from hangbot.hangfm.http import HttpClient
from hangbot.hangfm.room import RoomClient
from hangbot.ids import Rng
from hangbot.redact import Redactor
from hangbot.system_errors import explained

__all__ = [
    "Check",
    "CheckContext",
    "CheckResult",
    "Finding",
    "OpenRoom",
    "Overall",
    "Service",
    "Verdict",
    "check",
    "exit_code",
    "overall",
    "result_of",
    "run_check",
    "skipped_because",
]

Service = Literal["gateway", "chat", "room"]
Verdict = Literal["ok", "warn", "rejected", "cannot_tell", "skipped"]
Overall = Literal["ready", "not_ready", "cannot_tell", "sandbox_only"]


class OpenRoom(Protocol):
    """Connects to the room socket; joining is the caller's next step."""

    def __call__(
        self, *, on_frame: Callable[[str | bytes], None] | None = None
    ) -> AbstractAsyncContextManager[RoomClient]:
        """Connect; ``on_frame`` is given every frame as it came."""


@dataclass(frozen=True, slots=True)
class CheckContext:
    """What checks run against: the configuration, and clients made from it that open on use.

    Attributes:
        settings: The configuration.
        gateway: The bot's gateway client.
        chat: The bot's chat client.
        open_room: Connects to the room socket.
        open_outbox: Opens the bot's outbox.
        open_http: Opens plain HTTP to one of the services, for answers as they came.
        clock: Bounds every wait, and is itself compared with the services' clocks.
        rng: Draws the canary's id.
    """

    settings: Settings
    gateway: GatewayClient
    chat: ChatClient
    open_room: OpenRoom
    open_outbox: Callable[[], AbstractAsyncContextManager[Outbox]]
    open_http: Callable[[Service], AbstractAsyncContextManager[HttpClient]]
    clock: Clock
    rng: Rng


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found where nothing failed.

    Attributes:
        message: What was found.
        remedy: What to do about it; makes the finding a warning.
        room: The room's name, where the check learned it.
    """

    message: str
    remedy: str = ""
    room: str = ""


CheckFunction = Callable[[CheckContext], Awaitable[Finding]]


def _no_settings(_: Settings) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Check:
    """A check function, and when running it makes no sense.

    Attributes:
        id: Its name.
        title: What is true where it passes.
        function: Finds out, or raises a `HangbotError`.
        needs: Checks that must have passed before.
        remedy: What helps in most cases, where its error does not say anything better.
        uses: Returns the settings that it depends on: where an earlier check found one of them wrong,
            this one would only blame something else for it.
    """

    id: str
    title: str
    function: CheckFunction
    needs: tuple[str, ...] = ()
    remedy: str = ""
    uses: Callable[[Settings], tuple[str, ...]] = _no_settings

    async def __call__(self, context: CheckContext) -> Finding:
        """Run the function."""
        return await self.function(context)


def check(
    id: str,  # noqa: A002  as the JSON calls it
    title: str,
    *,
    needs: tuple[str, ...] = (),
    remedy: str = "",
    uses: Callable[[Settings], tuple[str, ...]] = _no_settings,
) -> Callable[[CheckFunction], Check]:
    """Make a `Check` of the decorated function; see there for the arguments."""
    return lambda function: Check(id, title, function, needs, remedy, uses)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What came of a check; all up to ``duration_ms`` is a row of the contract's JSON."""

    id: str
    title: str
    verdict: Verdict
    message: str
    remedy: str = ""
    duration_ms: float = 0.0
    room: str = ""
    code: int = 0
    """The exit code of the error that was met."""
    blames: str = ""
    """The setting that was found wrong."""


async def run_check(check: Check, context: CheckContext, earlier: Sequence[CheckResult] = ()) -> CheckResult:
    """Run a check, unless an earlier one that it needs has failed."""
    skipped = skipped_because(check, earlier, check.uses(context.settings))
    if skipped is not None:
        return skipped
    started = context.clock.now()
    try:
        found = await check(context)
    except Exception as exc:
        known = explained(exc)
        if known is None:
            raise
        result = result_of(check, known, context.clock.now() - started)
    else:
        verdict: Verdict = "warn" if found.remedy else "ok"
        duration = round((context.clock.now() - started) * 1000, 1)
        result = CheckResult(
            check.id, check.title, verdict, found.message, found.remedy, duration, room=found.room
        )
    redactor = Redactor(context.settings.secrets())  # the services' own words may hold a token
    return replace(
        result,
        message=redactor.text(result.message),
        remedy=redactor.text(result.remedy),
        room=redactor.text(result.room),
    )


def skipped_because(
    check: Check, earlier: Sequence[CheckResult], uses: Sequence[str] = ()
) -> CheckResult | None:
    """Skip a check that an earlier result makes pointless, naming the root cause; otherwise ``None``.

    Args:
        check: The check.
        earlier: The results so far.
        uses: The settings that it depends on.
    """
    for result in earlier:
        needed = result.id in check.needs and result.verdict in {"rejected", "cannot_tell", "skipped"}
        if needed or (result.verdict == "rejected" and result.blames in uses):
            inherited = result.verdict == "skipped" and result.message.startswith(_BECAUSE)
            because = result.message if inherited else f'{_BECAUSE}"{result.title}"'
            return CheckResult(check.id, check.title, "skipped", because)
    return None


_BECAUSE = "because of "


def result_of(check: Check, error: HangbotError, seconds: float = 0.0) -> CheckResult:
    """Turn an error into the result of the check that met it."""
    temporary = error.exit_code == CANNOT_TELL or isinstance(error, OutboxLocked)  # a bot waits for a lock
    verdict: Verdict = "cannot_tell" if temporary else "rejected"
    message = "; ".join(error.faults) if isinstance(error, ConfigError) and error.faults else str(error)
    return CheckResult(
        check.id,
        check.title,
        verdict,
        message,
        error.remedy,
        round(seconds * 1000, 1),
        code=error.exit_code,
        blames=error.blames,
    )


def exit_code(results: Sequence[CheckResult]) -> int:
    """Return a command's exit code for these results; being kicked has a code of its own."""
    codes = {"rejected": FAILED, "cannot_tell": CANNOT_TELL}
    return worst(*(PUT_OUT if result.code == PUT_OUT else codes.get(result.verdict, 0) for result in results))


def overall(results: Sequence[CheckResult], *, sandbox: bool = False) -> Overall:
    """Return the verdict of a run: one rejection decides it, then one check without an answer."""
    verdicts = {result.verdict for result in results}
    if "rejected" in verdicts:
        return "not_ready"
    if "cannot_tell" in verdicts:
        return "cannot_tell"
    return "sandbox_only" if sandbox else "ready"

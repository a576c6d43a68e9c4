"""A recorded incident, played to the bot of today, in virtual time and without a network."""

import asyncio
import base64
import json
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from hangbot.bot.app_forms import AnyApp
from hangbot.bot.bot import Bot
from hangbot.config import ENV, Settings, inner_fields
from hangbot.delivery.inbox import Inbox
from hangbot.delivery.outbox import Outbox
from hangbot.delivery.writer import InlineWriter
from hangbot.errors import HangbotError, UsageError
from hangbot.factory import open_bot, open_outbox
from hangbot.hangfm.played import played_network
from hangbot.incident.bundle import Bundle
from hangbot.incident.checking import check_rows
from hangbot.incident.outcome import Pair, compared, facts
from hangbot.incident.player import RecordedPlayer
from hangbot.incident.recording import Names, Recording, Said, read_recording
from hangbot.incident.repeating import Drawn, StandIn
from hangbot.incident.starting import START, TOKEN
from hangbot.incident.virtual import VirtualClock, run_virtually
from hangbot.journal import Chance, Journal, NotedChance, rows
from hangbot.redact import MASK, Redactor

__all__ = ["Run", "replayed"]

_ROOM, _CHAT, _GATEWAY = "room.invalid", "chat.invalid", "gateway.invalid"
_LARGEST: Final = 2**40
"""Bytes: what a replay keeps of itself is bounded by the recording."""
_CHAT_TOKEN: Final = "COMETCHAT_AUTH"  # noqa: S105  the name of a setting
_LEFT_OUT: Final = frozenset(
    {"HANGBOT_OUTBOX", "HANGBOT_STATUS_PORT", "HANGBOT_STATUS_HOST", "HANGBOT_APP"}
    | {"OPENCHAT_BASE_URL", "TTFM_GATEWAY_BASE_URL", "SOCKET_SERVER_URL"}
)
_LOOKS_EVERY: Final = 1.0
_MEMORY: Final = Path("/dev/shm")  # noqa: S108  the folder made in it is this user's alone


class Run(NamedTuple):
    """What a bot did then, and what the bot of today does.

    Attributes:
        then: The recording.
        now: That of the replay.
    """

    then: Recording
    now: Recording

    def pairs(self) -> list[Pair]:
        """Return both side by side."""
        then = Names(self.then.said, self.then.answers)
        now = Names(self.now.said, self.now.answers, then)
        middle = self.then.continues
        return compared(
            facts(self.then, then, continues=middle),
            facts(self.now, now, continues=middle),
            self.then.seconds,
            continues=middle,
        )


def replayed(bundle: Bundle, *, app: AnyApp | None = None) -> Run:
    """Play a bundle to the bot of today.

    Args:
        bundle: What is played.
        app: Hears what the app heard then; by default a stand-in says and does what the app did then.

    Raises:
        UsageError: The bundle has no journal, or one that cannot be read.
    """
    if not bundle.journal:
        why = next(
            (gap["why"] for gap in bundle.manifest.get("missing", ()) if gap["what"] == "journal.jsonl"), ""
        )
        raise UsageError(
            f"the bundle has no journal{f' ({why})' if why else ''}, so there is nothing to replay",
            remedy="Have it made while the bot runs.",
        )
    try:
        check_rows(bundle.journal)
        who = _Bot.of(bundle.manifest)
    except ValueError as exc:
        raise UsageError(
            f"the bundle cannot be replayed: {exc}", remedy="Have it made and sent again: `hangbot bundle`."
        ) from None
    then = read_recording(bundle.journal)
    start = -START if then.continues else 0.0
    now = run_virtually(_Replay(bundle, then, who, app).run(), start=start)
    return Run(then, now)


class _Bot(NamedTuple):
    """Whose incident it is."""

    uid: str
    token_expires_at: float | None

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> Self:
        """Read it from a manifest; raises `ValueError`."""
        bot = manifest.get("bot")
        uid, expires = (bot.get("uid"), bot.get("token_expires_at")) if isinstance(bot, dict) else (0, 0)
        if not isinstance(uid, str | None) or not isinstance(expires, int | float | None):
            raise ValueError("its manifest does not say whose it is")  # noqa: TRY004  what was read is wrong
        return cls(uid or "bot", expires)


class _Replay:
    def __init__(self, bundle: Bundle, then: Recording, who: _Bot, app: AnyApp | None) -> None:
        self._bundle = bundle
        self._then = then
        self._app = app
        self._clock = VirtualClock(float(then.kept["began"]))
        self._who = who
        self._player = RecordedPlayer(then, self._clock, who.uid)
        self._journal = _Heard(then, self._clock, self._player)

    async def run(self) -> Recording:
        """Run the bot for as long as the recording lasts, and return what it did."""
        journal = self._journal
        services = {_ROOM: "room", _CHAT: "chat", _GATEWAY: "gateway"}
        network = played_network(self._player, services, journal)
        app = self._app or (StandIn(self._then, self._clock) if self._then.kept["app"] else None)
        with tempfile.TemporaryDirectory(prefix="hangbot-replay-", dir=_in_memory()) as folder, _quiet():
            settings = self._settings(Path(folder))
            async with open_outbox(settings, clock=self._clock, make_writer=InlineWriter) as outbox:
                await self._resume(outbox)
                async with open_bot(settings, outbox, app=app, clock=self._clock, network=network) as bot:
                    await self._play(bot, outbox)
        excerpt = journal.read()
        made = list(rows(excerpt, Redactor()))
        return read_recording(made, shift=float(made[0]["start"]))

    async def _resume(self, outbox: Outbox) -> None:
        """Have the bot begin where it began then in each conversation that it knew."""
        inbox = Inbox(outbox.place, self._clock)
        for resumed in () if self._then.continues else self._then.of_kind("resumed")[:1]:
            for key, (low, *above) in resumed.row["handled"].items():
                await inbox.begin(key, low)
                await inbox.handled(key, above, low)
            await inbox.begin_direct(resumed.row["base"])

    async def _play(self, bot: Bot, outbox: Outbox) -> None:
        tasks = [
            asyncio.create_task(self._look(bot), name="hangbot-replay-health"),
            asyncio.create_task(self._say(bot, outbox), name="hangbot-replay-script"),
        ]
        running = asyncio.create_task(self._run_bot(bot), name="hangbot-replay-bot")
        try:
            ended = self._then.of_kind("ended")
            left = self._then.seconds - self._clock.now() + (bot.options.drain if ended else 0.0)
            with suppress(TimeoutError):
                await self._clock.wait_for(asyncio.shield(running), left)
        finally:
            for task in (*tasks, running):
                task.cancel()
            for result in await asyncio.gather(*tasks, running, return_exceptions=True):
                if isinstance(result, Exception):
                    raise result  # a fault of the replay's own

    async def _run_bot(self, bot: Bot) -> None:
        try:
            await bot.run()
        except HangbotError:
            pass  # the journal has it
        except Exception as exc:  # noqa: BLE001  a fault of the bot of today: what is to be shown
            self._journal.add("ended", type(exc).__name__)

    async def _look(self, bot: Bot) -> None:
        while True:
            bot.health()
            await self._clock.sleep(_LOOKS_EVERY)

    async def _say(self, bot: Bot, outbox: Outbox) -> None:
        """Have the bot say and do what it was to say and do then, and its operator too, at the same times."""
        acting: list[asyncio.Task[object]] = []
        todo: list[tuple[float, Said | Mapping[str, Any] | None]] = list(self._then.to_say())
        todo += [(done.t, done.row) for kind in ("acted", "operator") for done in self._then.of_kind(kind)]
        todo += [(stop.t, None) for stop in self._then.of_kind("stopping")]
        try:
            for t, step in sorted(todo, key=lambda each: each[0]):
                if (wait := t - self._clock.now()) > 0:
                    await self._clock.sleep(wait)
                if isinstance(step, Said):
                    if self._app is None and (self._then.kept["app"] or not step.own):
                        await _said(bot, step)
                elif step is None:
                    bot.stop()
                elif step["kind"] == "operator":
                    await self._changed(bot, outbox, step)
                elif self._app is None:
                    acting.append(asyncio.create_task(_acted(bot, step)))
            await asyncio.gather(*acting)
        finally:
            for task in acting:
                task.cancel()
            await asyncio.gather(*acting, return_exceptions=True)

    async def _changed(self, bot: Bot, outbox: Outbox, row: Mapping[str, Any]) -> None:
        """Do to a message what the operator did then."""
        change = outbox.requeue if row["change"] == "retry" else outbox.drop
        with suppress(HangbotError):  # it is not there: the bot of today never said it, and that shows
            await change([self._player.renamed(row["id"])], self._clock.wall())
        bot.look()

    def _settings(self, folder: Path) -> Settings:
        names = {env.name for env in ENV.values() if not env.secret} - _LEFT_OUT
        env = {
            name: value
            for name, value in self._bundle.config.items()
            if name in names and value not in {"-", "", MASK}
        }
        if self._bundle.config.get(_CHAT_TOKEN) == MASK:  # or it would ask the gateway, as it did not then
            env[_CHAT_TOKEN] = TOKEN
        settings = Settings.from_env(
            env
            | {
                "BOT_USER_TOKEN": _token(*self._who),
                "HANGBOT_OUTBOX": str(folder / "outbox.sqlite3"),
                "OPENCHAT_BASE_URL": f"https://{_CHAT}",
                "TTFM_GATEWAY_BASE_URL": f"https://{_GATEWAY}",
                "SOCKET_SERVER_URL": f"https://{_ROOM}",
            }
        )
        inner = {name: value for name, value in self._bundle.inner.items() if name in inner_fields()}
        return settings.with_changes(**inner)


async def _said(bot: Bot, said: Said) -> None:
    with suppress(HangbotError):  # the journal has it
        await bot.say(said.text, to=said.to, direct=said.direct, key=said.key)


async def _acted(bot: Bot, row: Mapping[str, Any]) -> None:
    with suppress(HangbotError):  # the journal has it
        await bot.act(row["action"], **row["params"])


class _Heard(Journal):
    """The replay's own journal; the player is given each message that the bot is to send.

    What is drawn comes from the recording.
    """

    def __init__(self, then: Recording, clock: VirtualClock, player: RecordedPlayer) -> None:
        super().__init__(clock.now, oldest=float("inf"), largest=_LARGEST)
        self._then = then
        self._player = player
        self._clock = clock

    def noted(self, chance: Chance, whose: str) -> Chance:  # noqa: ARG002  chance has no part in it
        return NotedChance(Drawn(self._then, self._clock, whose), super().add, whose)

    def add(self, kind: str, *values: Any) -> None:  # noqa: ANN401  any value of an entry
        if kind == "answering":
            self._player.answers[values[0]] = values[1]
        super().add(kind, *values)

    def said(self, key: str, to: str, text: str, *, direct: bool, refused: str = "") -> None:
        self._player.said(Said(self._clock.now(), key, to, direct, text, refused))
        super().said(key, to, text, direct=direct, refused=refused)


def _in_memory() -> Path | None:
    """Return a folder that is on no disk, where there is one: what is written there is soon gone anyway."""
    return _MEMORY if _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) else None


def _token(uid: str, expires_at: float | None) -> str:
    """Return a token that names the bot and is none: no service is ever shown it."""
    claims = {"sub": uid, "id": uid, "role": "bot"} | ({} if expires_at is None else {"exp": int(expires_at)})
    parts = ({"alg": "none"}, claims)
    encoded = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
    return ".".join((*encoded, "replay"))


@contextmanager
def _quiet() -> Iterator[None]:
    """Log nothing: what happens is of another time."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)

"""Incidents of a real bot on the sandbox, in virtual time, and the bundle that is made of each."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from hangbot import AnyApp, Bot, HangbotError, InlineWriter, Settings, exclusive, open_bot, open_outbox
from hangbot.claims import read_claims
from hangbot.config import inner_fields
from hangbot.delivery.stats import compute_stats
from hangbot.hangfm.network import Network
from hangbot.incident.bundle import write_bundle
from hangbot.incident.contents import Found, files
from hangbot.incident.disguise import Disguise
from hangbot.incident.own_words import own_words
from hangbot.journal import Journal, rows
from hangbot.redact import Redactor
from hangbot.sandbox import Actor, Sandbox, SandboxClock, open_sandbox
from pytest_hangfm.simulation.clock import SimulatedClock
from pytest_hangfm.simulation.loop import SimulatedLoop

__all__ = ["ALICE", "BOB", "CHAT_PORT", "NAMES", "ROOM_PORT", "Happening", "recorded"]

ROOM_PORT: Final = 4001
CHAT_PORT: Final = 4002
ALICE: Final = "Alicia Cooperfield"
BOB: Final = "Bobczak"
ROOM: Final = "Velvetine Lounge"
NAMES: Final = (*ALICE.split(), BOB, *ROOM.split()[:1])
"""Nothing of these may stand in a bundle."""


@dataclass(frozen=True, slots=True)
class Happening:
    """What an incident has to work with."""

    sandbox: Sandbox
    bot: Bot
    loop: SimulatedLoop
    alice: Actor
    bob: Actor
    running: "asyncio.Task[None]"
    outbox_file: Path

    async def wait(self, seconds: float) -> None:
        """Have time pass."""
        await asyncio.sleep(seconds)


Incident = Callable[[Happening], Awaitable[None]]
"""What happens to a bot."""


def recorded(
    place: Path,
    incident: Incident,
    *,
    app: AnyApp | None = None,
    env: Mapping[str, str] = MappingProxyType({}),
    plain: bool = False,
    largest: int = 5 * 2**20,
    inner: Mapping[str, object] = MappingProxyType({}),
    earlier: Incident | None = None,
) -> list[str]:
    """Run a bot through an incident and write the bundle; return every secret that there was.

    Args:
        place: Where the bundle is written; its outbox stands beside it.
        incident: What happens.
        app: The bot's app.
        env: Settings besides those of the sandbox.
        plain: Whether the bundle is for oneself.
        largest: Bytes that the journal may take.
        inner: Settings that have no name outside.
        earlier: What happened to a bot on the same outbox before this one was started.
    """

    async def main() -> list[str]:
        loop, clock = asyncio.get_running_loop(), SimulatedClock()
        assert isinstance(loop, SimulatedLoop)
        made = SandboxClock(wall_s=clock.wall, monotonic_s=loop.time)
        rng = random.Random(7)  # noqa: S311  to be repeatable
        async with open_sandbox(
            room_port=ROOM_PORT, http_port=CHAT_PORT, control=False, clock=made, rng=rng
        ) as sandbox:
            sandbox.room.moderation.update_settings({"name": ROOM})
            outbox_file = place.with_suffix(".sqlite3")
            own = {"HANGBOT_OUTBOX": str(outbox_file)}
            if env.get("COMETCHAT_AUTH") == "":  # the bot's own, which only the sandbox knows
                own["COMETCHAT_AUTH"] = sandbox.bot.chat_token
            settings = Settings.from_env({**sandbox.env(), **env, **own})
            settings = settings.with_changes(**inner)
            alice, bob = sandbox.users.add(ALICE), sandbox.users.add(BOB)
            await alice.join()
            await bob.join()

            async def happens(what: Incident) -> tuple[list[dict[str, Any]], dict[str, Any]]:
                journal = Journal(clock.now, largest=largest)
                async with (
                    open_outbox(settings, clock=clock, make_writer=InlineWriter) as outbox,
                    open_bot(
                        settings, outbox, app=app, clock=clock, rng=rng, network=Network(journal=journal)
                    ) as bot,
                ):
                    running = asyncio.create_task(bot.run(), name="bot")
                    looking = asyncio.create_task(_look(bot), name="health")
                    await bot.ready()
                    await what(Happening(sandbox, bot, loop, alice, bob, running, outbox_file))
                    kept = list(rows(journal.read(), Redactor(settings.secrets()), wall=clock.wall()))
                    figures = compute_stats(await outbox.timings(), clock.wall()).as_row()
                    bot.stop()
                    looking.cancel()
                    with suppress(HangbotError):
                        await running
                    await asyncio.gather(looking, return_exceptions=True)
                return kept, figures

            with exclusive(settings.outbox):
                if earlier:
                    await happens(earlier)
                kept, figures = await happens(incident)
        disguise = None if plain else Disguise(b"a key of the tests", own_words())
        content = files(
            Found(
                settings.described(),
                {name: getattr(settings, name) for name in inner_fields()},
                {"python": "3"},
                outbox=figures,
                journal=kept,
            ),
            disguise,
        )
        claims = read_claims(settings.bot_user_token.get_secret_value())
        assert claims is not None
        assert claims.uid is not None
        who = {
            "uid": disguise.id(claims.uid) if disguise else claims.uid,
            "token_expires_at": claims.expires_at,
        }
        write_bundle(place, content, {"created": "now", "hangbot": "0", "plain": plain, "bot": who}, ())
        return [*settings.secrets(), sandbox.bot.chat_token, alice.token, bob.token]

    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(main())


async def _look(bot: Bot) -> None:
    while True:
        await asyncio.sleep(1.0)
        bot.health()

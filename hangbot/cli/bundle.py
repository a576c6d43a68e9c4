"""``hangbot bundle``: all that is known of a bot, in one file that is safe to post in public."""

import argparse
import asyncio
import json
import platform
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, TypeVar

from hangbot import __version__
from hangbot.claims import read_claims
from hangbot.cli.asking import ask_bot
from hangbot.cli.context import load_settings
from hangbot.cli.output import write_line
from hangbot.cli.parser import path_to_write
from hangbot.clock import SystemClock, file_date
from hangbot.config import Settings, inner_fields
from hangbot.delivery.database import SQLITE
from hangbot.delivery.stats import compute_stats
from hangbot.errors import HangbotError
from hangbot.factory import open_outbox, open_subject
from hangbot.hangfm.network import Network
from hangbot.ids import SYSTEM_RNG
from hangbot.incident.bundle import Missing, write_bundle
from hangbot.incident.contents import Found, files
from hangbot.incident.disguise import Disguise
from hangbot.incident.own_words import own_words
from hangbot.journal import Journal, rows
from hangbot.new_file import refuse_place
from hangbot.preflight import examine, overall, preflight_row
from hangbot.redact import Redactor
from hangbot.status import Silent
from hangbot.status.pages import JOURNAL, LOG

__all__ = ["add_arguments", "run"]

T = TypeVar("T")

_WITHIN: Final = 20.0
"""Seconds for which the bot may take to write its journal: to mask five megabytes takes some of them."""
_PREFLIGHT_WITHIN: Final = 90.0
_LARGEST: Final = 64 * 2**20
_LIBRARIES: Final = (
    "h11",
    "httpx",
    "pydantic",
    "websockets",
    "aiohappyeyeballs",
    "aiohttp",
    "prometheus-client",
    "nats-py",
)
_NOT_RUNNING: Final = "no bot runs on the outbox, and it had that in its memory"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "file",
        nargs="?",
        type=path_to_write,
        metavar="FILE",
        help="where to write it, a .zip (default: hangbot-bundle-DATE.zip in the working directory)",
    )
    parser.add_argument(
        "--plain",
        action="store_true",
        help="leave names, uids and texts as they are, for yourself alone; secrets are masked all the same",
    )
    parser.set_defaults(quiet_level="error")


def run(args: argparse.Namespace) -> int:
    """Write the bundle, and say what is in it and what is not."""
    settings, clock = load_settings(args), SystemClock()
    place = args.file or Path(f"hangbot-bundle-{file_date(clock)}.zip")
    refuse_place(place)
    found = asyncio.run(_find(settings))
    hidden = None if args.plain else Disguise(SYSTEM_RNG.getrandbits(256).to_bytes(32, "big"), own_words())
    made = files(found, hidden)
    write_bundle(place, made, _manifest(settings, hidden, clock.wall()), found.missing)
    _say(place, list(made), found, plain=args.plain)
    return 0


def _manifest(settings: Settings, hidden: Disguise | None, now: float) -> dict[str, Any]:
    claims = read_claims(settings.bot_user_token.get_secret_value())
    uid = (claims.uid if claims else None) or settings.chat_uid
    return {
        "created": datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds"),
        "hangbot": __version__,
        "plain": hidden is None,
        "bot": {
            "uid": uid if uid is None or hidden is None else hidden.id(uid),
            "token_expires_at": claims.expires_at if claims else None,
        },
    }


def _say(place: Path, made: list[str], found: Found, *, plain: bool) -> None:
    write_line(f"{place}: {', '.join(made)}")
    for gap in found.missing:
        write_line(f"  not in it: {gap.what}: {gap.why}")
    write_line(
        "  secrets are masked; names, uids and texts are in it: for yourself alone"
        if plain
        else "  secrets are masked, names, uids, room ids and texts replaced: look it through, then post it"
    )


async def _find(settings: Settings) -> Found:
    clock, missing = SystemClock(), list[Missing]()

    silent: list[Silent] = []

    async def found(what: str, finding: Callable[[], Awaitable[T | None]], where: str) -> T | None:
        """Return what was found, or ``None`` and say why it is missing."""
        try:
            got = await finding()
        except Silent as exc:
            silent.append(exc)
            missing.append(Missing(what, f"{exc}"))
        except HangbotError as exc:
            missing.append(Missing(what, f"{exc}"))
        except TimeoutError:
            missing.append(Missing(what, "it took too long"))
        else:
            if got is None:
                missing.append(Missing(what, where))
            return got
        return None

    def of_bot(target: str) -> Callable[[], Awaitable[bytes | None]]:
        async def asking() -> bytes | None:
            if silent:  # one that hangs is asked once
                raise silent[0]
            return await ask_bot(settings, target, within=_WITHIN, largest=_LARGEST)

        return asking

    journal = await found("journal.jsonl", of_bot(JOURNAL), _NOT_RUNNING)
    log = await found("log.jsonl", of_bot(LOG), _NOT_RUNNING)
    health = await found("health.json", of_bot("/healthz"), _NOT_RUNNING)
    figures = await found("outbox.json", lambda: _outbox(settings), "")
    heard = Journal(clock.now)
    checks = await found(
        "preflight.json", lambda: clock.wait_for(_preflight(settings, heard), _PREFLIGHT_WITHIN), ""
    )
    return Found(
        settings.described(),
        {name: getattr(settings, name) for name in inner_fields()},
        _versions(),
        outbox=figures,
        preflight=checks,
        health=None if health is None else json.loads(health),
        log=None if log is None else _rows(log),
        journal=None if journal is None else _rows(journal),
        heard=list(rows(heard.read(), Redactor(settings.secrets()))),
        missing=missing,
    )


def _rows(lines: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.splitlines() if line]


async def _preflight(settings: Settings, heard: Journal) -> dict[str, Any]:
    async with open_subject(settings, network=Network(journal=heard)) as context:
        results = [result async for result in examine(context)]
    masked: dict[str, Any] = Redactor(settings.secrets()).value(
        preflight_row(results, overall(results), target="live")
    )
    return masked


async def _outbox(settings: Settings) -> dict[str, Any]:
    if settings.cluster is None and not settings.outbox.exists():
        raise HangbotError(f"there is no outbox {settings.outbox.absolute()}")
    async with open_outbox(settings, binds=False, patience=5.0) as outbox:
        return compute_stats(await outbox.timings(), SystemClock().wall()).as_row()


def _versions() -> dict[str, str]:
    found = {
        "hangbot": __version__,
        "python": sys.version.split()[0],
        "implementation": platform.python_implementation(),
        "system": platform.platform(),
        "sqlite": SQLITE,
    }
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found

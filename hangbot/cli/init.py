"""``hangbot init``: a configuration from one token and a room; everything else is derived."""

import argparse
import asyncio
import getpass
import os
import sys
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from hangbot.cli.context import ENV_FILE, set_up_logs
from hangbot.config import ENV, Settings, render_env_file
from hangbot.config.fields import UUID
from hangbot.errors import HangbotError, NotFound, UsageError
from hangbot.factory import open_clients
from hangbot.gateway import GatewayClient

__all__ = ["main"]

_STDIN = Path("-")
_LONGEST_TOKEN = 65_536
_ANY_ROOM = "00000000-0000-0000-0000-000000000000"


def main(args: argparse.Namespace) -> int:
    """Ask for what is missing, derive the rest, write the file for its owner alone."""
    path: Path = args.env_file or ENV_FILE
    if path.exists() and not args.force and not _agrees(f"{path} exists. Write it anew?"):
        raise UsageError(f"{path} exists; it was left as it is", remedy="Give --force to write it anew.")
    given = {env.name: value for env in ENV.values() if (value := os.environ.get(env.name))}
    given["BOT_USER_TOKEN"] = _token(args, given)
    room = args.room or given.get("ROOM_UUID") or _ask("The room's slug (its name in the address) or UUID: ")
    room = _slug(room)
    given["ROOM_UUID"] = room if UUID.fullmatch(room) else _ANY_ROOM
    settings = Settings.from_env(given)
    set_up_logs(args, settings)
    given["ROOM_UUID"] = asyncio.run(_find(settings, room))
    Settings.from_env(given)  # what the gateway told must be usable, too
    _write(path, given)
    print(f"wrote {path}, readable by you alone")
    print("next: hangbot preflight" + (f" --env-file {path}" if path != ENV_FILE else ""))
    return 0


def _slug(room: str) -> str:
    """Take the slug out of an address that was copied from the browser."""
    return urlsplit(room).path.rstrip("/").rpartition("/")[2] if "://" in room else room.strip()


def _token(args: argparse.Namespace, given: dict[str, str]) -> str:
    if args.token_file:
        return _read_token(args.token_file)
    return given.get("BOT_USER_TOKEN") or _ask("The bot's token (it is not shown): ", secret=True)


def _read_token(path: Path) -> str:
    """Read the token from a file, or with ``-`` from what is piped in: never from the command line."""
    try:
        if path == _STDIN:
            token = sys.stdin.read(_LONGEST_TOKEN)
        else:
            with path.open(encoding="utf-8") as file:
                token = file.read(_LONGEST_TOKEN)
    except (OSError, UnicodeDecodeError) as exc:
        cause = getattr(exc, "strerror", None) or "it is no text"
        raise UsageError(f"{path}: {cause}", remedy="Give a file that holds the token.") from None
    if not token.strip():
        raise UsageError(f"no token in {_shown(path)}", remedy="Give a file that holds the token.")
    return token.strip()


def _shown(path: Path) -> str:
    return "standard input" if path == _STDIN else str(path)


def _ask(prompt: str, *, secret: bool = False) -> str:
    if not sys.stdin.isatty():
        raise UsageError(
            "there is no terminal to ask at",
            remedy="Give --token-file and --room, or BOT_USER_TOKEN and ROOM_UUID in the environment.",
        )
    try:
        answer = (getpass.getpass(prompt) if secret else _input(prompt)).strip()
    except EOFError:
        answer = ""
    if not answer:
        raise UsageError("nothing was entered; nothing was written", remedy="Run it again.")
    return answer


def _agrees(question: str) -> bool:
    try:
        return sys.stdin.isatty() and _input(f"{question} [y/N] ").strip().lower() in {"y", "yes"}
    except EOFError:
        return False


def _input(prompt: str) -> str:
    """Ask on standard error: standard output carries results only."""
    print(prompt, end="", file=sys.stderr, flush=True)
    return input()


async def _find(settings: Settings, room: str) -> str:
    """Try the token everywhere it will be used, say what was derived from where, return the room's uuid."""
    async with open_clients(settings) as clients:
        await clients.gateway.exchange_token()
        print(f"chat token: exchanged at {clients.gateway.address} whenever needed; not written")
        me = await clients.chat.me()
        print(f"the bot: {me.get('name') or '?'} ({me.get('uid')}), told by {clients.chat.address}")
        found = await _room(clients.gateway, room)
        print(
            f"the room: {found}"
            + (f", told by {clients.gateway.address} for {room}" if found != room else "")
        )
        return found


async def _room(gateway: GatewayClient, room: str) -> str:
    try:
        found = (await gateway.room(room)).get("uuid")
    except NotFound as exc:
        raise NotFound(
            str(exc),
            service="gateway",
            remedy="Check --room: the slug is the last part of the room's address.",
        ) from None
    if not isinstance(found, str):
        raise HangbotError(f"the gateway named no uuid for room {room}", remedy="Give --room its UUID.")
    return found


def _write(path: Path, values: dict[str, str]) -> None:
    """Write beside it and rename: what was there stays whole until the new one is."""
    made = path.with_name(path.name + ".new")
    try:
        made.unlink(missing_ok=True)  # a file that is there may be open to others, or lead elsewhere
        with os.fdopen(
            os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        ) as file:
            file.write(render_env_file(values))
        made.replace(path)
    except OSError as exc:
        with suppress(OSError):
            made.unlink(missing_ok=True)  # it holds a token
        raise HangbotError(
            f"{path} cannot be written: {exc.strerror}", remedy="Choose another --env-file."
        ) from None

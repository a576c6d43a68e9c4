"""``hangbot init``: write a configuration from one token and a room; derive everything else."""

import argparse
import asyncio
import getpass
import os
import select
import sys
import termios
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from hangbot.cli.context import ENV_FILE, set_up_logs
from hangbot.cli.invocation import hangbot_command
from hangbot.cli.output import write_line
from hangbot.cli.pasted import find_rooms, find_token
from hangbot.config import ENV, Settings, render_env_file
from hangbot.config.parsing import unquoted
from hangbot.errors import HangbotError, NotFound, UsageError
from hangbot.factory import open_clients
from hangbot.given_file import read_given
from hangbot.new_file import try_place, write_over
from hangbot.system_errors import remedy_for

__all__ = ["add_arguments", "run"]

_STDIN = Path("-")
_LONGEST_TOKEN = 65_536
_PASTING: Final = 0.05
"""Seconds within which the next line of pasted text arrives."""
_ANY_ROOM = "00000000-0000-0000-0000-000000000000"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--token-file",
        type=Path,
        metavar="F",
        help="the file with the bot's token, - for standard input (default: asked)",
    )
    parser.add_argument(
        "--room", metavar="SLUG|UUID", help="the room, by its name in the address, the address, or its uuid"
    )
    parser.add_argument("--force", action="store_true", help="write the file anew where there is one")


def run(args: argparse.Namespace) -> int:
    """Ask for missing values, derive the rest, write the file for its owner alone."""
    path: Path = args.env_file or ENV_FILE
    try:
        try_place(path)
    except OSError as exc:
        raise _unwritable(path, exc) from None
    if path.exists() and not args.force and not _agrees(f"{path} exists. Write it anew?"):
        raise UsageError(f"{path} exists; it was left as it is", remedy="Give --force to write it anew.")
    values = {env.name: value for env in ENV.values() if (value := unquoted(os.environ.get(env.name, ""))[0])}
    sources: dict[str, str] = {}
    values["BOT_USER_TOKEN"], sources["BOT_USER_TOKEN"] = _token(args, values)
    room = args.room or values.get("ROOM_UUID")
    settings = Settings.from_env(values | {"ROOM_UUID": _ANY_ROOM}, sources=sources)
    set_up_logs(args, settings)
    asyncio.run(_identify(settings))
    values["ROOM_UUID"] = _find(settings, room)
    Settings.from_env(values, sources=sources)  # the room's uuid must be usable as well
    _write(path, values)
    write_line(f"wrote {path}, readable by you alone")
    write_line(f"next: {hangbot_command()} preflight" + (f" --env-file {path}" if path != ENV_FILE else ""))
    return 0


def _token(args: argparse.Namespace, values: dict[str, str]) -> tuple[str, str]:
    """Return the token, and where it was read from."""
    if args.token_file:
        where = _shown(args.token_file)
        return find_token(_read(args.token_file), where=where), where
    if "BOT_USER_TOKEN" in values:
        return find_token(values["BOT_USER_TOKEN"], where="BOT_USER_TOKEN of the environment"), "environment"
    answer = _ask(
        "The bot's token (it is not shown; docs/bot-token.md tells where it comes from): ", secret=True
    )
    return find_token(answer, where="what was entered"), "what was entered"


def _read(path: Path) -> str:
    """Read the token from a file, or with ``-`` from standard input: never from the command line."""
    try:
        if path == _STDIN:
            return sys.stdin.read(_LONGEST_TOKEN)
        return read_given(path, most=_LONGEST_TOKEN).decode("utf-8")
    except (OSError, ValueError) as exc:
        cause = getattr(exc, "strerror", None) or "it is no text"
        raise UsageError(f"{path}: {cause}", remedy="Give a file that holds the token.") from None


def _shown(path: Path) -> str:
    return "standard input" if path == _STDIN else str(path)


def _ask(prompt: str, *, secret: bool = False) -> str:
    if not sys.stdin.isatty():
        raise UsageError(
            "there is no terminal to ask at",
            remedy="Give --token-file and --room, or BOT_USER_TOKEN and ROOM_UUID in the environment.",
        )
    try:
        answer = (_secret(prompt) if secret else _input(prompt)).strip()
    except EOFError:
        answer = ""
    if not answer:
        raise UsageError("nothing was entered; nothing was written", remedy="Run it again.")
    return answer


def _secret(prompt: str) -> str:
    """Ask without an echo, and read every line of pasted text.

    `getpass` discards the lines behind the first, and the next question must not read them.
    """
    try:
        terminal = sys.stdin.fileno()
        settings = termios.tcgetattr(terminal)
    except (OSError, ValueError, termios.error):  # no real terminal
        return getpass.getpass(prompt)
    silent = [*settings[:3], settings[3] & ~termios.ECHO, *settings[4:]]
    try:
        termios.tcsetattr(terminal, termios.TCSADRAIN, silent)
        lines = [_input(prompt)]
        while sum(map(len, lines)) < _LONGEST_TOKEN and select.select([terminal], [], [], _PASTING)[0]:
            line = sys.stdin.readline()
            if not line:
                break
            lines.append(line)
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, settings)
        write_line(to=sys.stderr)
    return "\n".join(lines)


def _agrees(question: str) -> bool:
    try:
        return sys.stdin.isatty() and _input(f"{question} [y/N] ").strip().lower() in {"y", "yes"}
    except EOFError:
        return False


def _input(prompt: str) -> str:
    """Ask on standard error: standard output carries results only."""
    write_line(prompt, end="", to=sys.stderr)
    return input()


async def _identify(settings: Settings) -> None:
    """Try the token at the gateway and the chat, and say what was derived from where."""
    async with open_clients(settings) as clients:
        await clients.gateway.exchange_token()
        write_line(f"chat token: exchanged at {clients.gateway.address} whenever needed; not written")
        me = await clients.chat.me()
        write_line(f"the bot: {me.get('name') or '?'} ({me.get('uid')}), told by {clients.chat.address}")


def _find(settings: Settings, room: str | None) -> str:
    """Return the room's uuid; where it cannot be found, ask for the room again, and for nothing else."""
    while True:
        try:
            wanted = room or _ask("The room: its address, the last part of it, or its UUID: ")
            return asyncio.run(_room(settings, find_rooms(wanted)))
        except (NotFound, UsageError) as exc:
            if not sys.stdin.isatty() or (room is None and not wanted):
                raise
            write_line(f"{str(exc).rstrip('.')}. {exc.remedy}", to=sys.stderr)
            room = None


async def _room(settings: Settings, names: Sequence[str]) -> str:
    """Ask the gateway for the room under each of its possible names."""
    async with open_clients(settings) as clients:
        for place, name in enumerate(names, 1):
            try:
                found = (await clients.gateway.room(name)).get("uuid")
            except NotFound as exc:
                if place < len(names):
                    continue
                raise NotFound(
                    str(exc),
                    service="gateway",
                    remedy="Check --room: the slug is the last part of the room's address.",
                ) from None
            if not isinstance(found, str):
                raise HangbotError(
                    f"the gateway named no uuid for room {name}", remedy="Give --room its UUID."
                )
            source = f", told by {clients.gateway.address} for {name}" if found != name else ""
            write_line(f"the room: {found}{source}")
            return found
    raise AssertionError("there is always a name")


def _write(path: Path, values: dict[str, str]) -> None:
    try:
        write_over(path, render_env_file(values).encode())
    except OSError as exc:
        raise _unwritable(path, exc) from None


def _unwritable(path: Path, error: OSError) -> HangbotError:
    return HangbotError(
        f"{path} cannot be written: {error.strerror or error}",
        remedy=remedy_for(error) or "Choose another --env-file.",
    )

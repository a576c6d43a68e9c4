"""Checks of the bot's files: can the outbox be written, are they private, and do they last?"""

import stat
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Final

from hangbot.config import Settings
from hangbot.delivery.outbox import exclusive, is_held_here
from hangbot.delivery.surroundings import count_messages, has_second_name, is_mounted_alone
from hangbot.errors import OutboxBusy
from hangbot.preflight.model import CheckContext, Finding, check

__all__ = ["files_safe", "former_outbox", "outbox_writable"]

_OTHERS_READ: Final = stat.S_IRGRP | stat.S_IROTH


@check(
    "outbox",
    "Outbox is writable",
    needs=("config",),
    remedy="Check HANGBOT_OUTBOX: its folder must exist and be writable.",
)
async def outbox_writable(context: CheckContext) -> Finding:
    """The outbox can be written and locked: both are tried, since permission bits prove neither."""
    path = context.settings.outbox
    async with context.open_outbox() as outbox:
        await outbox.prove()
        waiting = await outbox.count_waiting()
    more = f", {waiting} {'message waits' if waiting == 1 else 'messages wait'}" if waiting else ""
    if context.settings.cluster:
        return Finding(f"{outbox.place.name} was read from the cluster{more}")
    try:
        with nullcontext() if is_held_here(path) else exclusive(path, brief=True):
            pass
    except OutboxBusy as busy:
        more += f", {'a `hangbot send`' if busy.brief else 'a bot'} delivers from it now"
    return Finding(f"{path} was written and locked{more}")


@check(
    "files",
    "Files are private and in a lasting place",
    needs=("config",),
    remedy="Let nobody else read the configuration, and keep the outbox in a folder that lasts.",
)
async def files_safe(context: CheckContext) -> Finding:
    """The configuration is the bot's alone, and the outbox is where it lasts."""
    found = list(_risks(context.settings))
    if found:
        return Finding("; ".join(odd for odd, _ in found), " ".join(remedy for _, remedy in found))
    read = context.settings.file
    return Finding("the outbox lasts" + (f", and nobody else reads {read.name}" if read else ""))


def _risks(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.file and (mode := _mode(settings.file)) & _OTHERS_READ:
        yield (
            f"{settings.file} holds a token, and others can read it (mode {mode:04o})",
            f"`chmod 600 {settings.file}`.",
        )
    outbox = settings.outbox
    if is_mounted_alone(outbox):
        yield (
            f"the outbox {outbox} is mounted as a single file: its log {outbox.name}-wal stays behind",
            "Mount its folder instead of the file.",
        )
    if has_second_name(outbox):
        yield (
            f"the outbox {outbox} has a second name (a hard link), under which its log is not found",
            "Use one name only; copy it with `hangbot outbox backup FILE`.",
        )
    if former := former_outbox(settings):
        yield former


def former_outbox(settings: Settings) -> tuple[str, str] | None:
    """Return what an earlier version left in the working directory, and the remedy; ``None`` for nothing."""
    former = settings.former_outbox
    if former is None or not (messages := count_messages(former)):
        return None
    where = f"in the working directory ({former.absolute()})"
    return (
        f"an outbox with {messages} messages is {where}, and not used; {settings.outbox.absolute()} is",
        "Move it there while no bot runs, name it in HANGBOT_OUTBOX, or remove it.",
    )


def _mode(path: Path) -> int:
    try:
        found = path.stat()
    except OSError:
        return 0
    return stat.S_IMODE(found.st_mode) if stat.S_ISREG(found.st_mode) else 0

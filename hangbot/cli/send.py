"""``hangbot send``: accept messages; a running bot delivers them, else this command does."""

import argparse
import asyncio
import json
import logging
import sys
from collections.abc import Iterable, Sequence
from uuid import uuid4

from hangbot.cli import show
from hangbot.cli.context import load_settings
from hangbot.cli.run import log_step
from hangbot.config import Settings
from hangbot.delivery.courier import Courier
from hangbot.delivery.outbox import Outbox, exclusive_soon
from hangbot.delivery.record import Stored
from hangbot.errors import CANNOT_TELL, FAILED, OutboxBusy, UsageError
from hangbot.factory import make_courier, open_chat, open_outbox
from hangbot.preflight.about_files import former_outbox
from hangbot.wire.chat import Outgoing

__all__ = ["main"]

logger = logging.getLogger("hangbot")

_EXIT_CODES = {"failed": FAILED, "expired": FAILED, "dropped": FAILED, "uncertain": CANNOT_TELL}
_LOOK_EVERY = 0.05
_GLANCE = 0.2
"""Seconds for which a command holds the outbox at most that only looks whether a bot runs."""


def main(args: argparse.Namespace) -> int:
    """Accept, print a line a message, and deliver where no bot runs."""
    settings = load_settings(args)
    if former := former_outbox(settings):
        logger.warning("%s. %s", *former)
    return asyncio.run(_send(args, settings))


async def _send(args: argparse.Namespace, settings: Settings) -> int:
    async with open_outbox(settings) as outbox, open_chat(settings) as chat:
        courier = make_courier(settings, outbox, chat, notify=log_step)
        keys, refused = await _accept(args, settings, courier)
        delivered_here = await _deliver(settings, outbox, courier, args.wait)
        if args.wait is not None and not delivered_here:
            await _until_settled(outbox, keys, args.wait)
        rows = [await outbox.get(key) for key in keys]
        if args.json:
            for row in rows:
                print(json.dumps(show.message_row(row)))
        if refused:
            raise refused
        settled_matters = delivered_here or args.wait is not None
        return _exit_code(rows, waited=args.wait is not None) if settled_matters else 0


async def _accept(
    args: argparse.Namespace, settings: Settings, courier: Courier
) -> tuple[list[str], UsageError | None]:
    """Accept texts up to the first that cannot be sent; those before it are delivered all the same."""
    keys: list[str] = []
    try:
        for message in _messages(args, settings):
            stored = await courier.accept(message)
            keys += [row.message.id for row in stored]
            if not args.json:
                print(message.id, flush=True)
    except UsageError as exc:
        return keys, exc
    return keys, None


def _messages(args: argparse.Namespace, settings: Settings) -> Iterable[Outgoing]:
    to = args.to or settings.chat_receiver
    direct = to not in {settings.chat_receiver, settings.room_uuid}
    if not args.stdin:
        yield Outgoing(args.id or uuid4().hex, to, args.text, direct)
        return
    number = 0
    try:
        for number, line in enumerate(sys.stdin, 1):
            text = line.rstrip("\n")
            if not text.strip():
                raise UsageError(
                    f"line {number} is empty; the lines before it were accepted", remedy="Leave it out."
                )
            yield Outgoing(uuid4().hex, to, text, direct)
    except UnicodeDecodeError:
        raise UsageError(
            f"what follows line {number} is no UTF-8; what was printed was accepted",
            remedy="Send UTF-8, from the first line that has no id.",
        ) from None


async def _deliver(settings: Settings, outbox: Outbox, courier: Courier, within: float | None) -> bool:
    """Deliver what is queued, oldest first, unless a running bot does."""
    try:
        async with asyncio.timeout(within):
            delivered_here = False
            # Again for what another `send` accepted at the last moment, and left to this one.
            while not delivered_here or await outbox.count_waiting():
                async with exclusive_soon(settings.outbox, within=_GLANCE, brief=True):
                    delivered_here = True
                    await courier.run_until_empty()
    except TimeoutError:
        return True
    except OutboxBusy:
        return delivered_here
    return True


async def _until_settled(outbox: Outbox, keys: Sequence[str], within: float) -> None:
    """Wait for the running bot; it may be another process, so look at the disk."""
    try:
        async with asyncio.timeout(within):
            for key in keys:
                # Another process writes it: there is no event to wait for.
                while (await outbox.get(key)).settled_at is None:  # noqa: ASYNC110  see above
                    await asyncio.sleep(_LOOK_EVERY)
    except TimeoutError:
        return


def _exit_code(rows: Sequence[Stored], *, waited: bool) -> int:
    """Let the worst result count: failed before uncertain before delivered."""
    unsettled = CANNOT_TELL if waited else 0
    codes = [unsettled if row.settled_at is None else _EXIT_CODES.get(row.state, 0) for row in rows]
    return FAILED if FAILED in codes else max(codes, default=0)

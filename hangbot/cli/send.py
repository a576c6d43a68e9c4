"""``hangbot send``: accept messages; a running bot delivers them, else this command does."""

import argparse
import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Final

from hangbot.cli import show
from hangbot.cli.context import load_settings
from hangbot.cli.output import report, write_json, write_line
from hangbot.cli.parser import add_json_option, seconds
from hangbot.cli.run import log_step
from hangbot.cli.stdin_lines import Line, lines_of
from hangbot.config import Settings
from hangbot.delivery.courier import Courier
from hangbot.delivery.message import Outgoing, split
from hangbot.delivery.outbox import Outbox, exclusive_soon, is_wanted
from hangbot.delivery.record import OutboxRow, Step
from hangbot.errors import (
    CANNOT_TELL,
    FAILED,
    HangbotError,
    OutboxBusy,
    OutboxDiskFull,
    OutboxFull,
    OutboxLocked,
    OutboxNotOurs,
    OutboxTaken,
    OutboxUnusable,
    UnknownMessage,
    UsageError,
    first_of,
)
from hangbot.factory import make_courier, open_chat, open_outbox
from hangbot.ids import SYSTEM_RNG, new_id
from hangbot.preflight.storage import former_outbox
from hangbot.text import printable, whole

__all__ = ["add_arguments", "run"]

logger = logging.getLogger("hangbot")

_EXIT_CODES = {"failed": FAILED, "expired": FAILED, "dropped": FAILED, "uncertain": CANNOT_TELL}
_LOOK_EVERY = 0.05
_PATIENCE = 60.0
"""Seconds for which an outbox is waited for that another program has locked."""
_GLANCE = 0.2
"""Seconds for which a command holds the outbox at most that only looks whether a bot runs."""
_GRACE: Final = 1.0
"""Seconds in which what is given up after the total time of a message is still told as that."""
_TEXT: Final = "a text"
_BAD_LINE: Final = "Correct it and send it again; the other lines are not affected."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.set_defaults(complete=_complete, quiet_level="warning")  # cron mails whatever `send` prints
    parser.add_argument("words", nargs="*", metavar="TEXT", help="what to say, in one word or several")
    parser.add_argument("--stdin", action="store_true", help="read texts from standard input, one a line")
    parser.add_argument(
        "--to", metavar="ID", help="a group GUID, or a user's uid for a direct message (default: the room)"
    )
    parser.add_argument(
        "--id", metavar="ID", help="the stable id (default: made here); the same id is the same message"
    )
    parser.add_argument(
        "--wait",
        nargs="?",
        type=seconds,
        const=60.0,
        metavar="SECONDS",
        help="wait until it is settled, 60 s at most by default; exit 0 delivered, 1 failed, 3 uncertain",
    )
    add_json_option(parser)


def _complete(args: argparse.Namespace, rest: list[str]) -> str:
    """Join the words of the text, between which options may stand; return what is wrong with the call."""
    if not any(word.startswith("-") for word in rest):
        args.words += rest
        rest.clear()
    args.text = " ".join(args.words) if args.words else None
    if args.stdin == (args.text is not None):
        return "send takes either TEXT or --stdin"
    if args.stdin and args.id:
        return "send --stdin makes an id a line: --id goes with TEXT"
    return ""


def run(args: argparse.Namespace) -> int:
    """Accept, print a line a message, and deliver where no bot runs."""
    settings = load_settings(args)
    if former := former_outbox(settings):
        logger.warning("%s. %s", *former)
    args.text = args.text and whole(args.text)
    return asyncio.run(_send(args, settings))


async def _send(args: argparse.Namespace, settings: Settings) -> int:
    split(_outgoing(args, settings, _TEXT if args.text is None else args.text))  # before anything is begun
    patience = _PATIENCE if args.wait is None else args.wait
    async with open_outbox(settings, patience=patience) as outbox, open_chat(settings) as chat:
        accepted = _Accepted()
        courier = make_courier(settings, outbox, chat, notify=accepted.note)
        try:
            async with asyncio.TaskGroup() as tasks:
                delivering = tasks.create_task(
                    _deliver_as_it_comes(settings, outbox, courier, args.wait, accepted),
                    name="hangbot-send-deliver",
                )
                tasks.create_task(_accept(args, settings, courier, accepted), name="hangbot-send-accept")
        except* HangbotError as group:
            raise first_of(group) from None
        delivered_here = delivering.result()
        bound = settings.retry_total if args.wait is None else args.wait
        left = accepted.ended_at + bound - asyncio.get_running_loop().time()
        await _until_settled(outbox, accepted.handed_over if args.wait is None else accepted.keys, left)
        rows = [row for key in accepted.keys if (row := await _kept(outbox, key))]
        if args.json:
            for row in rows:
                write_json(show.message_row(row))
        if delivered_here or args.wait is not None:
            _tell_what_is_left(rows, courier)
        if not delivered_here and args.wait is not None:
            _tell_what_failed(rows)
        if accepted.trouble:
            raise accepted.trouble
        settled_matters = delivered_here or args.wait is not None
        code = _exit_code(rows, waited=args.wait is not None) if settled_matters else 0
        return FAILED if accepted.bad_lines else code


class _Accepted:
    """What was accepted so far, and whether there is more to come."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.bad_lines = 0
        self.trouble: HangbotError | None = None
        """Why the input ended before its end; what was accepted before is delivered all the same."""
        self.ended_at = 0.0
        self.ended_last = asyncio.get_running_loop().time()
        """When a message ended last: as long as some do, this command goes on."""
        self.handed_over: tuple[str, ...] = ()
        """What this command would have delivered, had not a bot started meanwhile."""
        self._over = False
        self._told = -1
        self._news = asyncio.Event()

    def add(self, rows: Sequence[OutboxRow]) -> None:
        self.keys += [row.message.id for row in rows]
        self._news.set()

    def note(self, step: Step) -> None:
        """Log a step of delivery."""
        if step.settlement:
            self.ended_last = asyncio.get_running_loop().time()
        log_step(step)

    def end(self) -> None:
        self._over = True
        self.ended_at = asyncio.get_running_loop().time()
        self._news.set()

    async def more(self) -> bool:
        """Wait until there is more to deliver than at the last call; ``False`` where there never will be.

        Once it is ``True`` in any case: others may have left something in the outbox.
        """
        while len(self.keys) == max(self._told, 0) and not self._over:
            await self._news.wait()
            self._news.clear()
        last, self._told = self._told, len(self.keys)
        return self._told != last


async def _accept(
    args: argparse.Namespace, settings: Settings, courier: Courier, accepted: _Accepted
) -> None:
    """Accept each text as it comes; a line that cannot be sent is told, and the others go on."""
    try:
        async for line in _lines(args):
            problem, remedy = line.problem, _BAD_LINE
            if not problem:
                message = _outgoing(args, settings, line.text)
                try:
                    accepted.add(await courier.accept(message))
                except (UsageError, OutboxFull) as exc:
                    if not args.stdin:
                        raise
                    problem, remedy = str(exc), exc.remedy
                else:
                    if not args.json:
                        write_line(message.id)
            if problem:
                accepted.bad_lines += 1
                report(f"line {line.number} was not accepted: {printable(problem)}. {remedy}")
    except HangbotError as exc:
        accepted.trouble = exc
    finally:
        accepted.end()


async def _lines(args: argparse.Namespace) -> AsyncIterator[Line]:
    if not args.stdin:
        yield Line(1, args.text)
        return
    if sys.stdin is None:
        raise UsageError(
            "standard input is closed; nothing was accepted", remedy="Give --stdin something to read."
        )
    async for line in lines_of(sys.stdin.fileno()):
        if line.problem or line.text.strip():
            yield line


def _outgoing(args: argparse.Namespace, settings: Settings, text: str) -> Outgoing:
    to = args.to or settings.chat_receiver
    direct = to not in {settings.chat_receiver, settings.room_uuid}
    return Outgoing(args.id or new_id(SYSTEM_RNG), to, text, direct)


async def _deliver_as_it_comes(
    settings: Settings, outbox: Outbox, courier: Courier, within: float | None, accepted: _Accepted
) -> bool:
    """Deliver whenever something was accepted; between, a bot may start and have the outbox."""
    delivered_here = False
    while await accepted.more() and not isinstance(accepted.trouble, OutboxDiskFull | OutboxLocked):
        delivered_here = await _deliver(settings, outbox, courier, within, accepted) or delivered_here
    return delivered_here


async def _deliver(
    settings: Settings, outbox: Outbox, courier: Courier, within: float | None, accepted: _Accepted
) -> bool:
    """Deliver what is queued, oldest first, unless a running bot does."""
    try:
        async with asyncio.timeout(within):
            delivered_here = False
            # Again for what another `send` accepted at the last moment, and left to this one.
            while not delivered_here or await outbox.count_waiting():
                async with exclusive_soon(settings.outbox, within=_GLANCE, brief=True):
                    delivered_here = True
                    accepted.ended_last = asyncio.get_running_loop().time()
                    if await _until_empty_or_wanted(settings, courier, accepted):
                        accepted.handed_over = tuple(accepted.keys)
    except TimeoutError:
        return True
    except OutboxBusy:
        return delivered_here
    except (OutboxTaken, OutboxNotOurs):
        raise  # what was accepted may be gone with the file, or is another bot's to say
    except OutboxUnusable as exc:
        logger.warning("%s: what was accepted stays queued. %s", exc, exc.remedy)
        return False
    return True


async def _until_empty_or_wanted(settings: Settings, courier: Courier, accepted: _Accepted) -> bool:
    """Deliver all that waits; for a bot that starts meanwhile, what is on its way, and leave the rest.

    Returns:
        Whether a bot goes on.

    Raises:
        TimeoutError: No message has ended for as long as one may take: the service is down.
    """
    now = asyncio.get_running_loop().time
    wanted = False
    delivering = asyncio.create_task(courier.run_until_empty(), name="hangbot-send-deliver")
    try:
        while not (await asyncio.wait([delivering], timeout=_LOOK_EVERY))[0]:
            if now() > accepted.ended_last + settings.retry_total + _GRACE:
                raise TimeoutError
            if is_wanted(settings.outbox):
                wanted = True
                courier.hand_over()
        delivering.result()
        return wanted
    finally:
        delivering.cancel()
        await asyncio.gather(delivering, return_exceptions=True)


async def _until_settled(outbox: Outbox, keys: Sequence[str], within: float) -> None:
    """Wait for the running bot; it may be another process, so look at the disk."""
    try:
        async with asyncio.timeout(within):
            for key in keys:
                # Another process writes it: there is no event to wait for.
                while (row := await _kept(outbox, key)) and row.settled_at is None:  # noqa: ASYNC110  see above
                    await asyncio.sleep(_LOOK_EVERY)
    except TimeoutError:
        return


async def _kept(outbox: Outbox, key: str) -> OutboxRow | None:
    """Return a message; ``None`` for one that was delivered long ago, and is not kept any more."""
    with suppress(UnknownMessage):
        return await outbox.get(key)
    return None


def _tell_what_is_left(rows: Sequence[OutboxRow], courier: Courier) -> None:
    left = sum(row.settled_at is None for row in rows)
    if left:
        why = (
            f"the chat is down ({courier.breaker.reason})"
            if courier.breaker.down
            else "not delivered in time"
        )
        report(
            f"{left} message(s) stay queued, {printable(why)}: a bot or the next `hangbot send` delivers them"
        )


def _tell_what_failed(rows: Sequence[OutboxRow]) -> None:
    """Say what a bot made of it; what this command delivers itself is logged as it ends."""
    for row in rows:
        if row.settled_at is not None and _EXIT_CODES.get(row.state):
            report(f"{row.message.id} is {row.state}: {printable(row.reason)}. {row.remedy}".rstrip())


def _exit_code(rows: Sequence[OutboxRow], *, waited: bool) -> int:
    """Let the worst result count: failed before uncertain before delivered."""
    unsettled = CANNOT_TELL if waited else 0
    codes = [unsettled if row.settled_at is None else _EXIT_CODES.get(row.state, 0) for row in rows]
    return FAILED if FAILED in codes else max(codes, default=0)

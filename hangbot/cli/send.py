"""``hangbot send``: accept messages; a running bot delivers them, otherwise this command does."""

import argparse
import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Sequence
from typing import Final

from hangbot.cli import show
from hangbot.cli.context import load_settings
from hangbot.cli.output import report, write_json, write_line
from hangbot.cli.parser import add_json_option, seconds
from hangbot.cli.send_delivery import Accepted, deliver_while_accepting, find_row, wait_until_settled
from hangbot.cli.stdin_lines import Line, read_lines
from hangbot.config import Settings
from hangbot.delivery.courier import Courier
from hangbot.delivery.message import Outgoing, split
from hangbot.delivery.record import OutboxRow
from hangbot.errors import HangbotError, OutboxFull, UsageError
from hangbot.exit_codes import CANNOT_TELL, FAILED
from hangbot.factory import make_courier, open_chat, open_outbox
from hangbot.ids import SYSTEM_RNG, new_id
from hangbot.preflight.storage import former_outbox
from hangbot.system_errors import first_of
from hangbot.text import printable, whole

__all__ = ["add_arguments", "run"]

logger = logging.getLogger("hangbot")

_EXIT_CODES = {"failed": FAILED, "expired": FAILED, "dropped": FAILED, "uncertain": CANNOT_TELL}
_PATIENCE = 60.0
"""Seconds to wait for an outbox that another program has locked."""
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
    if args.stdin and args.id is not None:
        return "send --stdin makes an id a line: --id goes with TEXT"
    return ""


def run(args: argparse.Namespace) -> int:
    """Accept messages, print their ids, and deliver them where no bot runs."""
    settings = load_settings(args)
    if former := former_outbox(settings):
        logger.warning("%s. %s", *former, extra={"action": "outbox"})
    args.text = args.text and whole(args.text)
    return asyncio.run(_send(args, settings))


async def _send(args: argparse.Namespace, settings: Settings) -> int:
    split(_outgoing(args, settings, _TEXT if args.text is None else args.text))  # before anything is opened
    patience = _PATIENCE if args.wait is None else args.wait
    async with open_outbox(settings, patience=patience) as outbox, open_chat(settings) as chat:
        accepted = Accepted()
        courier = make_courier(settings, outbox, chat, notify=accepted.note)
        try:
            async with asyncio.TaskGroup() as tasks:
                delivering = tasks.create_task(
                    deliver_while_accepting(settings, outbox, courier, args.wait, accepted),
                    name="hangbot-send-deliver",
                )
                tasks.create_task(_accept(args, settings, courier, accepted), name="hangbot-send-accept")
        except* HangbotError as group:
            raise first_of(group) from None
        delivered_here = delivering.result()
        bound = settings.retry_total if args.wait is None else args.wait
        keys = accepted.handed_over if args.wait is None else accepted.keys
        await wait_until_settled(outbox, keys, accepted.ended_at + bound)
        rows = [row for key in accepted.keys if (row := await find_row(outbox, key))]
        if args.json:
            for row in rows:
                write_json(show.message_row(row))
        if delivered_here or args.wait is not None:
            _report_unsettled(rows, courier, settings)
        if not delivered_here and args.wait is not None:
            _report_failed(rows)
        if accepted.input_error:
            raise accepted.input_error
        settled_matters = delivered_here or args.wait is not None
        code = _exit_code(rows, waited=args.wait is not None) if settled_matters else 0
        return FAILED if accepted.bad_lines else code


async def _accept(args: argparse.Namespace, settings: Settings, courier: Courier, accepted: Accepted) -> None:
    """Accept each text as it arrives; report a line that cannot be sent, and go on with the others."""
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
        accepted.input_error = exc
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
    async for line in read_lines(sys.stdin.fileno()):
        if line.problem or line.text.strip():
            yield line


def _outgoing(args: argparse.Namespace, settings: Settings, text: str) -> Outgoing:
    to = settings.chat_receiver if args.to is None else args.to  # an empty one is a variable that is not set
    direct = to not in {settings.chat_receiver, settings.room_uuid}
    return Outgoing(new_id(SYSTEM_RNG) if args.id is None else args.id, to, text, direct)


def _report_unsettled(rows: Sequence[OutboxRow], courier: Courier, settings: Settings) -> None:
    left = sum(row.settled_at is None for row in rows)
    if left:
        why = (
            f"the chat is down ({courier.breaker.reason})"
            if courier.breaker.down
            else "not delivered in time"
        )
        who = (
            "the room's worker delivers" if settings.cluster else "a bot or the next `hangbot send` delivers"
        )
        report(f"{left} message(s) stay queued, {printable(why)}: {who} them")


def _report_failed(rows: Sequence[OutboxRow]) -> None:
    """Report the failures of a running bot; those of this command are logged as they happen."""
    for row in rows:
        if row.settled_at is not None and _EXIT_CODES.get(row.state):
            report(f"{row.message.id} is {row.state}: {printable(row.reason)}. {row.remedy}".rstrip())


def _exit_code(rows: Sequence[OutboxRow], *, waited: bool) -> int:
    """Let the worst result count: failed before uncertain before delivered."""
    unsettled = CANNOT_TELL if waited else 0
    codes = [unsettled if row.settled_at is None else _EXIT_CODES.get(row.state, 0) for row in rows]
    return FAILED if FAILED in codes else max(codes, default=0)

"""``hangbot sandbox``: serve Hang.fm on 127.0.0.1 for any bot."""

import argparse
import asyncio
import errno
import logging
import ssl
import sys
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Final

from hangbot.cli.marked_file import MarkedFile
from hangbot.cli.output import report, write_failure, write_json, write_line
from hangbot.cli.parser import count, path_to_write, port
from hangbot.cli.sandbox_env import MARK, kept_identity, render
from hangbot.cli.sandbox_tls import advice, authority
from hangbot.cli.signals import run_until_stopped
from hangbot.errors import HangbotError, UsageError
from hangbot.exit_codes import FAILED
from hangbot.given_file import check_file
from hangbot.logs import set_up
from hangbot.redact import Redactor
from hangbot.sandbox import open_sandbox
from hangbot.system_errors import remedy_for

__all__ = ["add_arguments", "run"]

_HTTPS: Final = 443


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.set_defaults(until_stopped=True)
    parser.add_argument(
        "--dialect",
        choices=["openchat", "cometchat"],
        default="openchat",
        help="which chat server to be (default: openchat, what Hang.fm runs)",
    )
    for name, what, default in (
        ("room", "the room socket", "chosen by the kernel"),
        ("http", "chat and gateway", "chosen by the kernel; with --tls 443"),
        ("control", "the control API", "chosen by the kernel"),
    ):
        parser.add_argument(
            f"--{name}-port", type=port, metavar="N", help=f"port of {what} (default: {default})"
        )
    parser.add_argument(
        "--history", type=count, default=1000, metavar="N", help="messages kept per group (default: 1000)"
    )
    parser.add_argument(
        "--env-out",
        type=path_to_write,
        metavar="FILE",
        help="write a configuration for a bot in this sandbox to FILE; over its own earlier file it keeps "
        "the bot and the room, over another's it writes only with --force",
    )
    parser.add_argument(
        "--force", action="store_true", help="let --env-out write over a file that is not its own"
    )
    parser.add_argument(
        "--record", type=path_to_write, metavar="FILE", help="write the whole journal to FILE, a JSON a line"
    )
    parser.add_argument(
        "--tls",
        action="store_true",
        help="make a certificate for Hang.fm's host names and serve room, chat and gateway on one port by "
        "them, for bots with addresses in their code; says what to put where (extra: hangbot[tls])",
    )
    parser.add_argument(
        "--tls-cert", type=Path, metavar="FILE", help="serve chat and gateway over TLS: certificate"
    )
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="serve chat and gateway over TLS: key")


def run(args: argparse.Namespace) -> int:
    """Serve until a signal (INT, TERM, HUP); the first line on standard output is the ``ready`` line."""
    _check(args)
    set_up(args.log_format, args.log_level, Redactor())
    logging.getLogger("hangbot.sandbox").setLevel(args.log_level.upper())
    return run_until_stopped(partial(_serve, args))


def _check(args: argparse.Namespace) -> None:
    """Refuse options that do not go together, before anything is opened."""
    if (args.tls_cert is None) != (args.tls_key is None):
        raise UsageError("TLS takes both --tls-cert and --tls-key", remedy="Give both, or neither.")
    if args.tls and args.tls_cert:
        raise UsageError(
            "--tls makes a certificate of its own", remedy="Give either --tls, or --tls-cert and --tls-key."
        )
    if args.tls and args.room_port is not None:
        raise UsageError("with --tls there is one port", remedy="Give --http-port in place of --room-port.")
    if args.force and args.env_out is None:
        raise UsageError("--force goes with --env-out", remedy="Give both, or neither.")


async def _serve(args: argparse.Namespace, stop: asyncio.Event) -> int:
    try:
        async with AsyncExitStack() as stack:
            out = _env_file(stack, args)
            made = stack.enter_context(authority(args.env_out, force=args.force)) if args.tls else None
            tls = made.context if made else _tls(args.tls_cert, args.tls_key) if args.tls_cert else None
            earlier = out.path if out and out.earlier() else None
            kept = kept_identity(earlier) if earlier else None
            if earlier and not kept:
                report(f"{earlier} names no bot and room that can be kept; these are new ones.")
            sandbox = await stack.enter_async_context(
                open_sandbox(
                    dialect=args.dialect,
                    room_port=args.room_port or 0,
                    http_port=args.http_port if args.http_port is not None else _HTTPS if made else 0,
                    control_port=args.control_port or 0,
                    history=args.history,
                    record=args.record,
                    tls=tls,
                    by_host=made is not None,
                    identity=kept,
                )
            )
            if out:
                out.write(render(sandbox, earlier))
            if made:
                made.publish()
                for line in advice(made.path, sandbox.app_id, sandbox.http_port).split("\n"):
                    write_line(line, to=sys.stderr)
            write_json(sandbox.ready())
            if isinstance(write_failure(), BrokenPipeError) and not _has_known_ports(args):
                return FAILED  # its caller has gone, and no other program can know its ports
            await stop.wait()
    except OSError as exc:
        raise _cannot_open(exc) from exc
    return 0


def _env_file(stack: AsyncExitStack, args: argparse.Namespace) -> MarkedFile | None:
    if args.env_out is None:
        return None
    return stack.enter_context(MarkedFile(args.env_out, MARK, "--env-out", force=args.force))


def _has_known_ports(args: argparse.Namespace) -> bool:
    return bool(args.env_out or args.tls or args.room_port or args.http_port or args.control_port)


def _tls(cert: Path, key: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        for file in (cert, key):
            check_file(file)  # of a pipe OpenSSL would wait for ever, and no signal would end that
        context.load_cert_chain(cert, key)
    except (OSError, ValueError) as exc:
        cause = getattr(exc, "strerror", None) or exc
        raise HangbotError(
            f"{cert} and {key} cannot be used for TLS: {cause}",
            remedy="Give --tls-cert and --tls-key a certificate and its key, both PEM.",
        ) from exc
    return context


def _cannot_open(error: OSError) -> HangbotError:
    cause = error.strerror or str(error)
    if error.filename:
        return HangbotError(f"{error.filename}: {cause}", remedy="Give the path of a file that can be used.")
    remedy = "Choose another port, or 0 for a free one."
    if error.errno in {errno.EMFILE, errno.ENFILE, errno.ENOMEM}:
        remedy = remedy_for(error)
    return HangbotError(f"the sandbox cannot be opened: {cause}", remedy=remedy)

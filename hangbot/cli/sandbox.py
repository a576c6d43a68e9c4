"""``hangbot sandbox``: Hang.fm on 127.0.0.1, standing alone."""

import argparse
import asyncio
import json
import logging
import os
import ssl
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from hangbot.cli import logs
from hangbot.cli.output import unshown
from hangbot.cli.signals import SecondSignal, stopping
from hangbot.errors import FAILED, HangbotError, UsageError
from hangbot.redact import Redactor
from hangbot.sandbox import open_sandbox

__all__ = ["main"]


def main(args: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM; the first line on standard output is the ``ready`` line."""
    if (args.tls_cert is None) != (args.tls_key is None):
        raise UsageError("TLS takes both --tls-cert and --tls-key", remedy="Give both, or neither.")
    logs.set_up(args.log_format, args.log_level, Redactor())
    logging.getLogger("hangbot.sandbox").setLevel(args.log_level.upper())
    return asyncio.run(_serve(args))


async def _serve(args: argparse.Namespace) -> int:
    stop = asyncio.Event()
    try:
        with stopping(stop.set):
            return await _serve_until(stop, args)
    except SecondSignal:
        return FAILED


async def _serve_until(stop: asyncio.Event, args: argparse.Namespace) -> int:
    tls = _tls(args.tls_cert, args.tls_key) if args.tls_cert else None
    try:
        async with open_sandbox(
            dialect=args.dialect,
            room_port=args.room_port,
            http_port=args.http_port,
            control_port=args.control_port,
            history=args.history,
            record=args.record,
            tls=tls,
        ) as sandbox:
            if args.env_out:
                _write(args.env_out, sandbox.env())
            print(json.dumps(sandbox.ready()), flush=True)
            if isinstance(unshown(), BrokenPipeError) and not _is_found_otherwise(args):
                return FAILED  # whoever started it has gone, and nobody else can know where it is
            await stop.wait()
    except OSError as exc:
        raise _cannot_open(exc) from exc
    return 0


def _is_found_otherwise(args: argparse.Namespace) -> bool:
    return bool(args.env_out or args.room_port or args.http_port or args.control_port)


def _tls(cert: Path, key: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(cert, key)
    except OSError as exc:
        raise HangbotError(
            f"{cert} and {key} cannot be used for TLS: {exc.strerror or exc}",
            remedy="Give --tls-cert and --tls-key a certificate and its key, both PEM.",
        ) from exc
    return context


def _write(path: Path, env: Mapping[str, str]) -> None:
    """Write a configuration for a bot in this sandbox; it holds a token, so only its owner may read it."""
    lines = ["# A bot in the sandbox; made by `hangbot sandbox --env-out`."]
    lines += [f"{name}={value}" for name, value in env.items()]
    with suppress(FileNotFoundError):
        path.unlink()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def _cannot_open(error: OSError) -> HangbotError:
    cause = error.strerror or str(error)
    if error.filename:
        return HangbotError(f"{error.filename}: {cause}", remedy="Give the path of a file that can be used.")
    return HangbotError(
        f"the sandbox cannot be opened: {cause}", remedy="Choose another port, or 0 for a free one."
    )

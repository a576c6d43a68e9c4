"""``hangbot fleet check``: whether the NATS servers keep what a fleet promises."""

import argparse
import asyncio
import sys
from functools import partial

from hangbot.cli.configured import configured
from hangbot.cli.masking import mask_also
from hangbot.cli.output import write_json, write_line
from hangbot.cli.parser import add_json_option
from hangbot.clock import SystemClock
from hangbot.config import ENV, Settings
from hangbot.config.cluster import ClusterAddress, parse_address
from hangbot.config.locations import OUTBOX
from hangbot.config.validators import read_number
from hangbot.errors import UsageError
from hangbot.fleet.check import judged
from hangbot.fleet.looks import look
from hangbot.logs import set_up
from hangbot.preflight import (
    CheckResult,
    coloured,
    exit_code,
    overall,
    preflight_row,
    result_lines,
    verdict_line,
)
from hangbot.redact import Redactor

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.set_defaults(quiet_level="error")
    parser.add_argument(
        "address",
        nargs="?",
        metavar="nats://HOST,HOST,HOST",
        help="the servers (default: what HANGBOT_OUTBOX names)",
    )
    parser.add_argument(
        "--own-power",
        action="store_true",
        help="say that each server has a power supply of its own: then sync_interval may be as it is",
    )
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Check, print what was found, and return what came of it as the exit code."""
    text = args.address or configured(args, OUTBOX)
    if not text:
        raise UsageError(
            "no cluster is named", remedy=f"Give its address, or set {OUTBOX}: nats://HOST,HOST,HOST"
        )
    address = parse_address(text)
    secrets = [address.password] if address.password else []
    mask_also(secrets)
    set_up(args.log_format, args.log_level, Redactor(secrets))
    results = asyncio.run(_check(address, _retry_total(args), own_power=args.own_power))
    if args.json:
        write_json(preflight_row(results, overall(results), target=str(address)))
        return exit_code(results)
    for result in results:
        for line in result_lines(result):
            write_line(line, paint=partial(coloured, verdict=result.verdict, stream=sys.stdout))
    write_line(verdict_line(overall(results), str(address)))
    return exit_code(results)


async def _check(address: ClusterAddress, retry_total: float, *, own_power: bool) -> list[CheckResult]:
    seen = await look(address, SystemClock())
    return list(judged(seen, fleet=address.fleet, retry_total=retry_total, own_power=own_power))


def _retry_total(args: argparse.Namespace) -> float:
    env = ENV["retry_total"]
    text = configured(args, env.name)
    if not text:
        return float(Settings.model_fields["retry_total"].default)
    found = read_number(text)
    if not isinstance(found, float) or found <= 0:
        raise UsageError(
            f"{env.name} is {text!r}, and no number of milliseconds", remedy=f"Correct {env.name}."
        )
    return found / env.per

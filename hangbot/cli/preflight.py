"""``hangbot preflight``: run the checks of `run`, without the bot."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby

from hangbot.cli.context import ENV_FILE, load_settings
from hangbot.cli.masking import masked
from hangbot.cli.output import report, write_json, write_line
from hangbot.cli.parser import add_json_option
from hangbot.config import Settings
from hangbot.errors import ConfigError
from hangbot.factory import open_subject
from hangbot.preflight import (
    CheckResult,
    Overall,
    append_step_summary,
    coloured,
    describe_target,
    examine,
    exit_code,
    overall,
    preflight_row,
    result_lines,
    results_for_bad_config,
    unwritable_summary,
    verdict_line,
)

__all__ = ["add_arguments", "print_checks", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_json_option(parser)


def run(args: argparse.Namespace) -> int:
    """Run the checks, print them, and return what came of them as the exit code.

    Raises:
        ConfigError: There is nothing to check; it is also printed as the first check.
    """
    try:
        settings = load_settings(args)
    except ConfigError as exc:
        where = masked(f"the configuration in {(args.env_file or ENV_FILE).name}")
        results = [
            replace(result, message=masked(result.message), remedy=masked(result.remedy))
            for result in results_for_bad_config(exc)
        ]
        if not args.json:
            _print_checks(results)
        verdict = _print_verdict(args, results, where)
        _append_summary(results, verdict, where)
        raise
    results = asyncio.run(print_checks(settings, quiet=args.json))
    where = describe_target(settings, results)
    verdict = _print_verdict(args, results, where)
    _append_summary(results, verdict, where)
    return exit_code(results)


def _append_summary(results: Sequence[CheckResult], verdict: Overall, where: str) -> None:
    """Add a table to the page of the CI run; where it cannot be written, the verdict stands all the same."""
    try:
        append_step_summary(results, verdict, where)
    except OSError as exc:
        report(unwritable_summary(exc))


def _print_verdict(args: argparse.Namespace, results: Sequence[CheckResult], where: str) -> Overall:
    verdict = overall(results)
    if args.json:
        write_json(preflight_row(results, verdict, target="live"))
    else:
        write_line(verdict_line(verdict, where))
    return verdict


def _print_checks(results: Sequence[CheckResult]) -> None:
    """Print each result, but results that were skipped for the same cause on one line."""
    for cause, alike in groupby(results, lambda result: result.verdict == "skipped" and result.message):
        several = list(alike)
        if cause and len(several) > 1:
            several = [replace(several[0], title=f"{several[0].title}, and {len(several) - 1} more")]
        for result in several:
            for line in result_lines(result):
                write_line(line, paint=partial(coloured, verdict=result.verdict, stream=sys.stdout))


async def print_checks(settings: Settings, *, quiet: bool = False) -> list[CheckResult]:
    """Run the checks and print each result as it comes."""
    results: list[CheckResult] = []
    printed = 0
    async with open_subject(settings) as context:
        async for result in examine(context):
            results.append(result)
            if not quiet and result.verdict != "skipped":
                _print_checks(results[printed:])
                printed = len(results)
    if not quiet:
        _print_checks(results[printed:])
    return results

"""``hangbot preflight``: the checks of `run`, without running."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from urllib.parse import urlsplit

from hangbot.cli import show
from hangbot.cli.context import ENV_FILE, load_settings
from hangbot.cli.hidden import masked
from hangbot.cli.output import say, say_json, tell
from hangbot.config import Settings
from hangbot.errors import ConfigError
from hangbot.factory import open_subject
from hangbot.net import is_loopback
from hangbot.preflight import Overall, Result, examine, exit_code, overall, unasked
from hangbot.preflight.render import append_step_summary, unwritable
from hangbot.text import one_line

__all__ = ["main", "print_checks", "target_of"]


def main(args: argparse.Namespace) -> int:
    """Make the checks, print them, and say by the exit code what came of it.

    Raises:
        ConfigError: There is nothing to examine; that is printed as the first check, too.
    """
    try:
        settings = load_settings(args)
    except ConfigError as exc:
        where = masked(f"the configuration in {(args.env_file or ENV_FILE).name}")
        results = [
            replace(result, message=masked(result.message), remedy=masked(result.remedy))
            for result in unasked(exc)
        ]
        if not args.json:
            _print_checks(results)
        verdict = _print_verdict(args, results, where)
        _summarise(results, verdict, where)
        raise
    results = asyncio.run(print_checks(settings, quiet=args.json))
    where = target_of(settings, results)
    verdict = _print_verdict(args, results, where)
    _summarise(results, verdict, where)
    return exit_code(results)


def _summarise(results: Sequence[Result], verdict: Overall, where: str) -> None:
    """Put a table on the run's page; where that cannot be written the verdict stands all the same."""
    try:
        append_step_summary(results, verdict, where)
    except OSError as exc:
        tell(unwritable(exc))


def _print_verdict(args: argparse.Namespace, results: Sequence[Result], where: str) -> Overall:
    verdict = overall(results)
    if args.json:
        say_json(show.preflight_row(results, verdict, target="live"))
    else:
        say(show.verdict_line(verdict, where))
    return verdict


def _print_checks(results: Sequence[Result]) -> None:
    """Print each, but those that were skipped for one and the same cause on one line."""
    for cause, alike in groupby(results, lambda result: result.verdict == "skipped" and result.message):
        several = list(alike)
        if cause and len(several) > 1:
            several = [replace(several[0], title=f"{several[0].title}, and {len(several) - 1} more")]
        for result in several:
            for line in show.result_lines(result):
                say(line, paint=partial(show.coloured, verdict=result.verdict, stream=sys.stdout))


async def print_checks(settings: Settings, *, quiet: bool = False) -> list[Result]:
    """Make the checks and print each as it comes."""
    results: list[Result] = []
    told = 0
    async with open_subject(settings) as subject:
        async for result in examine(subject):
            results.append(result)
            if not quiet and result.verdict != "skipped":
                _print_checks(results[told:])
                told = len(results)
    if not quiet:
        _print_checks(results[told:])
    return results


def target_of(settings: Settings, results: Sequence[Result] = ()) -> str:
    """Say in words what was checked: the room by its name where a check has learnt it, and where it is."""
    name = next((result.room for result in results if result.room), None)
    room = f'room "{one_line(name)}"' if name else f"room {settings.room_uuid}"
    where = list(dict.fromkeys(_host(url) for url in (settings.chat_url, settings.room_url)))
    local = [is_loopback(url) for url in (settings.chat_url, settings.gateway_url, settings.room_url)]
    if all(local):
        return f"{room} on {where[0]} (this machine: nothing live was checked)"
    hosts = where[:1] if not any(local) else where
    return f"{room} on {' and '.join(hosts)}" + (" (in part this machine)" if any(local) else "")


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]

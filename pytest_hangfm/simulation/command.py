"""``python -m pytest_hangfm.simulation``: search by seed, or replay a token."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Final, NoReturn

from hangbot.exit_codes import FAILED, INTERRUPTED, MISCONFIGURED
from pytest_hangfm.simulation.corpus import Kept, write
from pytest_hangfm.simulation.fingerprint import made_here
from pytest_hangfm.simulation.output import Progress, broken, counts, described, show
from pytest_hangfm.simulation.pairs import table
from pytest_hangfm.simulation.plan import Plan
from pytest_hangfm.simulation.search import TRIES, Effort, Failure, Summary, search
from pytest_hangfm.simulation.token import TokenError, decode
from pytest_hangfm.simulation.worker import Rig, Verdict

__all__ = ["main"]

_MOST: Final = 10**9
_LAST_SEED: Final = 2**63


def main(argv: Sequence[str], *, rig: Rig, draw: Callable[[int], Plan], kinds: Collection[str]) -> int:
    """Search or replay, and return the exit code.

    0: nothing failed; 1: a world failed, or a class of faults had too rarely an effect; 2: the call is wrong;
    130: interrupted.

    Args:
        argv: The words of the command line.
        rig: What plays and judges.
        draw: Returns the plan of a seed.
        kinds: The classes of faults there are.
    """
    parser = _parser()
    call = parser.parse_args(argv)
    try:
        if call.keep:
            call.keep.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        parser.error(f"--keep {call.keep}: the folder cannot be made: {exc.strerror}")
    if call.replay is None:
        return _search(call, rig, draw, kinds)
    try:
        plan = _plan_of(call.replay, kinds)
    except TokenError as exc:
        parser.error(str(exc))
    if call.plan:
        show(json.dumps(json.loads(plan.as_json()), indent=2))
        return 0
    return _replay(call, rig, plan, kinds)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """End with one line instead of the whole usage."""
        show(f"{self.prog}: {message}", sys.stderr)
        raise SystemExit(MISCONFIGURED)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="simulation",
        allow_abbrev=False,
        description="Play simulated worlds in which a bot lives while things go wrong, and judge them.",
        epilog="The last line of the output is JSON: seeds, failed, virtual_hours, fired, hash.",
    )
    parser.add_argument(
        "--seeds", type=_count, default=150, metavar="N", help="how many worlds (default 150)"
    )
    parser.add_argument("--from", dest="start", type=_seed, default=0, metavar="K", help="the first seed (0)")
    parser.add_argument("--replay", metavar="TOKEN", help="play the world of a token, and tell its story")
    parser.add_argument(
        "--times", type=_count, default=1, metavar="N", help="with --replay: as often, each in a new process"
    )
    parser.add_argument("--plan", action="store_true", help="with --replay: show the plan, and play nothing")
    parser.add_argument("--shrink", action="store_true", help="with --replay: make it as small as it can be")
    parser.add_argument(
        "--processes", type=_count, default=os.cpu_count() or 1, metavar="N", help="default: a core each"
    )
    parser.add_argument("--first", action="store_true", help="end at the first world that fails")
    parser.add_argument(
        "--tries",
        type=_count,
        default=TRIES,
        metavar="N",
        help=f"how many plans are played to make a failure as small as it can be ({TRIES})",
    )
    parser.add_argument("--pairs", action="store_true", help="show which fault met which state of the bot")
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="write each failure there, as the corpus has it"
    )
    return parser


def _count(text: str) -> int:
    if not text.strip().isdecimal() or not 0 < int(text) <= _MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {_MOST}")
    return int(text)


def _seed(text: str) -> int:
    if not text.strip().isdecimal() or int(text) > _LAST_SEED:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to {_LAST_SEED}")
    return int(text)


def _plan_of(token: str, kinds: Collection[str]) -> Plan:
    plan, made_with = decode(token, faults=kinds)
    if difference := made_with.difference(made_here()):
        show(
            f"made with {difference}; the same seed gives another schedule now. Its own plan is played.",
            sys.stderr,
        )
    return plan


# -- the two things that it does


def _search(call: argparse.Namespace, rig: Rig, draw: Callable[[int], Plan], kinds: Collection[str]) -> int:
    progress = Progress(call.seeds)

    def watch(summary: Summary, _: int, __: Verdict, failure: Failure | None) -> None:
        if failure:
            progress.clear()
            show("\n".join(described(failure)))
            if call.keep:
                show(f"kept in {_keep(call.keep, failure)}")
        progress.show(summary)

    seeds = range(call.start, call.start + call.seeds)
    effort = Effort(call.processes, tries=call.tries, failures=1 if call.first else None)
    summary = search(seeds, draw=draw, rig=rig, effort=effort, watch=watch)
    progress.end(summary)
    show("\n".join(counts(summary, kinds, with_pairs=call.pairs)))
    idle = {} if summary.interrupted else summary.idle(kinds)
    return _end(summary, kinds, failed=bool(summary.failures or idle))


def _replay(call: argparse.Namespace, rig: Rig, plan: Plan, kinds: Collection[str]) -> int:
    def watch(summary: Summary, _: int, verdict: Verdict, failure: Failure | None) -> None:
        if summary.seeds == 1:
            show(verdict.story)
            show("\n".join(described(failure) if failure and call.shrink else broken(verdict)))

    plays, shrinks = (100, 1) if call.shrink else (1, 0)
    effort = Effort(call.processes, plays=plays, tries=call.tries, shrinks=shrinks, stories=True)
    summary = search(range(call.times), draw=lambda _: plan, rig=rig, effort=effort, watch=watch)
    if call.pairs:
        show("\n".join(table(summary.pairs, kinds)))
    histories = len(set(summary.hashes.values()))
    if histories > 1:
        show(f"NOT DETERMINISTIC: {histories} histories in {summary.seeds} plays of one plan")
    return _end(summary, kinds, failed=bool(summary.failures) or histories > 1)


def _end(summary: Summary, kinds: Collection[str], *, failed: bool) -> int:
    show(summary.as_line(kinds))
    if summary.interrupted:
        return INTERRUPTED
    return FAILED if failed else 0


def _keep(folder: Path, failure: Failure) -> Path:
    kept = Kept(f"seed-{failure.seed}-{failure.rule}", failure.rule, failure.what, failure.plan)
    return write(folder, kept)

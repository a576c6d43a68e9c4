"""Search for the planted bugs, or those named: ``python -m tests.simulation.planted [--keep] [ID ...]``.

With ``--keep`` the plans that are found take the place of those in ``found/``; ``make prove`` replays them.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from pytest_hangfm.simulation.corpus import write
from tests.mutants.runner import faulty_rows
from tests.simulation.planted.runner import FOUND, REPLAYS, ROOT, SEEDS, copy_of_the_tree, hunt
from tests.simulation.planted.table import BUGS


def main(argv: list[str]) -> int:
    """Return the exit code: 1 where a bug was not found as it is to be."""
    parser = argparse.ArgumentParser(prog="planted")
    parser.add_argument("--keep", action="store_true", help="keep the plans that are found")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="play so many seeds at most")
    parser.add_argument("--tries", type=int, help="play so many plans to make one small")
    parser.add_argument("--replays", type=int, default=REPLAYS, help="replay each plan so often")
    parser.add_argument("ids", nargs="*", metavar="ID", help="the bugs; all by default")
    call = parser.parse_args(argv)
    if unknown := set(call.ids) - BUGS.keys():
        parser.error(f"no such bug: {', '.join(sorted(unknown))}")
    chosen = [bug for bug in BUGS.values() if not call.ids or bug.id in call.ids]
    if stale := list(faulty_rows(chosen, ROOT)):
        print("\n".join(stale))  # noqa: T201  what a command does
        return 1
    failed = 0
    with tempfile.TemporaryDirectory(prefix="hangbot-planted-") as work:
        copy = copy_of_the_tree(Path(work).resolve() / "tree")
        for bug in chosen:
            begun = time.monotonic()
            folder, seeds, tries = Path(work) / bug.id, call.seeds, call.tries
            kept, wrong = hunt(bug, copy, folder, seeds=seeds, tries=tries, replays=call.replays)
            failed += bool(wrong)
            found = kept and f"seed {kept.plan.seed}, {len(kept.plan.faults)} faults, {kept.rule}"
            took = f"{time.monotonic() - begun:.0f} s"
            end = f": WRONG: {wrong}" if wrong else ""
            print(f"{bug.id}: {found or 'not found'}, {took}{end}", flush=True)  # noqa: T201  likewise
            if call.keep and kept and not wrong:
                write(FOUND, kept)
    return 1 if failed else 0


sys.exit(main(sys.argv[1:]))

"""Searches for planted bugs, and replays what was found, in copies of the tree that have the bug in them."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from pytest_hangfm.simulation.corpus import Kept, read
from pytest_hangfm.simulation.fingerprint import made_here
from pytest_hangfm.simulation.token import encode
from tests.mutants.runner import Mutant, Tree, environ, in_copy

__all__ = ["FOUND", "MOST_FAULTS", "REPLAYS", "ROOT", "SEEDS", "Hunt", "copy_of_the_tree", "hunt", "replay"]

ROOT: Final = Path(__file__).parents[3]
FOUND: Final = Path(__file__).with_name("found")
"""The plan by which each bug was found, under the bug's id."""
SEEDS: Final = 300
"""Seeds within which each bug is to be found."""
MOST_FAULTS: Final = 3
"""Faults that its plan may have once it is shrunk."""
REPLAYS: Final = 10
_PACKAGES: Final = ("hangbot", "pytest_hangfm")
_SEARCH_LIMIT: Final = 3600.0
_REPLAY_LIMIT: Final = 300.0
"""Seconds of real time."""


class Hunt(NamedTuple):
    """How the search for a bug went.

    Attributes:
        kept: The plan that it was found by; ``None``: it was not found.
        wrong: What is not as it is to be; empty: nothing.
    """

    kept: Kept | None
    wrong: str


def copy_of_the_tree(place: Path) -> Path:
    """Copy what is searched, and return where it is. Were another tree played, no bug would be found."""
    Tree(ROOT, _PACKAGES, packages=_PACKAGES).copy_to(place)
    return place


def hunt(
    bug: Mutant,
    copy: Path,
    folder: Path,
    *,
    seeds: int = SEEDS,
    tries: int | None = None,
    replays: int = REPLAYS,
) -> Hunt:
    """Search for a bug in a copy of the tree, and replay what was found, each time in a new process.

    What goes wrong without the bug as well is not found by it: the search goes on behind that.

    Args:
        bug: The bug.
        copy: A copy of the tree.
        folder: An empty folder.
        seeds: How many seeds to play at most.
        tries: How many plans to play to make the one that was found small; ``None``: as many as usual.
        replays: How often that is replayed.
    """
    kept, output = _search(bug, copy, folder, seeds, tries)
    if kept is None:
        return Hunt(None, f"not found in {seeds} seeds: {output.splitlines()[-1:]}")
    if kept.rule not in bug.killed_by:
        return Hunt(kept, f"found by {kept.rule} ({kept.what}), and not by {', '.join(bug.killed_by)}")
    if len(kept.plan.faults) > MOST_FAULTS:
        return Hunt(kept, f"shrunk to {len(kept.plan.faults)} faults only")
    return Hunt(kept, replay(bug, kept, copy, times=replays))


def replay(bug: Mutant, kept: Kept, copy: Path, *, times: int = 1) -> str:
    """Play the plan of a bug by its token in a copy of the tree with the bug in it.

    Returns:
        What is not as it is to be; empty where the same rule is broken each time, in the same way.
    """
    with in_copy(bug, copy):
        output = _replayed(kept, copy, times)
    said = json.loads(output.splitlines()[-1])
    if said["failed"] != times or "NOT DETERMINISTIC" in output:
        return f"failed {said['failed']} of {times} times when it was replayed"
    if not _breaks(kept.rule, output):
        return f"{kept.rule} was not broken when it was replayed:\n{output}"
    return ""


def _search(bug: Mutant, copy: Path, folder: Path, seeds: int, tries: int | None) -> tuple[Kept | None, str]:
    """Return the first plan, in the order of seeds, that goes wrong with a bug and not without it."""
    start, output = 0, ""
    while start < seeds:
        first, output = _first(bug, copy, folder / f"{start}", range(start, seeds), tries=1)
        if first is None:
            break
        seed = first.plan.seed
        start = seed + 1
        if _goes_wrong_without(first, copy):
            continue  # made small, it would be the same
        small, output = _first(bug, copy, folder / f"{seed}-small", range(seed, seed + 1), tries=tries)
        if small is not None and not _goes_wrong_without(small, copy):
            return small, output
    return None, output


def _first(
    bug: Mutant, copy: Path, folder: Path, seeds: range, *, tries: int | None
) -> tuple[Kept | None, str]:
    """Return the first plan that goes wrong, made small by so many tries, and what the search said."""
    words = ["--from", str(seeds.start), "--seeds", str(len(seeds)), "--first", "--keep", str(folder)]
    words += [] if tries is None else ["--tries", str(tries)]
    with in_copy(bug, copy):
        output = _simulation(copy, *words, limit=_SEARCH_LIMIT)
    found = read(folder)
    return (replace(found[0], name=bug.id) if found else None), output


def _goes_wrong_without(kept: Kept, copy: Path) -> bool:
    return _breaks(kept.rule, _replayed(kept, copy, times=1))


def _replayed(kept: Kept, copy: Path, times: int) -> str:
    token = encode(kept.plan, made_here())
    return _simulation(copy, "--replay", token, "--times", str(times), limit=_REPLAY_LIMIT * times)


def _breaks(rule: str, output: str) -> bool:
    return f"\nFAILED: {rule}: " in f"\n{output}"


def _simulation(copy: Path, *words: str, limit: float) -> str:
    done = subprocess.run(  # noqa: S603  our own command
        [sys.executable, "-m", "pytest_hangfm.simulation", "--processes", "1", *words],
        cwd=copy,
        env=environ(copy) | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=limit,
        check=False,
    )
    if not done.stdout.strip():
        raise RuntimeError(f"the search said nothing: {done.stderr}")
    return done.stdout

"""Apply deliberate faults to a copy of the product, one at a time; the tests named beside each must fail."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Final

__all__ = ["Mutant", "Tree", "environ", "faulty_rows", "in_copy", "kill_all"]

WORKERS: Final = 2 * (os.cpu_count() or 1)
"""Most of a mutant's time goes by until a test gives up what never happens."""
TIME_LIMIT: Final = 300.0
"""Seconds for the tests of one mutant; what takes longer is neither killed nor survived."""
_BOUNDS: Final = "tests/bounds.py"
_WAIT_IN_VAIN: Final = re.compile(r"(?m)^WITHIN: Final = .*$")
_SHORT_WAIT: Final = "WITHIN: Final = 10.0"
"""A fault often is that something never happens: the copy's tests wait for it this long."""
_ALL_PASSED, _SOME_FAILED = 0, 1
_NEWER_NS: Final = 10_000_000_000
"""A mutant may be as long as its original, and made in the same second: so compiled files tell them apart."""
_FAILED: Final = re.compile(r"(?m)^\S*.*\b[1-9]\d* (?:failed|error)")


@dataclass(frozen=True, slots=True)
class Mutant:
    """A deliberate fault.

    Attributes:
        id: A short name, to run it alone: ``make mutants ARGS=ID``.
        fault: What goes wrong, in words.
        file: The product file, from the root of the repository.
        before: Text of it, which occurs once.
        after: What takes its place.
        killed_by: The tests of which at least one must fail, as pytest names them.
    """

    id: str
    fault: str
    file: str
    before: str
    after: str
    killed_by: tuple[str, ...]

    def applied_to(self, source: str) -> str:
        """Return a file's text with the fault in it."""
        return source.replace(self.before, self.after)


@dataclass(frozen=True, slots=True)
class Tree:
    """What is copied: a root, what of it, and which of that are the packages under test."""

    root: Path
    parts: tuple[str, ...]
    packages: tuple[str, ...]

    def copy_to(self, place: Path) -> None:
        """Copy the parts; compiled files come along where they are as new as what they were made of."""
        for part in self.parts:
            there = place / part
            there.parent.mkdir(parents=True, exist_ok=True)
            if (self.root / part).is_dir():
                shutil.copytree(self.root / part, there)
            else:
                shutil.copy2(self.root / part, there)


def faulty_rows(mutants: Sequence[Mutant], root: Path) -> Iterator[str]:
    """Yield a line for each row of a table that cannot be tried: the product has moved on."""
    seen: set[str] = set()
    for mutant in mutants:
        if mutant.id in seen:
            yield f"stale: {mutant.id}: the id occurs twice"
        seen.add(mutant.id)
        if not mutant.killed_by:
            yield f"stale: {mutant.id}: no test is named"
        try:
            source = (root / mutant.file).read_text(encoding="utf-8")
        except FileNotFoundError:
            yield f"stale: {mutant.id}: there is no {mutant.file}"
            continue
        if (found := source.count(mutant.before)) != 1:
            yield f"stale: {mutant.id}: the text before occurs {found} times in {mutant.file}"
            continue
        try:
            compile(mutant.applied_to(source), mutant.file, "exec")
        except SyntaxError as exc:
            yield f"stale: {mutant.id}: {mutant.file} is no Python with it ({exc})"


def kill_all(
    mutants: Sequence[Mutant], tree: Tree, work: Path, *, time_limit: float = TIME_LIMIT
) -> list[str]:
    """Try each mutant in a copy of the tree.

    Args:
        mutants: The table; its rows fit the tree.
        tree: What is copied.
        work: An empty folder.
        time_limit: Seconds for the tests of one mutant.

    Returns:
        A line for each that was not killed; or one line where the tests fail without any fault.
    """
    first = work / "0"
    tree.copy_to(first)
    _shorten_waits(first)
    if strangers := _not_of_the_copy(tree, first):
        return [f"control: not the copy would be tested, but {strangers}"]
    if failure := _failure_without_a_fault(mutants, first, time_limit):
        return [f"control: the tests do not pass without a fault:\n{failure}"]
    copies: SimpleQueue[Path] = SimpleQueue()
    copies.put(first)
    for number in range(1, min(WORKERS, len(mutants))):
        shutil.copytree(first, work / str(number))
        copies.put(work / str(number))

    def kill(mutant: Mutant) -> str | None:
        copy = copies.get()
        try:
            return _kill(mutant, copy, time_limit)
        finally:
            copies.put(copy)

    with ThreadPoolExecutor(WORKERS) as pool:
        return [line for line in pool.map(kill, mutants) if line]


def _failure_without_a_fault(mutants: Sequence[Mutant], copy: Path, time_limit: float) -> str:
    """Run all named tests, a part of them in each process; return what the first that fail say, if any do."""
    named = list(dict.fromkeys(test for mutant in mutants for test in mutant.killed_by))
    each = -(-len(named) // WORKERS)
    parts = [named[at : at + each] for at in range(0, len(named), each)]
    with ThreadPoolExecutor(WORKERS) as pool:
        run = partial(_pytest, copy, time_limit=time_limit, compiles=True)
        return next((output for code, output in pool.map(run, parts) if code != _ALL_PASSED), "")


def _kill(mutant: Mutant, copy: Path, time_limit: float) -> str | None:
    """Return what is wrong, or ``None`` where a test failed as it must."""
    try:
        with in_copy(mutant, copy):
            code, output = _pytest(copy, mutant.killed_by, time_limit=time_limit)
    except subprocess.TimeoutExpired:
        return f"too slow: {mutant.id} ({mutant.fault}): no end after {time_limit:g} s"
    if code == _ALL_PASSED:
        return f"survived: {mutant.id} ({mutant.fault}) in {mutant.file}: {', '.join(mutant.killed_by)}"
    if code != _SOME_FAILED or not _FAILED.search(output):
        return f"broken: {mutant.id} ({mutant.fault}): its tests cannot be run:\n{output}"
    return None


@contextmanager
def in_copy(mutant: Mutant, copy: Path) -> Iterator[None]:
    """Have the fault in a copy of the tree for the time of a block."""
    file = copy / mutant.file
    times = file.stat()
    source = file.read_text(encoding="utf-8")
    try:
        file.write_text(mutant.applied_to(source), encoding="utf-8")
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns + _NEWER_NS))
        yield
    finally:
        file.write_text(source, encoding="utf-8")
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))  # what was compiled of it is good again


def _pytest(
    copy: Path, tests: Sequence[str], *, time_limit: float, compiles: bool = False
) -> tuple[int, str]:
    variables = environ(copy) | ({} if compiles else {"PYTHONDONTWRITEBYTECODE": "1"})
    options = ("-x", "-q", "--no-header", "--tb=short", "-p", "no:randomly", "-p", "no:cacheprovider")
    done = subprocess.run(  # noqa: S603  our own tests
        [sys.executable, "-m", "pytest", *options, *tests],
        cwd=copy,
        env=variables,
        capture_output=True,
        text=True,
        timeout=time_limit,
        check=False,
    )
    return done.returncode, (done.stdout + done.stderr).strip()


def environ(copy: Path) -> dict[str, str]:
    """Return the environment of a process that imports what is in a copy."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPATH": str(copy)}


def _not_of_the_copy(tree: Tree, copy: Path) -> str:
    """Return the packages that are imported from somewhere else, such as the installed ones."""
    script = "import importlib, sys\nfor name in sys.argv[1:]: print(importlib.import_module(name).__file__)"
    done = subprocess.run(  # noqa: S603  our own packages
        [sys.executable, "-c", script, *tree.packages],
        cwd=copy,
        env=environ(copy),
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=True,
    )
    return ", ".join(line for line in done.stdout.splitlines() if not Path(line).is_relative_to(copy))


def _shorten_waits(copy: Path) -> None:
    bounds = copy / _BOUNDS
    if bounds.exists():
        text, found = _WAIT_IN_VAIN.subn(_SHORT_WAIT, bounds.read_text(encoding="utf-8"))
        assert found == 1, f"{_BOUNDS} has no WITHIN"
        bounds.write_text(text, encoding="utf-8")

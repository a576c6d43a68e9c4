"""Run the table, or the mutants named: ``python -m tests.mutants [ID ...]``; see CONTRIBUTING.md."""

import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.mutants.runner import Tree, faulty_rows, kill_all
from tests.mutants.table import MUTANTS

_ROOT: Final = Path(__file__).parents[2]
_PARTS: Final = (
    "hangbot",
    "pytest_hangfm",
    "tests",
    "examples",
    "checks",
    "stages",
    "conftest.py",
    "pyproject.toml",
)


def main(ids: list[str]) -> int:
    """Return the exit code: 1 where a mutant survived or could not be tried."""
    if unknown := set(ids) - {mutant.id for mutant in MUTANTS}:
        print(f"no such mutant: {', '.join(sorted(unknown))}")  # noqa: T201  what a command does
        return 2
    chosen = [mutant for mutant in MUTANTS if not ids or mutant.id in ids]
    begun = time.monotonic()
    wrong = list(faulty_rows(chosen, _ROOT))
    if not wrong:
        tree = Tree(_ROOT, _PARTS, packages=("hangbot", "pytest_hangfm"))
        with tempfile.TemporaryDirectory(prefix="hangbot-mutants-") as work:
            wrong = kill_all(chosen, tree, Path(work).resolve())
        killed = 0 if any(line.startswith("control") for line in wrong) else len(chosen) - len(wrong)
        print(f"killed {killed} of {len(chosen)} in {time.monotonic() - begun:.0f} s")  # noqa: T201  likewise
    for line in wrong:
        print(line)  # noqa: T201  likewise
    return 1 if wrong else 0


sys.exit(main(sys.argv[1:]))

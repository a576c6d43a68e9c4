"""Reads `bugs.txt`: the planted bugs, each as a small patch with the rules that it breaks."""

from pathlib import Path
from typing import Final

from tests.mutants.runner import Mutant
from tests.mutants.table import read

__all__ = ["BUGS"]

BUGS: Final[dict[str, Mutant]] = {
    bug.id: bug for bug in read(Path(__file__).with_name("bugs.txt").read_text(encoding="utf-8"))
}
"""By id; `Mutant.killed_by` are the rules of which the search is to find one broken."""

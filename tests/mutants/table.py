"""Reads `faults.txt`: the deliberate faults, each as a small patch with the tests that must notice it."""

from pathlib import Path
from typing import Final

from tests.mutants.runner import Mutant

__all__ = ["MUTANTS", "read"]


def read(text: str) -> list[Mutant]:
    """Read a table: of each fault its id and what it is, its file, the tests, the lines before and after."""
    return [_mutant(part) for part in text.split("\n== ")[1:]]


def _mutant(part: str) -> Mutant:
    title, *lines = part.rstrip("\n").split("\n")
    name, _, fault = title.partition(": ")
    found: dict[str, list[str]] = {"in ": [], "by ": [], "-": [], "+": []}
    for line in lines:
        sign = next((sign for sign in found if line.startswith(sign)), None)
        assert sign, f"{name}: no line of a table: {line}"
        found[sign].append(line.removeprefix(sign))
    (file,) = found["in "]
    before, after = ("".join(f"{line}\n" for line in found[sign]) for sign in "-+")
    return Mutant(name, fault, file, before, after, tuple(found["by "]))


MUTANTS: Final = read(Path(__file__).with_name("faults.txt").read_text(encoding="utf-8"))

"""The product's source as syntax trees, for tests that hold a rule over all of it."""

import ast
import functools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

__all__ = ["PACKAGES", "ROOT", "differences", "parsed"]

ROOT: Final = Path(__file__).parents[1]
PACKAGES: Final = ("hangbot", "pytest_hangfm")


@functools.cache
def parsed(package: str) -> Mapping[str, ast.Module]:
    """Return each module of a package by its path from the root of the repository."""
    return {
        path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted((ROOT / package).rglob("*.py"))
    }


def differences(found: Mapping[str, Iterable[str]], excepted: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """Yield a line for what is found and not excepted, and for what is excepted and not found any more."""
    for path in sorted({*found, *excepted}):
        here, allowed = set(found.get(path, ())), set(excepted.get(path, ()))
        yield from (f"{path}: {what}" for what in sorted(here - allowed))
        yield from (f"{path}: {what} is an exception that nothing needs" for what in sorted(allowed - here))

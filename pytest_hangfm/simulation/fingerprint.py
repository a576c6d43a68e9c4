"""What a plan is played with here: the version of Python, of the libraries and of the code."""

import functools
import hashlib
import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

import hangbot
import pytest_hangfm
from pytest_hangfm.simulation.token import MadeWith

__all__ = ["made_here"]

_DIGITS: Final = 8
_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
_BESIDE: Final = frozenset({"checks", "stages"})
"""Folders that stand in the harness where it is installed, and beside it in a checkout."""


@functools.cache
def made_here() -> MadeWith:
    """Return what decides in this process how a plan plays."""
    versions = "\n".join(sorted(_libraries("hangbot", set())))
    return MadeWith(
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        libraries=hashlib.sha256(versions.encode()).hexdigest()[:_DIGITS],
        code=_code([Path(package.__path__[0]) for package in (hangbot, pytest_hangfm)]),
    )


def _libraries(name: str, seen: set[str]) -> Iterator[str]:
    """Yield name and version of what a distribution requires, directly or not, where it is installed."""
    try:
        required = distribution(name).requires or ()
    except PackageNotFoundError:
        return
    for line in required:
        found = _NAME.match(line)
        if found is None or "extra ==" in line or found[0].lower() in seen:
            continue
        seen.add(found[0].lower())
        try:
            yield f"{found[0].lower()} {distribution(found[0]).version}"
        except PackageNotFoundError:  # for other systems or versions of Python
            continue
        yield from _libraries(found[0], seen)


def _code(packages: list[Path]) -> str:
    digest = hashlib.sha256()
    for package in packages:
        for path in sorted(package.rglob("*.py")):
            if (inside := path.relative_to(package)).parts[0] not in _BESIDE:
                digest.update(f"{package.name}/{inside.as_posix()}\0".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()[:_DIGITS]

"""The last look: whether any result file of a run holds a secret all the same."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from hangbot.redact import Redactor

__all__ = ["Tokens", "scan"]

_RUN: Final = re.compile(r"[A-Za-z0-9_-]{16,}")
_LARGEST: Final = 64 * 2**20
"""Bytes; what is larger is no result file of ours, and is left alone."""


class Tokens:
    """Many tokens that are looked for at once: those of every sandbox of a run.

    A token is known by its longest unbroken run of url-safe characters (of a JWT, one of its
    three parts), so that a text is searched once, however many tokens there are.

    Args:
        tokens: Any number.
    """

    def __init__(self, tokens: Iterable[str] = ()) -> None:
        self._by_run: dict[str, str] = {}
        for token in tokens:
            if runs := _RUN.findall(token):
                self._by_run[runs[-1]] = token  # the last is a JWT's signature: the first is the same in all

    def within(self, text: str) -> list[str]:
        """Return those that stand in a text."""
        if not self._by_run:
            return []
        return [self._by_run[run] for run in self._by_run.keys() & set(_RUN.findall(text))]


def scan(paths: Iterable[Path], redactor: Redactor, tokens: Tokens) -> list[Path]:
    """Mask every known secret in these files, and in all files of these folders.

    Only what is known counts: a text that merely has the shape of a token is left as it is.

    Args:
        paths: Files and folders; what does not exist is passed over.
        redactor: Knows the configuration's secrets; tokens that are found are added to it.
        tokens: Those of the sandboxes.

    Returns:
        The files that held a secret, and hold it no more.
    """
    return [path for path in _files(paths) if _mask(path, redactor, tokens)]


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(child for child in path.rglob("*") if child.is_file())
        elif path.is_file():
            yield path


def _mask(path: Path, redactor: Redactor, tokens: Tokens) -> bool:
    try:
        if path.stat().st_size > _LARGEST:
            return False
        text = path.read_bytes().decode("utf-8", "surrogateescape")
    except FileNotFoundError:  # another process of the run was done with it
        return False
    found = tokens.within(text)
    redactor.add(*found)
    if not found and not redactor.holds(text):
        return False
    masked = redactor.text(text).encode("utf-8", "surrogateescape")
    beside = path.with_name(path.name + ".masked")
    beside.write_bytes(masked)
    beside.replace(path)
    return True

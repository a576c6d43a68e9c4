"""The words of hangbot's own sentences: of its logs, errors and remedies, as its source has them."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

__all__ = ["own_words"]

_WORD: Final = re.compile(r"[A-Za-z]{2,}")
_LEFT_OUT: Final = frozenset({"sandbox", "incident", "demo.py"})
"""Parts of the package with names of people who do not exist, or with no sentence that a log can hold."""


@cache
def own_words() -> frozenset[str]:
    """Return every word of a text in the package, in small letters; those of its documentation are none."""
    return frozenset(
        word.lower()
        for source in _sources(files("hangbot"))
        for text in _texts(ast.parse(source))
        for word in _WORD.findall(text)
    )


def _sources(folder: Traversable) -> Iterator[str]:
    for entry in folder.iterdir():
        if entry.name in _LEFT_OUT:
            continue
        if entry.is_dir():
            yield from _sources(entry)
        elif entry.name.endswith(".py"):
            yield entry.read_text(encoding="utf-8")


def _texts(tree: ast.Module) -> Iterator[str]:
    documentation = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.value
        elif isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name.replace("_", " ")

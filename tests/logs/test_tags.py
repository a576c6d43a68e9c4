"""The lines of the log begin with the tags that operators search for, each with the one that is its."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.source_tree import parsed

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
TAG = re.compile(r"\[([A-Z]+)\]")
OF_CONNECTIONS = (
    "hangbot/hangfm/",
    *(f"hangbot/bot/{name}.py" for name in ("services", "listener", "push_session")),
)
"""Where every line is about one, and a tag may not be missing."""
LEVELS = ("debug", "info", "warning", "error", "exception", "log")
OWN = ("hangbot/sandbox/",)
"""What has a log of its own."""


def lines() -> Iterator[tuple[str, str, str]]:
    """Each line that the product may log: where, its level, its words as far as they are known."""
    for path, tree in parsed("hangbot").items():
        if path.startswith(OWN):
            continue
        words: dict[str, str] = {}
        for node in ast.walk(tree):
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text))):
                    words[name] = text
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="logger"), attr=level),
                    args=[ast.Constant(value=str(text)), *_],
                ):
                    yield path, level, text
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="logger"), attr=level), args=[ast.Name(id=name), *_]
                ):
                    yield path, level, words.get(name, "")


def test_every_error_is_tagged_as_one_and_so_is_every_line_of_a_connection() -> None:
    found = list(lines())

    assert len(found) > 60
    untagged = [
        (path, text)
        for path, level, text in found
        if level in {"error", "exception"} and text[:8] != "[ERROR] "
    ]
    assert untagged == []
    bare = [
        (path, text) for path, _, text in found if path.startswith(OF_CONNECTIONS) and not TAG.match(text)
    ]
    assert bare == []


def test_every_line_names_its_event() -> None:
    unnamed = [
        f"{path}:{node.lineno}"
        for path, tree in parsed("hangbot").items()
        for node in ast.walk(tree)
        if not path.startswith(OWN)
        and isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and ast.unparse(node.func.value) == "logger"
        and node.func.attr in LEVELS
        and "extra" not in {keyword.arg for keyword in node.keywords}
    ]

    assert unnamed == []


def test_every_tag_is_explained() -> None:
    table = set(re.findall(r"`\[([A-Z]+)\]`", PAGE))

    used = {found[1] for _, _, text in lines() if (found := TAG.match(text))}
    assert used <= table
    assert {"OK", "SOCKET", "SEND", "ACK", "RETRY", "TIMEOUT", "ERROR"} <= table

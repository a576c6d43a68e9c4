"""Comments, docstrings and names: plain English, the field's words, no pronouns for things, no riddles."""

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from typing import Final

import pytest

from tests.source_tree import PACKAGES, ROOT, parsed

PROSE: Final = {
    r"h(?:e|im|is|imself)|whom(?:ever)?|whoever|nobody|somebody|someone": "it, the client, no task …",
    r"(?:tells?|telling|told)(?! (?:whether|apart|from|one|them|it from))": "return, report, give, notify",
    r"dice": "rng",
    r"desk|doors?|twins?|neighbours?|farewells?|lanes?|deeds?|journeys?": "the thing's own name",
    r"put(?:s|ting)? aside": "quarantine",
}
"""Words that comments and docstrings do without, and what stands there instead."""
_PROSE: Final = {re.compile(rf"\b(?:{words})\b", re.IGNORECASE): instead for words, instead in PROSE.items()}
_LEADING_ELSE: Final = re.compile(r"(?:^|(?<=[.;:] ))[Ee]lse\b(?! `)")
_CODE: Final = re.compile(r"``.*?``|`[^`]*`|#\s*(?:noqa|type:|fmt:|pragma:)\S*(?:\s+[A-Z]+\d+,?)*")

NAME_PARTS: Final = re.compile(
    r"banished|deeds?|desk|dice|doors?|farewell|journey|lanes?|someone|told|twin", re.IGNORECASE
)
NAMES: Final = re.compile(
    r"Carrier|Deliberate|Dispatch|Doctor|Drafts?|Earlier|Ended|Endpoint|Gate|House|Hub|Life|Place|Question|"
    r"Result|Stored|Subject|Tapped|Waiters|Why|Wire|about_(?:bot|chat|drift|files|room)|hang_up|"
    r"parts_of|showable|strangers|summarise|unasked"
)
"""Names that have given way to the field's own: see `docs/architecture.md`."""


def prose_of(source: str, nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Yield a module's comments and docstrings, those of attributes too, without the code in them."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield _CODE.sub("", token.string).lstrip("# ")
    for node in nodes:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield _CODE.sub("", str(node.value.value))


def names_of(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Yield what a module gives a name."""
    for node in nodes:
        match node:
            case (
                ast.ClassDef(name=name)
                | ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.arg(arg=name)
                | ast.Name(id=name, ctx=ast.Store())
                | ast.Attribute(attr=name, ctx=ast.Store())
            ):
                yield name


def riddles(source: str) -> Iterator[str]:
    """Yield each word of a module that has a plainer one, with that."""
    nodes = list(ast.walk(ast.parse(source)))
    for text in prose_of(source, nodes):
        for words, instead in _PROSE.items():
            yield from (f"{found[0]!r}: {instead}" for found in words.finditer(text))
        if _LEADING_ELSE.search(text):
            yield "a leading 'Else': otherwise, because"
    for name in names_of(nodes):
        parts = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)
        if any(map(NAME_PARTS.fullmatch, parts)) or NAMES.fullmatch(name.lstrip("_")):
            yield f"{name}: the field's name"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        pytest.param("# whoever asks", ["'whoever'"], id="a pronoun"),
        pytest.param('"""He waits."""', ["'He'"], id="a docstring"),
        pytest.param('x = 1\n"""Its twin."""', ["'twin'"], id="an attribute's docstring"),
        pytest.param("f()  # else it hangs", ["a leading 'Else'"], id="else, in a comment"),
        pytest.param('"""Waits. Else it hangs."""', ["a leading 'Else'"], id="else, in a sentence"),
        pytest.param("def told_as(): ...", ["told_as"], id="a part of a name"),
        pytest.param("class _ChatDoor: ...", ["_ChatDoor"], id="a part of a class's name"),
        pytest.param("self.dice = lane", ["dice"], id="an attribute"),
        pytest.param("class Subject: ...", ["Subject"], id="a name"),
        pytest.param('# The journal says `deed`: "nothing else"', [], id="code, and a word within"),
        pytest.param("# Tells one from the other, and whether it came", [], id="to tell apart"),
        pytest.param("# it is told", ["'told'"], id="to tell somebody"),
        pytest.param("say(deed=1)  # noqa: S101", [], id="an argument of others"),
        pytest.param('x = "whoever"', [], id="a text"),
        pytest.param("def the_landing(): ...  # The island", [], id="parts of words"),
    ],
)
def test_words_that_are_riddles_are_found(source: str, found: list[str]) -> None:
    assert [line.split(":")[0] for line in riddles(source)] == found


def test_the_product_is_written_in_plain_words() -> None:
    wrong = [
        f"{path}: {riddle}"
        for package in PACKAGES
        for path in parsed(package)
        for riddle in riddles((ROOT / path).read_text(encoding="utf-8"))
    ]

    assert not wrong, "\n".join(wrong)

"""The page of protocol statements names tests and fields that exist, and leaves no field out."""

import ast
import dataclasses
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from hangbot.sandbox import OPENCHAT, ChatRules, ChatTokenRules, RoomVariants

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "protocol-coverage.md"
TEST = re.compile(r"`([\w/]+\.py)::(\w+)`")
FIELD = re.compile(r"`(RoomVariants|Dialect|ChatRules|ChatTokenRules)\.(\w+)`(?: \(default `([^`]*)`\))?")
DEFAULTS: dict[str, Any] = {
    "RoomVariants": RoomVariants(),
    "Dialect": OPENCHAT,
    "ChatRules": ChatRules(),
    "ChatTokenRules": ChatTokenRules(),
}


def rows(page: str) -> list[tuple[str, str]]:
    """Statement and proof of every line of every table."""
    cells = (line.strip().strip("|").split("|") for line in page.splitlines() if line.startswith("| "))
    return [(row[0].strip(), "|".join(row[1:]).strip()) for row in cells if row[0].strip() != "statement"]


@cache
def names_in(path: Path) -> frozenset[str]:
    """Names of the tests of a file, read and not run: functions, and classes however they are made."""
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return frozenset(name for name in names if name.startswith(("test_", "Test")))


def faults_of(page: str) -> list[str]:
    """What is wrong with a page of statements."""
    faults = []
    for statement, proof in rows(page):
        tests, fields = TEST.findall(proof), FIELD.findall(proof)
        if not tests and not fields:
            faults.append(f"proves nothing: {statement}")
        for path, name in tests:
            file = ROOT / "tests" / path
            if not file.is_file() or name not in names_in(file):
                faults.append(f"no such test: {path}::{name}")
        for owner, name, default in fields:
            known = {field.name for field in dataclasses.fields(DEFAULTS[owner])}
            if name not in known:
                faults.append(f"no such field: {owner}.{name}")
            elif default and default != repr(getattr(DEFAULTS[owner], name)):
                faults.append(f"another default: {owner}.{name}")
    return faults


def test_every_statement_of_the_protocol_names_a_proof_that_exists() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert len(rows(page)) > 300
    assert faults_of(page) == []


def test_no_variant_is_left_out_of_the_page() -> None:
    named = {(owner, name) for owner, name, _ in FIELD.findall(PAGE.read_text(encoding="utf-8"))}

    fields = {(owner, field.name) for owner, value in DEFAULTS.items() for field in dataclasses.fields(value)}
    assert named == fields


def test_every_section_stands_once_and_none_is_empty() -> None:
    parts = PAGE.read_text(encoding="utf-8").split("\n### ")[1:]

    titles = [part.splitlines()[0] for part in parts]
    assert len(set(titles)) == len(titles)
    assert [title for title, part in zip(titles, parts, strict=True) if not rows(part)] == []


@pytest.mark.parametrize(
    ("proof", "fault"),
    [
        pytest.param("by the way", "proves nothing: It is so.", id="no proof"),
        pytest.param(
            "`test_docs.py::test_nothing`", "no such test: test_docs.py::test_nothing", id="no test"
        ),
        pytest.param("`nowhere/test_x.py::test_x`", "no such test: nowhere/test_x.py::test_x", id="no file"),
        pytest.param("unknown: `ChatRules.magic`", "no such field: ChatRules.magic", id="no field"),
        pytest.param(
            "unknown: `RoomVariants.verbs` (default `False`)",
            "another default: RoomVariants.verbs",
            id="another default",
        ),
    ],
)
def test_a_row_without_a_good_proof_is_a_fault(proof: str, fault: str) -> None:
    page = f"| statement | proof |\n|---|---|\n| It is so. | {proof} |\n"

    assert faults_of(page) == [fault]


def test_the_page_stands_alone() -> None:
    page = PAGE.read_text(encoding="utf-8")

    links = re.findall(r"\]\(([^)]+)\)", page)
    assert [link for link in links if not (PAGE.parent / link).exists()] == []
    assert "shared" not in page


def linked(page: Path) -> list[str]:
    """The files that a page links to, relative to it."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    found = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    return [link for link in found if "://" not in link and not link.startswith("mailto:")]


@pytest.mark.parametrize(
    "page",
    [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md")), ROOT / "examples/README.md"],
    ids=str,
)
def test_every_link_leads_somewhere(page: Path) -> None:
    assert [link for link in linked(page) if not (page.parent / link).exists()] == []

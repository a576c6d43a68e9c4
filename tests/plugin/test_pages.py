"""`docs/fixtures/`: a page for each fixture, whose examples are run as they stand there."""

import re
import shutil
from pathlib import Path
from typing import Final

import pytest

import pytest_hangfm.fixtures

REPOSITORY: Final = Path(__file__).parents[2]
PAGES: Final = REPOSITORY / "docs" / "fixtures"
SESSION: Final = REPOSITORY / "tests" / "hangfm" / "wire" / "samples" / "room_session.jsonl"
FIXTURES: Final = sorted(pytest_hangfm.fixtures.__all__)


def examples(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", FIXTURES)
def test_every_fixture_has_a_page_with_an_example_and_a_line_in_the_index(name: str) -> None:
    page, index = PAGES / f"{name}.md", (PAGES / "README.md").read_text(encoding="utf-8")

    assert page.is_file(), f"docs/fixtures/{name}.md is missing"
    assert page.read_text(encoding="utf-8").startswith(f"# {name}\n")
    asked_for = "virtual_time" if name == "hangfm_virtual_time" else name  # that one by its marker
    assert any(asked_for in example for example in examples(page))
    assert f"({name}.md)" in index


def test_every_page_is_of_a_fixture() -> None:
    assert sorted(page.stem for page in PAGES.glob("hangfm_*.md")) == FIXTURES


def test_every_link_leads_somewhere() -> None:
    broken = [
        f"{page.name}: {target}"
        for page in PAGES.glob("*.md")
        for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))
        if not (PAGES / target).exists()
    ]

    assert broken == []


def test_every_example_passes_as_it_stands(inner: pytest.Pytester) -> None:
    blocks = {
        f"test_{page.stem}_{number}": block
        for page in PAGES.glob("hangfm_*.md")
        for number, block in enumerate(examples(page))
    }
    inner.makepyfile(**blocks)
    shutil.copytree(SESSION.parent, inner.path / "sessions")
    (inner.path / "sessions" / SESSION.name).rename(inner.path / "sessions" / "evening.jsonl")

    result = inner.runpytest_subprocess("-p", "no:allure_pytest", "-q")

    result.assert_outcomes(passed=sum(block.count("def test_") for block in blocks.values()))

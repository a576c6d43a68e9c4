"""The Python in the README, in the guides of `docs/` and in the pages of the fixtures, run as it stands."""

import ast
import asyncio
import inspect
import logging
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pytest

import pytest_hangfm.fixtures
from hangbot.sandbox import Actor, Sandbox
from pytest_hangfm import OpenBot, RoomLog
from tests.bounds import WITHIN
from tests.plugin.conftest import REPOSITORY, WITHOUT_ALLURE

PAGES: Final = REPOSITORY / "docs" / "fixtures"
ELSEWHERE: Final = {"bots-in-any-language.md"}
"""Whose bots are programs: `tests/interop/test_how_to.py` runs them."""
ALL: Final = (REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md")))
GUIDES: Final = [page for page in ALL if page.name not in ELSEWHERE]
SESSION: Final = REPOSITORY / "tests" / "hangfm" / "wire" / "samples" / "room_session.jsonl"
FIXTURES: Final = sorted(pytest_hangfm.fixtures.__all__)


def blocks(pages: Iterable[Path]) -> dict[str, str]:
    """Name and text of each block of Python."""
    return {
        f"{page.stem}_{number}".replace("-", "_"): block
        for page in pages
        for number, block in enumerate(
            re.findall(r"^```python\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
        )
    }


def those(*, tests: bool = False, app: bool = False) -> list[Any]:
    """The guides' blocks of a kind: tests, apps, and what is neither."""
    return [
        pytest.param(block, id=name)
        for name, block in blocks(GUIDES).items()
        if ("def test_" in block, "def on_message" in block) == (tests, app)
    ]


async def run(block: str) -> dict[str, Any]:
    """Run a block, in which `await` may stand outside of functions, and return its names."""
    names: dict[str, Any] = {}
    code = compile(block, "guide", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    found = eval(code, names)  # noqa: S307  our own pages
    if inspect.iscoroutine(found):
        await found
    return names


def test_there_is_some_of_each_kind() -> None:
    assert those(tests=True)
    assert those(app=True)
    assert those()


def test_every_test_passes_as_it_stands(inner: pytest.Pytester) -> None:
    tests = {param.id: param.values[0] for param in those(tests=True)} | blocks(PAGES.glob("hangfm_*.md"))
    inner.makepyfile(**{f"test_{name}": block for name, block in tests.items()})
    shutil.copytree(SESSION.parent, inner.path / "sessions")
    (inner.path / "sessions" / SESSION.name).rename(inner.path / "sessions" / "evening.jsonl")

    done = inner.runpytest_subprocess(*WITHOUT_ALLURE, "-q")

    done.assert_outcomes(passed=sum(block.count("def test_") for block in tests.values()))


@pytest.mark.allow_failed_actions  # a vote, where nothing plays
@pytest.mark.parametrize("block", those(app=True))
async def test_every_app_answers_all_that_it_knows(
    block: str,
    hangfm_open_bot: OpenBot,
    hangfm_sandbox: Sandbox,
    hangfm_user: Actor,
    hangfm_room_log: RoomLog,
    caplog: pytest.LogCaptureFixture,
) -> None:
    names = await run(block)
    bot = await hangfm_open_bot(app=names.get("app") or names["on_message"])
    known = re.findall(r'text == "(/\w+)"', block)

    for words in known:
        await hangfm_user.say(words)
    await hangfm_user.say("/uptime")  # of what an app knows, one may be answered by an action alone

    assert known
    async with asyncio.timeout(WITHIN):
        while len(hangfm_room_log.texts(from_=bot.chat.uid)) < len(known):
            await hangfm_sandbox.journal.wait_for(lambda _: True, since=hangfm_sandbox.journal.last_n)
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("block", those())
async def test_everything_else_runs(
    block: str, hangfm_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in hangfm_sandbox.env().items():
        monkeypatch.setenv(name, value)

    names = await run(block)

    assert names["settings"].room_uuid == hangfm_sandbox.room_uuid


@pytest.mark.parametrize("name", FIXTURES)
def test_every_fixture_has_a_page_with_an_example_and_a_line_in_the_index(name: str) -> None:
    page, index = PAGES / f"{name}.md", (PAGES / "README.md").read_text(encoding="utf-8")

    assert page.is_file(), f"docs/fixtures/{name}.md is missing"
    assert page.read_text(encoding="utf-8").startswith(f"# {name}\n")
    used = "virtual_time" if name == "hangfm_virtual_time" else name  # that one by its marker
    assert any(used in example for example in blocks([page]).values())
    assert f"({name}.md)" in index


def test_every_page_is_of_a_fixture_and_every_link_leads_somewhere() -> None:
    broken = [
        f"{page.name}: {target}"
        for page in PAGES.glob("*.md")
        for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))
        if not (PAGES / target).exists()
    ]

    assert sorted(page.stem for page in PAGES.glob("hangfm_*.md")) == FIXTURES
    assert broken == []

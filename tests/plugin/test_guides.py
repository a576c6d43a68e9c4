"""The Python in the README and in the guides of `docs/`, run as it stands there."""

import ast
import inspect
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from hangbot.sandbox import Actor, Sandbox
from pytest_hangfm import OpenBot, RoomLog
from tests.bounds import WITHIN

REPOSITORY: Final = Path(__file__).parents[2]
GUIDES: Final = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
ELSEWHERE: Final = {"bots-in-any-language.md"}
"""Whose bots are programs: `tests/interop/test_how_to.py` runs them."""


def blocks() -> Iterator[tuple[str, str]]:
    """Name and text of each block of Python."""
    for page in GUIDES:
        found = re.findall(
            r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
        )
        if page.name not in ELSEWHERE:
            yield from (
                (f"{page.stem}_{number}".replace("-", "_"), block) for number, block in enumerate(found)
            )


def those(*, tests: bool = False, app: bool = False) -> list[Any]:
    """The blocks of a kind: tests, apps, and what is neither."""
    kinds = ((name, block, "def test_" in block, "def on_message" in block) for name, block in blocks())
    return [
        pytest.param(block, id=name)
        for name, block, is_tests, is_app in kinds
        if (is_tests, is_app) == (tests, app)
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
    tests = {f"test_{param.id}": param.values[0] for param in those(tests=True)}
    inner.makepyfile(**tests)

    done = inner.runpytest_subprocess("-p", "no:allure_pytest", "-q")

    done.assert_outcomes(passed=sum(block.count("def test_") for block in tests.values()))


@pytest.mark.allow_failed_actions  # a vote, where nothing plays
@pytest.mark.parametrize("block", those(app=True))
async def test_every_app_answers_all_that_it_knows(
    block: str,
    hangfm_open_bot: OpenBot,
    hangfm_user: Actor,
    hangfm_room_log: RoomLog,
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = (await run(block))["on_message"]
    bot = await hangfm_open_bot(app=app)
    known = re.findall(r'text == "(/\w+)"', block)

    for words in known:
        await hangfm_user.say(words)
    await hangfm_user.say("/uptime")  # answered by the bot itself, in order, behind all of them

    await hangfm_room_log.expect("has been up for", from_=bot.chat.uid, within=WITHIN)
    said = [line for line in hangfm_room_log.texts() if not line.startswith("/")]
    assert known
    assert len(said) >= len(known), said
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

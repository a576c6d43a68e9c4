"""The bots of `examples/`, each a program of its own, tested by the plugin as their authors would."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from hangbot.sandbox import Actor, Sandbox
from pytest_hangfm import BotProcess, OpenProcess, RoomLog
from tests.bounds import WITHIN

EXAMPLES: Final = Path(__file__).parents[2] / "examples"
LINES: Final = 75

StartBot = Callable[[], Awaitable[BotProcess]]


pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]  # each starts a bot as a process of its own


@dataclass(frozen=True)
class Example:
    """One of the examples: how it is started, and which packages of npm lie beside it."""

    name: str
    argv: Sequence[str]
    ready: str | None = None
    packages: Path | None = None


@pytest.fixture(
    scope="module",  # npm installs before there is a sandbox, which could not answer meanwhile
    params=[
        pytest.param("bot.mjs", marks=pytest.mark.interop),
        "bot.py",
        "mybot.py",
        "own_main.py",
    ],
)
def example(request: pytest.FixtureRequest) -> Example:
    """Each of them, as its first lines say."""
    name, ready = request.param, "reading the chat"  # its preflight has joined the room before
    match name:
        case "bot.mjs":
            node = request.getfixturevalue("node")
            return Example(name, [node, name], packages=request.getfixturevalue("packages"))
        case "mybot.py":
            return Example(name, [sys.executable, "-m", "hangbot", "run", "--app", "mybot:on_message"], ready)
        case "own_main.py":
            return Example(name, [sys.executable, name], ready)
        case _:
            return Example(name, [sys.executable, name])


@pytest.fixture
def start_bot(example: Example, hangfm_open_process: OpenProcess, tmp_path: Path) -> StartBot:
    """Start it in a folder of its own."""
    shutil.copy(EXAMPLES / example.name, tmp_path)
    if example.packages is not None:  # Node looks for packages above the file that imports them
        (tmp_path / "node_modules").symlink_to(example.packages / "node_modules")

    async def start() -> BotProcess:
        bot = await hangfm_open_process(example.argv, cwd=tmp_path, within=WITHIN)
        if example.ready is not None:
            await bot.expect(example.ready, within=WITHIN)
        return bot

    return start


async def test_it_answers_in_the_chat(
    start_bot: StartBot, hangfm_user: Actor, hangfm_room_log: RoomLog
) -> None:
    bot = await start_bot()

    await hangfm_user.say("/ping")

    await hangfm_room_log.expect("pong", from_=bot, within=WITHIN)
    assert hangfm_room_log.texts() == ["/ping", "pong"]


async def test_it_answers_the_heartbeat(start_bot: StartBot, hangfm_sandbox: Sandbox) -> None:
    bot = await start_bot()

    for _ in range(3):
        heard = hangfm_sandbox.journal.last_n
        await hangfm_sandbox.advance(30)
        await hangfm_sandbox.journal.wait_for(
            lambda row: row["dir"] == "in" and "primus::pong::" in str(row.get("frame")),
            within=WITHIN,
            since=heard,
        )

    assert [conn.uid for conn in hangfm_sandbox.server.connections] == [bot.uid]


async def test_it_comes_back_after_a_restart_of_the_service(
    start_bot: StartBot, hangfm_sandbox: Sandbox, hangfm_user: Actor, hangfm_room_log: RoomLog
) -> None:
    bot = await start_bot()

    gone = hangfm_sandbox.journal.last_n
    await hangfm_sandbox.restart(services=["room"])
    await hangfm_sandbox.journal.wait_for(
        lambda row: row["dir"] == "in" and "joinRoom" in str(row.get("frame")), within=WITHIN, since=gone
    )
    await hangfm_user.say("/ping")

    await hangfm_room_log.expect("pong", from_=bot, within=WITHIN)


@pytest.mark.parametrize("name", ["bot.mjs", "bot.py", "mybot.py", "own_main.py"])
def test_it_fits_on_a_page(name: str) -> None:
    assert len((EXAMPLES / name).read_text(encoding="utf-8").splitlines()) <= LINES


async def test_a_main_of_ones_own_ends_in_order_when_it_is_told_to(
    hangfm_open_process: OpenProcess, hangfm_user: Actor, hangfm_room_log: RoomLog, tmp_path: Path
) -> None:
    argv = [sys.executable, str(EXAMPLES / "own_main.py")]
    bot = await hangfm_open_process(argv, cwd=tmp_path, within=WITHIN)
    await bot.expect("reading the chat", within=WITHIN)
    await hangfm_user.say("/ping")
    await hangfm_room_log.expect("pong", from_=bot, within=WITHIN)

    bot.send_signal(signal.SIGTERM)

    assert await bot.wait(within=WITHIN) == 0


def test_a_main_of_ones_own_says_in_one_line_what_is_wrong_with_its_configuration(tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if name not in {"BOT_USER_TOKEN", "ROOM_UUID"}}
    done = subprocess.run(  # noqa: S603  our own example
        [sys.executable, str(EXAMPLES / "own_main.py")],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )

    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "hang-fm-config.env" in done.stderr
    assert "->" in done.stderr

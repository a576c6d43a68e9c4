"""The bots of `examples/`, each a program of its own, tested by the plugin as their authors would."""

import shutil
import sys
from collections.abc import Awaitable, Callable
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


@pytest.fixture(
    params=[
        pytest.param("bot.mjs", marks=pytest.mark.interop),
        "bot.py",
        "mybot.py",
    ]
)
def start_bot(request: pytest.FixtureRequest, hangfm_open_process: OpenProcess, tmp_path: Path) -> StartBot:
    """Start one of the examples as its first lines say."""
    shutil.copy(EXAMPLES / request.param, tmp_path)
    argv, ready = [sys.executable, request.param], None
    if request.param == "bot.mjs":
        node, packages = request.getfixturevalue("node"), request.getfixturevalue("packages")
        # Node looks for packages above the file that imports them.
        (tmp_path / "node_modules").symlink_to(packages / "node_modules")
        argv = [node, request.param]
    elif request.param == "mybot.py":
        argv = [sys.executable, "-m", "hangbot", "run", "--app", "mybot:on_message"]
        ready = "reading the chat"  # its preflight has joined the room before

    async def start() -> BotProcess:
        bot = await hangfm_open_process(argv, cwd=tmp_path, within=WITHIN)
        if ready is not None:
            await bot.expect(ready, within=WITHIN)
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


@pytest.mark.parametrize("name", ["bot.mjs", "bot.py", "mybot.py"])
def test_it_fits_on_a_page(name: str) -> None:
    assert len((EXAMPLES / name).read_text(encoding="utf-8").splitlines()) <= LINES

import asyncio
import os
import socket
import stat
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hangbot.clock import SystemClock
from hangbot.errors import HangbotError
from hangbot.status.local import Silent, ask, listening, poke, socket_path
from hangbot.status.pages import LARGEST_BODY, MOST_CONNECTIONS, Pages
from hangbot.web.server import HttpServer
from tests.bounds import WITHIN

CLOCK = SystemClock()
WELL = {"ready": True, "live": True, "red": [], "waits": []}


@asynccontextmanager
async def served(outbox: Path, looks: list[str] | None = None) -> AsyncIterator[HttpServer]:
    said = looks if looks is not None else []
    pages = Pages(lambda: WELL, lambda: said.append("look"))
    with listening(socket_path(outbox)) as open_server:
        server = HttpServer(
            pages.handle,
            0,
            largest_body=LARGEST_BODY,
            now_s=CLOCK.wall,
            most=MOST_CONNECTIONS,
            open_server=open_server,
        )
        try:
            await server.listen()
            yield server
        finally:
            await server.close()


def deep(folder: Path) -> Path:
    below = folder / ("d" * 100) / ("e" * 60)
    below.mkdir(parents=True)
    return below


@pytest.mark.parametrize("long", [False, True])
async def test_a_bot_is_asked_by_a_socket_beside_its_outbox_however_long_the_path(
    tmp_path: Path, *, long: bool
) -> None:
    outbox = (deep(tmp_path) if long else tmp_path) / "o.sqlite3"

    async with served(outbox):
        answer = await ask(outbox, "/readyz", within=WITHIN, clock=CLOCK)
        mode = stat.S_IMODE(socket_path(outbox).stat().st_mode)
    after = await ask(outbox, "/readyz", within=WITHIN, clock=CLOCK)

    assert answer == b'{"ready": true, "red": [], "waits": []}\n'
    assert mode == 0o600
    assert (after, socket_path(outbox).exists()) == (None, False)


async def test_a_link_to_an_outbox_leads_to_its_bot_and_another_outbox_to_none(tmp_path: Path) -> None:
    outbox, link = tmp_path / "a" / "o.sqlite3", tmp_path / "link.sqlite3"
    outbox.parent.mkdir()
    outbox.touch()
    link.symlink_to(outbox)

    async with served(outbox), served(tmp_path / "other.sqlite3"):
        by_link = await ask(link, "/livez", within=WITHIN, clock=CLOCK)
        none = await ask(tmp_path / "third.sqlite3", "/livez", within=WITHIN, clock=CLOCK)

    assert by_link == b'{"live": true}\n'
    assert none is None


async def test_a_socket_that_a_dead_bot_left_is_replaced(tmp_path: Path) -> None:
    outbox = tmp_path / "o.sqlite3"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(socket_path(outbox)))
    dead = await ask(outbox, "/livez", within=WITHIN, clock=CLOCK)

    async with served(outbox):
        answer = await ask(outbox, "/livez", within=WITHIN, clock=CLOCK)

    assert (dead, answer) == (None, b'{"live": true}\n')


async def test_a_file_of_that_name_and_a_bot_that_answers_are_left_alone(tmp_path: Path) -> None:
    taken, outbox = tmp_path / "f.sqlite3", tmp_path / "o.sqlite3"
    socket_path(taken).write_text("mine")

    with pytest.raises(OSError, match="no socket"):
        async with served(taken):
            pass
    async with served(outbox):
        with pytest.raises(OSError, match="another process has it"):
            async with served(outbox):
                pass
        answer = await ask(outbox, "/livez", within=WITHIN, clock=CLOCK)

    assert socket_path(taken).read_text() == "mine"
    assert answer is not None


async def test_a_bot_that_hangs_is_not_taken_for_one_that_does_not_run(tmp_path: Path) -> None:
    outbox = tmp_path / "o.sqlite3"
    with socket.socket(socket.AF_UNIX) as hanging:
        hanging.bind(str(socket_path(outbox)))
        hanging.listen()

        with pytest.raises(Silent, match=r"does not answer within 0\.1 s"):
            await ask(outbox, "/healthz", within=0.1, clock=CLOCK)
        reached = await poke(outbox, clock=CLOCK, within=0.1)

    assert not reached


async def test_a_bot_that_ends_while_it_is_asked_does_not_run(tmp_path: Path) -> None:
    outbox = tmp_path / "o.sqlite3"
    with socket.socket(socket.AF_UNIX) as ending:
        ending.bind(str(socket_path(outbox)))
        ending.listen()

        def hang_up() -> None:
            connection, _ = ending.accept()
            connection.close()

        closing = threading.Thread(target=hang_up)
        closing.start()

        answer = await ask(outbox, "/healthz", within=WITHIN, clock=CLOCK)
        await asyncio.to_thread(closing.join)

    assert answer is None


async def test_another_command_has_the_bot_look(tmp_path: Path) -> None:
    outbox, looks = tmp_path / "o.sqlite3", list[str]()

    async with served(outbox, looks):
        reached = await poke(outbox, clock=CLOCK)
        wrong = await ask(outbox, "/look", within=WITHIN, clock=CLOCK)

    assert (reached, looks) == (True, ["look"])
    assert wrong == b'{"error": "only POST is answered here"}\n'
    assert not await poke(outbox, clock=CLOCK)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may reach every socket")
async def test_the_socket_of_another_user_says_so(tmp_path: Path) -> None:
    outbox = tmp_path / "o.sqlite3"
    async with served(outbox):
        socket_path(outbox).chmod(0)
        with pytest.raises(HangbotError, match="another user's"):
            await ask(outbox, "/livez", within=WITHIN, clock=CLOCK)

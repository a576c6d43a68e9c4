"""Whatever would let the machine into a simulation is refused, with one line that says where it was used."""

import asyncio
import datetime as dt
import importlib.util
import os
import random
import secrets
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import pytest

from hangbot import Bot, ChatMessage
from pytest_hangfm.simulation.guards import no_machine
from pytest_hangfm.simulation.loop import SimulatedLoop
from pytest_hangfm.simulation.plan import Plan
from pytest_hangfm.simulation.world import play
from tests.bounds import WITHIN
from tests.simulation.worlds import run

HERE = __name__


async def in_a_thread(_: SimulatedLoop) -> None:
    await asyncio.to_thread(print)


async def by_udp(loop: SimulatedLoop) -> None:
    await loop.create_datagram_endpoint(asyncio.DatagramProtocol, ("127.0.0.1", 53))


async def by_a_path(_: SimulatedLoop) -> None:
    await asyncio.open_unix_connection("/tmp/x")  # noqa: S108  it is never opened


async def a_program(_: SimulatedLoop) -> None:
    await asyncio.create_subprocess_exec("true")


async def a_shell(_: SimulatedLoop) -> None:
    await asyncio.create_subprocess_shell("true")


async def a_reader(loop: SimulatedLoop) -> None:
    loop.add_reader(0, print)


async def a_writer(loop: SimulatedLoop) -> None:
    loop.add_writer(0, print)


@pytest.mark.parametrize(
    ("use", "called"),
    [
        pytest.param(lambda: time.time() + 1, "time.time", id="time"),
        pytest.param(lambda: time.monotonic_ns() + 1, "time.monotonic_ns", id="another time"),
        pytest.param(lambda: time.sleep(1), "time.sleep", id="sleep"),
        pytest.param(lambda: threading.Thread(target=print).start(), "Thread.start", id="a thread"),
        pytest.param(lambda: threading.Timer(1.0, print).start(), "Thread.start", id="a timer"),
        pytest.param(lambda: socket.socket().close(), "a socket", id="a socket"),
        pytest.param(lambda: socket.create_connection(("127.0.0.1", 1)), "a socket", id="a connection"),
        pytest.param(lambda: urllib.request.urlopen("http://127.0.0.1:1"), "a socket", id="a library"),
        pytest.param(lambda: subprocess.run(["true"], check=True), "Popen", id="a program"),  # noqa: S607  never run
        pytest.param(lambda: run(in_a_thread), "run_in_executor", id="to_thread"),
        pytest.param(lambda: run(by_udp), "create_datagram_endpoint", id="UDP"),
        pytest.param(lambda: run(by_a_path), "create_unix_connection", id="a path"),
        pytest.param(lambda: run(a_program), "subprocess_exec", id="asyncio's program"),
        pytest.param(lambda: run(a_shell), "subprocess_shell", id="asyncio's shell"),
        pytest.param(lambda: run(a_reader), "add_reader", id="a reader"),
        pytest.param(lambda: run(a_writer), "add_writer", id="a writer"),
        pytest.param(lambda: dt.datetime.now(dt.UTC), "datetime.now", id="the date"),
        pytest.param(lambda: str(dt.date.today()), "date.today", id="today"),  # noqa: DTZ011  refused
    ],
)
def test_a_use_of_the_machine_is_refused_with_a_line(use: Callable[[], object], called: str) -> None:
    says = rf"^{called} was used in a simulation by {HERE}, line \d+: .*simulat"

    with no_machine() as uses, pytest.raises(AssertionError, match=says) as refused:
        use()

    assert uses == [str(refused.value)]
    assert "\n" not in uses[0]


def test_without_a_simulation_nothing_is_refused() -> None:
    before = random.getstate()
    real = time.time, os.urandom, threading.Thread.start, dt.datetime

    with no_machine():
        random.random()  # noqa: S311  only drawn

    assert random.getstate() == before
    assert real == (time.time, os.urandom, threading.Thread.start, dt.datetime)
    assert dt.datetime.now(dt.UTC).year > 2024


def test_other_threads_keep_the_machine() -> None:
    begun, go, seen = threading.Event(), threading.Event(), list[object]()

    def work() -> None:
        begun.set()
        go.wait(WITHIN)
        with socket.socket() as one:
            seen.extend((time.time(), os.urandom(3), one.family))

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(WITHIN)

    with no_machine() as uses:
        go.set()
        thread.join(WITHIN)

    assert len(seen) == 3
    assert uses == []


def test_an_app_draws_the_same_each_time() -> None:
    def drawn(seed: int) -> tuple[object, ...]:
        with no_machine(seed) as uses:
            found = random.random(), uuid.uuid4(), secrets.token_hex(), os.urandom(3)  # noqa: S311  an app's
        assert uses == []
        return found

    one, same, other = drawn(1), drawn(1), drawn(2)

    assert one == same
    assert all(a != b for a, b in zip(one, other, strict=True))


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Callable[[str, str], ModuleType]]:
    """Load a module of some name."""
    loaded: list[str] = []

    def load(name: str, source: str) -> ModuleType:
        file = tmp_path / f"{name}.py"
        file.write_text(dedent(source), encoding="utf-8")
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec
        assert spec.loader
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        loaded.append(name)
        spec.loader.exec_module(module)
        return module

    yield load
    for name in loaded:
        del sys.modules[name]


def test_hangbot_itself_draws_only_what_it_is_given(load: Callable[[str, str], ModuleType]) -> None:
    module = load(
        "hangbot.drawing_by_itself",
        """
        import uuid

        def make():
            return uuid.uuid4()
        """,
    )

    with no_machine() as uses, pytest.raises(AssertionError, match=r"by hangbot\.drawing_by_itself, line 5"):
        module.make()

    assert len(uses) == 1


def test_an_app_whose_dates_are_refused_reckons_with_others_as_ever(
    load: Callable[[str, str], ModuleType],
) -> None:
    module = load(
        "my_bot",
        """
        from datetime import UTC, date, datetime as dt, timedelta

        KNOWN = dt(2024, 5, 1, tzinfo=UTC)

        def reckon(at):
            then = dt.fromtimestamp(at, UTC)
            assert isinstance(KNOWN, dt) and isinstance(then, dt) and not isinstance(3, dt)
            assert issubclass(dt, date)
            return then + timedelta(days=1) - KNOWN, repr(then), str(KNOWN.date() + timedelta(days=1))

        def now():
            return dt.now(UTC)
        """,
    )
    known = module.reckon(1_800_000_000.0)

    with no_machine() as uses:
        found = module.reckon(1_800_000_000.0)
        with pytest.raises(
            AssertionError, match=r"datetime\.now was used in a simulation by my_bot, line 13"
        ):
            module.now()

    assert found == known
    assert len(uses) == 1
    assert module.now().year > 2024


def test_a_world_whose_app_uses_the_machine_fails_with_that_line() -> None:
    async def answer(_bot: Bot, _message: ChatMessage) -> None:
        time.time()

    with pytest.raises(RuntimeError, match=rf"^time\.time was used in a simulation by {HERE}, line \d+: "):
        play(Plan(1, seconds=20.0, pace=1.0), app=lambda: answer)

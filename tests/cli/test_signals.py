"""What asks a process to stop, at any moment, once and twice."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from hangbot.cli import early_signals
from tests.bounds import WITHIN
from tests.cli.stories import is_a_send, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Bench, Command

STRAY: Final = ("Traceback", "Exception ignored", "never retrieved")


def until_it_catches(command: Command, number: int) -> None:
    """Wait until a process has a handler of its own for a signal."""
    status, end = Path(f"/proc/{command.process.pid}/status"), time.monotonic() + WITHIN
    while time.monotonic() < end:
        caught = re.search(r"SigCgt:\s*(\w+)", status.read_text())
        if caught and int(caught[1], 16) & 1 << (number - 1):
            return
        time.sleep(0.001)
    pytest.fail(f"it never caught signal {number}")


def twice(command: Command, number: int) -> None:
    """Signal a process as `timeout`, npm and shells do, who signal its group, too."""
    command.send(number)
    time.sleep(0.05)
    command.send(number)


def assert_no_stray(*commands: Command) -> None:
    for command in commands:
        assert not any(word in command.err for word in STRAY), command.err


@pytest.mark.slow
@pytest.mark.parametrize("again", [signal.SIGTERM, signal.SIGINT])
def test_signals_within_a_second_are_one_and_the_bot_drains(again: int, bench: Bench) -> None:
    bench.fault("chat.send", "delay", ms=500)
    bot = bench.start("run", env={"BOOT_MESSAGE": "on its way"})
    bench.wait_for(is_a_send)

    bot.send(signal.SIGTERM)
    time.sleep(0.05)
    bot.send(again)

    assert bot.wait() == 0, bot.err
    assert "delivered 1 " in bot.out
    assert_no_stray(bot)


@contextmanager
def hangup(handler: signal.Handlers) -> Iterator[None]:
    """Start what is started in the block with or without `nohup`, however these tests were started."""
    before = signal.signal(signal.SIGHUP, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_bot_drains_when_its_terminal_goes_and_under_nohup_goes_on(bench: Bench) -> None:
    with hangup(signal.SIG_IGN):
        kept = bench.start("run", env={"HANGBOT_OUTBOX": "kept.sqlite3"})
    until(kept, lambda: "running: in " in kept.err)
    kept.send(signal.SIGHUP)
    bench.hear("still here?")
    until(kept, lambda: "still here?" in kept.err)
    kept.send(signal.SIGTERM)
    assert kept.wait() == 0, kept.err

    with hangup(signal.SIG_DFL):
        bot = bench.start("run")
    until(bot, lambda: "running: in " in bot.err)
    bot.send(signal.SIGHUP)

    assert bot.wait() == 0, bot.err
    assert "delivered 0" in bot.out
    assert_no_stray(kept, bot)


@pytest.mark.slow
def test_signals_that_come_while_it_ends_change_nothing(bench: Bench) -> None:
    bot = bench.start("run")
    bench.wait_for(lambda row: "joinRoom" in row.get("frame", ""))
    first = time.monotonic()

    while bot.process.poll() is None and time.monotonic() < first + 0.9:
        bot.send(signal.SIGTERM)
        time.sleep(0.005)

    assert bot.wait() == 0, bot.err
    assert_no_stray(bot)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["run", "sandbox"])
def test_a_stop_at_any_moment_of_the_start_ends_it_with_0(command: str, bench: Bench) -> None:
    ends = {}

    for tenths in range(20):
        process = bench.start(command)
        until_it_catches(process, signal.SIGTERM)
        time.sleep(tenths / 40)
        process.send(signal.SIGTERM)
        ends[tenths] = process.wait()
        assert_no_stray(process)

    assert ends == dict.fromkeys(ends, 0)


@pytest.mark.parametrize("words", [["sandbox"], ["run", "--sandbox"], ["fleet", "dev"]])
def test_a_stop_while_the_event_loop_is_made_ends_it_with_0_and_no_word_of_that(
    words: list[str], tmp_path: Path
) -> None:
    script = f"""
import os, signal, socket, sys
from hangbot.cli import main
make_pair = socket.socketpair  # a loop's last part
def stop(*args):
    os.kill(os.getpid(), signal.SIGTERM)
    return make_pair(*args)
socket.socketpair = stop
sys.exit(main({words}))
"""

    ended = subprocess.run(  # noqa: S603  our own command
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN,
        cwd=tmp_path,
    )

    assert ended.returncode == 0, ended.stderr
    assert not any(word in ended.stderr for word in STRAY), ended.stderr


def test_signals_are_caught_before_anything_else_is_loaded() -> None:
    script = (
        "import sys; before = set(sys.modules); import hangbot.cli; "
        "print(*(name for name in sorted(set(sys.modules) - before) if name.startswith('hangbot')))"
    )

    loaded = subprocess.run(  # noqa: S603  our own command
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=WITHIN
    )

    assert loaded.stdout.split() == ["hangbot", "hangbot.cli", "hangbot.cli.early_signals"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "argv",
    [
        pytest.param(["send", "hello", "--wait", "50"], id="send"),
        pytest.param(["preflight"], id="preflight"),
        pytest.param(["init", "--room", "a-room", "--token-file", "-", "--force"], id="init"),
    ],
)
def test_a_command_that_is_interrupted_ends_with_130_and_one_line(argv: list[str], bench: Bench) -> None:
    bench.fault("chat.*", "hang", times=0)
    command = bench.start(*argv, env={"SOCKET_TIMEOUT_MS": "60000"})
    if argv[0] == "init":
        until_it_catches(command, signal.SIGINT)
        time.sleep(1)
    else:
        bench.wait_for(lambda row: row.get("service") == "chat")

    twice(command, signal.SIGINT)

    assert command.wait() == 130, command.err
    assert command.err.endswith("hangbot: interrupted\n")
    assert_no_stray(command)


@pytest.mark.slow
def test_a_command_that_is_interrupted_while_it_loads_ends_with_130(bench: Bench) -> None:
    command = bench.start("send", "hello")
    until_it_catches(command, signal.SIGTERM)

    twice(command, signal.SIGINT)

    assert command.wait() == 130, command.err
    assert bench.muids == []
    assert_no_stray(command)


def test_a_command_that_is_ended_while_it_loads_is_no_success(bench: Bench) -> None:
    command = bench.start("send", "hello")
    until_it_catches(command, signal.SIGTERM)

    command.send(signal.SIGTERM)

    assert command.wait() == -signal.SIGTERM, command.err
    assert bench.muids == []


def test_an_end_that_cannot_be_raised_where_the_signal_came_is_remembered_and_not_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Swallows:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGTERM)

    shown: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", shown.append)
    monkeypatch.setattr(early_signals, "_hooks", [])  # whatever ran in this process before
    monkeypatch.setattr(early_signals, "_before", {})
    monkeypatch.setattr(early_signals, "_came", [])  # what comes here is not to be there for a later test
    early_signals.catch()
    try:
        early_signals.end_at_once()
        loaded = Swallows()
        del loaded
        came = early_signals.came()
    finally:
        for number in early_signals.heard():
            signal.signal(number, signal.SIG_IGN)
        early_signals._came.clear()
        early_signals.give_back()

    assert came == signal.SIGTERM
    assert shown == []
    assert capsys.readouterr().err == ""

"""A Hang.fm for commands: `main` runs a loop of its own, so the sandbox runs in a thread, with another."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, TypeVar

import pytest

from hangbot.cli import main
from hangbot.config import ENV
from hangbot.sandbox import open_sandbox
from tests.bounds import WITHIN
from tests.cli.stories import Heard, run_while
from tests.fleet.processes import nats_program

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping
    from pathlib import Path

    from hangbot.sandbox import Sandbox
    from hangbot.sandbox.faults import Fault

T = TypeVar("T")

_QUICK: Final = {
    "SOCKET_TIMEOUT_MS": "60000",
    "STAGE_RETRY_BASE_MS": "20",
    "STAGE_RETRY_JITTER_MS": "5",
    "STAGE_RETRY_MAX_MS": "100",
    "HANGBOT_RATE": "0",
    "HANGBOT_DRAIN_MS": "60000",
}


class Bench:
    """A sandbox in a thread, and commands that are configured for it, here and in processes."""

    def __init__(self, sandbox: Sandbox, loop: asyncio.AbstractEventLoop, folder: Path) -> None:
        self.sandbox, self.folder, self.outbox = sandbox, folder, folder / "outbox.sqlite3"
        self.env = sandbox.env() | _QUICK | {"HANGBOT_OUTBOX": str(self.outbox)}
        """What a bot in it is configured with."""
        self.call: Call
        self.start: Start
        self._loop = loop

    def configure(self, **changes: str) -> None:
        """Write the configuration file of the working directory."""
        text = "".join(f"{name}={value}\n" for name, value in (self.env | changes).items())
        path = self.folder / "hang-fm-config.env"
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)

    def do(self, work: Callable[[Sandbox], Coroutine[Any, Any, T]]) -> T:
        """Do something in the sandbox's own loop, and return what it returned."""
        return asyncio.run_coroutine_threadsafe(work(self.sandbox), self._loop).result(2 * WITHIN)

    def fault(self, on: str, do: str, **more: Any) -> Fault:  # noqa: ANN401  what the sandbox takes
        """Put a fault into the sandbox."""
        return self.sandbox.faults.add(on, do, **more)

    def hear(self, text: str) -> None:
        """Let a user come and say something."""
        alice = self.sandbox.users.add("alice")
        self.do(lambda _: alice.join())
        self.do(lambda _: alice.say(text))

    def wait_for(
        self, predicate: Callable[[dict[str, Any]], bool], *, since: int = 0, within: float = WITHIN
    ) -> dict[str, Any]:
        """Wait for an event of the journal."""
        return self.do(lambda sandbox: sandbox.journal.wait_for(predicate, since=since, within=within))

    @property
    def muids(self) -> list[str]:
        """The ids of the messages that were stored."""
        return [row["muid"] for row in self.sandbox.messages if row.get("muid")]

    @property
    def texts(self) -> list[str]:
        """The texts of these messages."""
        return [row["data"]["text"] for row in self.sandbox.messages if row.get("muid")]


@pytest.fixture(scope="session")
def nats_server() -> str:
    """The program of a NATS server."""
    return nats_program()


@pytest.fixture
def sandbox_in_thread(folder: Path) -> Iterator[Bench]:
    """A sandbox for the time of a test."""
    opened: Future[tuple[Bench, Callable[[], object]]] = Future()

    async def serve() -> None:
        loop, closing = asyncio.get_running_loop(), asyncio.Event()
        async with open_sandbox() as sandbox:
            opened.set_result((Bench(sandbox, loop, folder), lambda: loop.call_soon_threadsafe(closing.set)))
            await closing.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="sandbox")
    thread.start()
    found, close = opened.result(WITHIN)
    yield found
    close()
    thread.join(WITHIN)


@pytest.fixture
def bare(sandbox_in_thread: Bench, call: Call, start: Start) -> Bench:
    """A bench without a configuration file."""
    sandbox_in_thread.call, sandbox_in_thread.start = call, start
    return sandbox_in_thread


@pytest.fixture
def bench(bare: Bench) -> Bench:
    """A bench with a configuration file for a bot in its sandbox."""
    bare.configure()
    return bare


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory of its own, and none of the shell's configuration."""
    for env in ENV.values():
        monkeypatch.delenv(env.name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def logs(logs_as_before: None) -> None:
    """Leave no command's handlers behind."""


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    """Undo what a command did to signals: one that was stopped answers none, since its process ends."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


_FOLDED: Final = re.compile(r"… (\d+) more times in ")


class Ended(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    def logged(self, text: str) -> int:
        """Return how many lines of the log said so, those that were folded into one included."""
        lines = (line for line in self.err.splitlines() if text in line)
        return sum(int(folded[1]) if (folded := _FOLDED.search(line)) else 1 for line in lines)

    def line(self, code: int) -> str:
        """Its only line, on standard error, where it ended with this code and printed nothing else."""
        assert (self.code, self.out, self.err.count("\n")) == (code, "", 1), self
        return self.err


class Call:
    """Runs commands in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *argv: str) -> Ended:
        """Run a command to its end."""
        self._capsys.readouterr()
        code = main(list(argv))
        return Ended(code, *self._capsys.readouterr())

    def beside(self, story: Callable[[], object], *argv: str, stop: bool = True) -> Ended:
        """Run a command, play a story beside it, and then end the command with SIGTERM."""
        self._capsys.readouterr()
        code = run_while(story, *argv, stop=stop)
        return Ended(code, *self._capsys.readouterr())

    def until(self, text: str, *argv: str) -> Ended:
        """Run a command until it has logged a text, and end it with SIGTERM."""
        with Heard(text) as heard:
            return self.beside(heard.wait, *argv)

    def printed(self, *argv: str, code: int = 0) -> str:
        """Run a command for what it prints."""
        ended = self(*argv)
        assert ended.code == code, ended.err
        return ended.out

    def json(self, *argv: str, code: int = 0) -> Any:  # noqa: ANN401  any JSON value
        """Run a command for its JSON."""
        return json.loads(self.printed(*argv, "--json", code=code))

    def listed(self, *states: str) -> list[dict[str, Any]]:
        """The outbox, as its own command shows it."""
        rows: list[dict[str, Any]] = self.json("outbox", "list", *states)
        return rows

    def states(self) -> list[str]:
        """The states of all messages in it."""
        return [row["state"] for row in self.listed()]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Run a command in this process: `call("send", "hello").code`."""
    return Call(capsys)


class Command:
    """A `hangbot` of its own process, with its two outputs in files."""

    def __init__(self, *argv: str, folder: Path, env: Mapping[str, str] | None = None) -> None:
        number = len(list(folder.glob("*.out")))
        self._out, self._err = folder / f"{number}.out", folder / f"{number}.err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(  # noqa: S603  our own command
                [sys.executable, "-m", "hangbot", *argv],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=err,
                cwd=folder,
                env=os.environ | dict(env or {}),
            )

    @property
    def out(self) -> str:
        """What it has printed so far."""
        return self._out.read_text(encoding="utf-8")

    @property
    def err(self) -> str:
        """What it has logged so far."""
        return self._err.read_text(encoding="utf-8")

    def send(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait(self, within: float = WITHIN) -> int:
        """Wait for its end and return the exit code."""
        return self.process.wait(within)

    def close(self) -> None:
        """End it, however it is."""
        self.process.kill()
        self.process.wait(WITHIN)
        if self.process.stdin:
            with suppress(OSError):
                self.process.stdin.close()


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., Command]]:
    """Start commands in processes; all are ended after the test."""
    commands: list[Command] = []

    def start_one(*argv: str, env: Mapping[str, str] | None = None) -> Command:
        commands.append(Command(*argv, folder=folder, env=env))
        return commands[-1]

    yield start_one
    for command in commands:
        command.close()


Start: TypeAlias = "Callable[..., Command]"

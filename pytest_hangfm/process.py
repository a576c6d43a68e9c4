"""Any bot as a process: started with the sandbox's addresses, listened to, and ended on every path."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import pytest

from hangbot.config import ENV
from hangbot.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import FrameType

    from hangbot.sandbox import Sandbox

__all__ = ["BotProcess", "environment", "spawn", "start"]

_SHOWN: Final = 15
_LONGEST_LINE: Final = 2**20
_ENDING: Final = 3.0
"""Seconds from SIGTERM to SIGKILL."""
_SETTLING: Final = 0.5
"""Seconds for a pipe to end after its process has."""
_ASK_TO_END: Final = (signal.SIGINT, signal.SIGTERM)
_PROXIES: Final = frozenset({"http_proxy", "https_proxy", "all_proxy", "no_proxy"})


def environment(sandbox: Sandbox, more: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a bot in the sandbox.

    What the shell has of the bot's own names and of proxies is left out: neither the real
    token nor a detour has a place in it.

    Args:
        sandbox: Where the bot is to live.
        more: What the test adds; it wins.
        environ: The shell's.
    """
    own = {env.name for env in ENV.values()}
    kept = {
        name: value for name, value in environ.items() if name not in own and name.lower() not in _PROXIES
    }
    return kept | {"NO_PROXY": "127.0.0.1,localhost"} | sandbox.env() | dict(more)


class BotProcess:
    """A running program.

    Attributes:
        argv: How it was called.
        uid: Whose token it was given: the bot's, unless the test gave it another person's.
        lines: What it has printed so far, standard output and error together.
    """

    def __init__(
        self,
        argv: Sequence[str],
        transport: asyncio.SubprocessTransport,
        output: _Output,
        sandbox: Sandbox,
        uid: str,
    ) -> None:
        self.argv = tuple(argv)
        self.uid = uid
        self.lines = output.lines
        self._transport = transport
        self._output = output
        self._sandbox = sandbox

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._transport.get_pid()

    @property
    def returncode(self) -> int | None:
        """Its exit code, or ``None`` while it runs."""
        return self._transport.get_returncode()

    async def expect(self, text: str, *, within: float = 5.0) -> str:
        """Return the first line that holds this text, waiting for it; fail the test without one."""
        __tracebackhide__ = True
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while not self._output.is_over.is_set() and not any(text in line for line in self.lines):
                    self._output.news.clear()
                    await self._output.news.wait()
        found = next((line for line in self.lines if text in line), None)
        if found is None:
            pytest.fail(self._story(f"did not print {text!r} within {within:g} s"))
        return found

    async def joined(self, *, within: float = 10.0) -> None:
        """Wait until its user is in the room; fail the test when the program ends or stays out."""
        __tracebackhide__ = True
        sandbox, uid = self._sandbox, self.uid
        arriving = asyncio.create_task(
            sandbox.journal.wait_for(lambda _: uid in sandbox.room, within=within),
            name="hangfm-process-joins",
        )
        ending = asyncio.create_task(self._output.is_over.wait(), name="hangfm-process-falls-silent")
        try:
            await asyncio.wait({arriving, ending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (arriving, ending):
                task.cancel()
            await asyncio.gather(arriving, ending, return_exceptions=True)
        if uid not in sandbox.room:
            if self._output.is_over.is_set():  # its output has ended, so it is about to
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.ended(), _SETTLING)
            pytest.fail(self._story(f"did not join the room within {within:g} s"))

    async def wait(self, *, within: float = 5.0) -> int:
        """Wait for its end and its last words, and return the exit code; fail the test when it runs on."""
        __tracebackhide__ = True
        try:
            async with asyncio.timeout(within):
                code = await self.ended()
        except TimeoutError:
            pytest.fail(self._story(f"still runs after {within:g} s"))
        await self._settle()
        return code

    async def ended(self) -> int:
        """Wait for its end, without a bound of its own, and return the exit code."""
        while (code := self.returncode) is None:
            await self._output.has_exited.wait()
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal; where it has ended, nothing happens."""
        with suppress(ProcessLookupError):
            self._transport.send_signal(number)

    async def stop(self, *, within: float = _ENDING) -> int:
        """End it: SIGTERM, then SIGKILL to it and its children; return the exit code."""
        try:
            if self.returncode is None:
                self.send_signal(signal.SIGTERM)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.ended(), within)
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            code = await self.ended()
            await self._settle()
        finally:
            self._transport.close()  # which kills it where the wait for its end was cut off
        return code

    async def _settle(self) -> None:
        """Take what is still in the pipe; a grandchild that holds it is not waited for."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._output.is_over.wait(), _SETTLING)

    def _story(self, what: str) -> str:
        ended = "" if self.returncode is None else f": it ended with exit code {self.returncode}"
        shown = (
            "\n".join(f"  | {printable(line)}" for line in self.lines[-_SHOWN:]) or "  (it printed nothing)"
        )
        return f"{' '.join(self.argv)} {what}{ended}\n{shown}"


class _Output(asyncio.SubprocessProtocol):
    """Splits what a program prints into lines.

    Attributes:
        lines: Those that have ended, and the last one once the output is over.
        news: Set when there is a line more, or the output is over.
        is_over: Set when nothing more comes: the pipe has ended, or a line was too long.
        has_exited: Set when the program has ended.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.news, self.is_over, self.has_exited = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._begun = b""

    def pipe_data_received(self, fd: int, data: bytes) -> None:  # noqa: ARG002  both outputs come as one
        """Take what the program printed."""
        if self.is_over.is_set():
            return
        *whole, self._begun = (self._begun + data).split(b"\n")
        self._add(whole)
        if len(self._begun) > _LONGEST_LINE:
            self.lines.append(f"(a line of more than {_LONGEST_LINE} bytes: its output is read no further)")
            self._end()

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002  see above
        """Take the end of the output, with a last line that may have no end of its own."""
        if not self.is_over.is_set():
            self._add([self._begun] if self._begun else [])
            self._end()

    def process_exited(self) -> None:
        """Take the end of the program."""
        self.has_exited.set()

    def _add(self, lines: Iterable[bytes]) -> None:
        self.lines += (line.decode("utf-8", "replace") for line in lines)
        self.news.set()

    def _end(self) -> None:
        self._begun = b""
        self.is_over.set()
        self.news.set()


async def start(
    argv: Sequence[str], sandbox: Sandbox, *, env: Mapping[str, str], cwd: Path | None
) -> BotProcess:
    """Start a program; fail the test in one line when it cannot be started."""
    __tracebackhide__ = True
    try:
        return await spawn(argv, sandbox, env=env, cwd=cwd)
    except OSError as exc:
        pytest.fail(f"{argv[0]} cannot be started: {exc.strerror}", pytrace=False)


async def spawn(
    argv: Sequence[str], sandbox: Sandbox, *, env: Mapping[str, str], cwd: Path | None
) -> BotProcess:
    """Start a program.

    Raises:
        OSError: It cannot be started.
    """
    given = environment(sandbox, env, os.environ)
    person = sandbox.people.by_token(given.get("BOT_USER_TOKEN"))
    with _nothing_ignored():
        transport, output = await asyncio.get_running_loop().subprocess_exec(
            _Output,
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=given,
            cwd=cwd,
            start_new_session=True,
        )
    return BotProcess(argv, transport, output, sandbox, (person or sandbox.bot).uid)


@contextmanager
def _nothing_ignored() -> Iterator[None]:
    """Let a program begin with signals that end it, also where a shell started this one in the background.

    What is ignored here is ignored there, too, and cannot be trapped by a shell; a handler is not passed on.
    """
    is_main = threading.current_thread() is threading.main_thread()
    ignored = [n for n in _ASK_TO_END if is_main and signal.getsignal(n) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, _do_nothing)
    try:
        yield
    finally:
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)


def _do_nothing(_number: int, _frame: FrameType | None) -> None:
    """Ignore a signal."""

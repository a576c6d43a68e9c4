"""Any bot as a process: started with the sandbox's addresses, listened to, and ended on every path."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import pytest

from hangbot.config import ENV
from hangbot.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from hangbot.sandbox import Sandbox

__all__ = ["BotProcess", "environment", "start"]

_SHOWN: Final = 15
_LONGEST_LINE: Final = 2**20
_ENDING: Final = 3.0
"""Seconds from SIGTERM to SIGKILL."""
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
        self, argv: Sequence[str], process: asyncio.subprocess.Process, sandbox: Sandbox, uid: str
    ) -> None:
        self.argv = tuple(argv)
        self.uid = uid
        self.lines: list[str] = []
        self._process = process
        self._sandbox = sandbox
        self._news = asyncio.Event()
        self._reading = asyncio.create_task(self._read(), name=f"hangfm-process-{process.pid}")

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit code, or ``None`` while it runs."""
        return self._process.returncode

    async def expect(self, text: str, *, within: float = 5.0) -> str:
        """Return the first line that holds this text, waiting for it; fail the test without one."""
        __tracebackhide__ = True
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while not self._reading.done() and not any(text in line for line in self.lines):
                    self._news.clear()
                    await self._news.wait()
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
        try:
            await asyncio.wait({arriving, self._reading}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            arriving.cancel()
            await asyncio.gather(arriving, return_exceptions=True)
        if uid not in sandbox.room:
            if self._reading.done():  # its output has ended, so it is about to
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._process.wait(), _SETTLING)
            pytest.fail(self._story(f"did not join the room within {within:g} s"))

    async def wait(self, *, within: float = 5.0) -> int:
        """Wait for its end and return the exit code; fail the test when it runs on."""
        __tracebackhide__ = True
        try:
            async with asyncio.timeout(within):
                return await self._process.wait()
        except TimeoutError:
            pytest.fail(self._story(f"still runs after {within:g} s"))

    def send_signal(self, number: int) -> None:
        """Send it a signal; where it has ended, nothing happens."""
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def stop(self, *, within: float = _ENDING) -> int:
        """End it: SIGTERM, then SIGKILL to it and its children; return the exit code."""
        ending = asyncio.create_task(self._process.wait(), name=f"hangfm-process-{self.pid}-ends")
        if self.returncode is None:
            self.send_signal(signal.SIGTERM)
            await asyncio.wait({ending}, timeout=within)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        code = await ending
        _, late = await asyncio.wait({self._reading}, timeout=_SETTLING)
        if late:  # a grandchild that left the group holds the pipe
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        self._process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001  no public way to let go of a held pipe
        return code

    async def _read(self) -> None:
        stream = self._process.stdout
        if stream is None:
            return
        try:
            while raw := await stream.readline():
                self.lines.append(raw.decode("utf-8", "replace").rstrip("\n"))
                self._news.set()
        except ValueError:  # a line beyond the limit
            self.lines.append(f"(a line of more than {_LONGEST_LINE} bytes: its output is read no further)")
        finally:
            self._news.set()

    def _story(self, what: str) -> str:
        ended = "" if self.returncode is None else f": it ended with exit code {self.returncode}"
        shown = (
            "\n".join(f"  | {printable(line)}" for line in self.lines[-_SHOWN:]) or "  (it printed nothing)"
        )
        return f"{' '.join(self.argv)} {what}{ended}\n{shown}"


_SETTLING: Final = 0.5
"""Seconds for a pipe to end after its process has."""


async def start(
    argv: Sequence[str], sandbox: Sandbox, *, env: Mapping[str, str], cwd: Path | None
) -> BotProcess:
    """Start a program; fail the test in one line when it cannot be started."""
    __tracebackhide__ = True
    given = environment(sandbox, env, os.environ)
    person = sandbox.people.by_token(given.get("BOT_USER_TOKEN"))
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=given,
            cwd=cwd,
            limit=_LONGEST_LINE,
            start_new_session=True,
        )
    except OSError as exc:
        pytest.fail(f"{argv[0]} cannot be started: {exc.strerror}", pytrace=False)
    return BotProcess(argv, process, sandbox, (person or sandbox.bot).uid)

"""The bot that is proven, as a program: started unmodified, and nothing of it is left running."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hangbot.sandbox import open_sandbox
from pytest_hangfm.process import BotProcess, spawn
from pytest_hangfm.proof.container import Container
from pytest_hangfm.proof.evidence import Run
from pytest_hangfm.proof.folders import can_be_copied, copy_folder
from pytest_hangfm.proof.refusals import CannotStart

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from hangbot.redact import Redactor
    from hangbot.sandbox import Sandbox
    from pytest_hangfm.proof.container import Image
    from pytest_hangfm.proof.haste import Haste
    from pytest_hangfm.proof.own_names import OwnNames

__all__ = ["BotProgram", "CannotStart", "Home", "run_of", "running", "secrets_of", "sweep"]

_RUN_ID: Final = "HANGBOT_PROOF_RUN"
_SHOWN_LINES: Final = 2_000


@dataclass(frozen=True, slots=True)
class BotProgram:
    """What is proven.

    Attributes:
        argv: How it is called.
        folder: Where.
        env: What it is given besides the sandbox's addresses.
        copied: Whether each run has a copy of the folder; otherwise all of them share it.
        names: How Hang.fm's own names lead to the sandbox; ``None``: the bot takes addresses from `env`.
        image: What is started in the place of a program, with `argv` as its command; or ``None``.
        haste: How much faster its clock goes in scenarios that only wait; ``None``: as fast as any.
    """

    argv: tuple[str, ...]
    folder: Path
    env: Mapping[str, str]
    copied: bool
    names: OwnNames | None = None
    image: Image | None = None
    haste: Haste | None = None

    @property
    def side_by_side(self) -> bool:
        """Whether several of it may live at once: they share no files and no names."""
        return (self.copied or self.image is not None) and (self.names is None or self.names.side_by_side)

    def open_sandbox(self, **more: Any) -> AbstractAsyncContextManager[Sandbox]:  # noqa: ANN401  its own options
        """Open a sandbox in which it can live."""
        return open_sandbox(control=False, **more) if self.names is None else self.names.open_sandbox(**more)

    @classmethod
    def of(cls, argv: Sequence[str], folder: Path, env: Mapping[str, str]) -> BotProgram:
        """Look at a command before anything is started.

        Raises:
            CannotStart: There is no such program.
        """
        program = argv[0]
        found = shutil.which(program, path=os.environ.get("PATH", os.defpath))
        if found is None and os.sep in program and os.access(folder / program, os.X_OK):
            found = program
        if found is None:
            there = (folder / program).exists()
            what = "cannot be executed" if there else "is not installed, or not on PATH"
            raise CannotStart(f"{program} {what}: install it, or give its path after `--`")
        absolute = (str(folder / word) if _leads_out(word, folder) else word for word in argv)
        return cls(tuple(absolute), folder, env, can_be_copied(folder))


def _leads_out(word: str, folder: Path) -> bool:
    """Whether a word of a command is a path that leads out of the folder, of which the bot gets a copy."""
    return word.startswith(f"..{os.sep}") and (folder / word).exists()


class Home:
    """The folder of one bot over all its lives in one scenario.

    Attributes:
        run_id: Marks its processes in the system's table, those too that left its group.
    """

    def __init__(self, program: BotProgram, run_id: str) -> None:
        self._program = program
        self.run_id = run_id
        self._made = Path(tempfile.mkdtemp(prefix="hangbot-prove-"))
        self.folder = program.folder
        self._container: Container | None = None
        if program.image is not None:
            self._container = Container(program.image, program.argv, f"hangbot-prove-{run_id}")
        elif program.copied:
            self.folder = self._made / "bot"
            copy_folder(program.folder, self.folder)

    async def start(self, sandbox: Sandbox, more: Mapping[str, str]) -> BotProcess:
        """Start the bot.

        Raises:
            CannotStart: The system refuses to.
        """
        env = sandbox.env_of_others() | dict(self._program.env) | dict(more) | {_RUN_ID: self.run_id}
        argv, names = self._program.argv, self._program.names
        try:
            if self._container is not None:
                argv, env = self._contained(self._container, sandbox, env)
            elif names is not None:
                argv, led = names.lead(argv, sandbox, self._made)
                env |= led
            return await spawn(argv, sandbox, env=env, cwd=self.folder)
        except OSError as exc:
            raise CannotStart(f"{argv[0]} cannot be started: {exc.strerror}") from None

    def _contained(
        self, container: Container, sandbox: Sandbox, env: dict[str, str]
    ) -> tuple[tuple[str, ...], dict[str, str]]:
        """Return the command of the container's next life, and the environment in which it is called."""
        env = sandbox.env() | env
        if (names := self._program.names) is None:
            return container.command(env), env
        env |= names.environment(container.authority)
        hosts = [f"{name}:{sandbox.host}" for name in names.names(sandbox)]
        return container.command(env, hosts, names.write_authority(self._made)), env

    @property
    def is_container(self) -> bool:
        """Whether its processes are docker's, and not its own."""
        return self._container is not None

    async def kill(self, bot: BotProcess) -> None:
        """Kill the bot, not only what started it."""
        if self._container is not None:
            await self._container.kill()
        else:
            bot.send_signal(signal.SIGKILL)

    async def close(self) -> None:
        """End what is left of its processes, and remove the copy."""
        try:
            if self._container is not None:
                await self._container.remove()
        finally:
            await asyncio.to_thread(self._sweep)

    def _sweep(self) -> None:
        sweep(self.run_id)
        shutil.rmtree(self._made, ignore_errors=True)


def running(run_id: str) -> list[int]:
    """Return the ids of the processes that have this id in their environment, where the system shows it."""
    wanted, found = f"{_RUN_ID}={run_id}".encode(), []
    for entry in Path("/proc").glob("[0-9]*") if sys.platform == "linux" else ():
        with contextlib.suppress(OSError):
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return found


def sweep(run_id: str) -> None:
    """Kill every process that was started with this id in its environment."""
    for pid in running(run_id):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def secrets_of(sandbox: Sandbox) -> tuple[str, ...]:
    """Return the tokens that the bot's output must not hold, those of earlier exchanges too."""
    bot = sandbox.bot
    return tuple(token for token in (bot.token, bot.chat_token) if token)


def run_of(process: BotProcess, began_ms: int, secrets: Sequence[str], masked: Redactor) -> Run:
    """Take down what one life of the bot came to."""
    lines = process.lines[:_SHOWN_LINES]
    leaks = [line for line in process.lines if any(secret in line for secret in secrets)]
    return Run(
        began_ms,
        process.returncode,
        tuple(masked.text(line) for line in lines),
        tuple(masked.text(line) for line in leaks[:3]),
    )

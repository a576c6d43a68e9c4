"""The bot that is proven, as a program: started unmodified, and nothing of it is left running."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_hangfm.process import BotProcess, spawn
from pytest_hangfm.proof.evidence import Run
from pytest_hangfm.proof.folders import can_be_copied, copy_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hangbot.redact import Redactor
    from hangbot.sandbox import Sandbox

__all__ = ["BotProgram", "CannotStart", "Home", "run_of", "running", "secrets_of", "sweep"]

_RUN_ID: Final = "HANGBOT_PROOF_RUN"
_SHOWN_LINES: Final = 2_000


class CannotStart(Exception):
    """The program cannot be started at all; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class BotProgram:
    """What is proven.

    Attributes:
        argv: How it is called.
        folder: Where.
        env: What it is given besides the sandbox's addresses.
        copied: Whether each run has a copy of the folder; otherwise all of them share it.
    """

    argv: tuple[str, ...]
    folder: Path
    env: Mapping[str, str]
    copied: bool

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
        if program.copied:
            self.folder = self._made / "bot"
            copy_folder(program.folder, self.folder)

    async def start(self, sandbox: Sandbox, more: Mapping[str, str]) -> BotProcess:
        """Start the bot.

        Raises:
            CannotStart: The system refuses to.
        """
        env = sandbox.env_of_others() | dict(self._program.env) | dict(more) | {_RUN_ID: self.run_id}
        try:
            return await spawn(self._program.argv, sandbox, env=env, cwd=self.folder)
        except OSError as exc:
            raise CannotStart(f"{self._program.argv[0]} cannot be started: {exc.strerror}") from None

    def close(self) -> None:
        """End what is left of its processes, and remove the copy."""
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

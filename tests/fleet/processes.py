"""What processes of a machine do, and the program of a server, for tests."""

from pathlib import Path

import pytest

from hangbot.errors import HangbotError
from hangbot.fleet.servers import find_binary

__all__ = ["nats_program", "runs"]


def nats_program() -> str:
    """Return the server's program; without one the test is skipped."""
    try:
        return find_binary()
    except HangbotError as exc:
        pytest.skip(f"{exc}. {exc.remedy}")


def runs(pid: int) -> bool:
    """Whether a process is there, and not only its end to be asked for."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2][0]
    except FileNotFoundError:
        return False
    return state != "Z"

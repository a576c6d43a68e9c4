"""A journal that is switched off and on while its bot runs: nothing else of the bot changes then.

Where something is said, calls that do nothing are left of it while it is off; frames come as without one.
"""

from collections.abc import Coroutine
from typing import Any

from hangbot.hangfm.kept_connection import KeptConnection
from hangbot.journal import Journal

__all__ = ["SwitchedConnection", "switch"]


class _Off(Journal):
    """A journal that is switched off."""

    def add(self, kind: str, *values: Any) -> None:  # noqa: ANN401  any value of an entry
        """Keep nothing."""

    def keep(self, kind: str, values: tuple[Any, ...], size: int) -> None:
        """Keep nothing."""

    def said(self, key: str, to: str, text: str, *, direct: bool, refused: str = "") -> None:
        """Keep nothing."""


def switch(journal: Journal, *, on: bool) -> None:
    """Switch a journal on or off; while it is on it does what any other does."""
    journal.__class__ = Journal if on else _Off


class SwitchedConnection(KeptConnection):
    """A connection that is read as a bot without a journal reads it while the journal is off."""

    def recv(self) -> Coroutine[Any, Any, str | bytes]:
        """Return the next frame, awaited."""
        return self._connection.recv() if type(self._journal) is _Off else super().recv()

    def send(self, message: str) -> Coroutine[Any, Any, None]:
        """Send a text frame, awaited."""
        return self._connection.send(message) if type(self._journal) is _Off else super().send(message)

"""The configuration file of a run: read once for all of it, since of a pipe a second reader gets nothing."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Configuration", "HandOver"]

_LARGEST: Final = 65_536
"""Bytes, as `hangbot.config` has it, which is slow to import; a test compares them."""
_HANDED_OVER: Final = "hangfm_configuration"


class Configuration:
    """A configuration file, and what came out of it.

    Args:
        path: The file, or a pipe.
        config: The run's; a worker of xdist takes from it what the controller has read, for it can open no
            pipe of another process.
    """

    def __init__(self, path: Path, config: pytest.Config | None = None) -> None:
        self.path = path
        self._content: bytes | None = None
        self._error: OSError | None = None
        handed_over = getattr(config, "workerinput", {}).get(_HANDED_OVER)
        if handed_over is not None:
            self._content, code, words = handed_over
            self._error = None if code is None else OSError(code, words)

    def __repr__(self) -> str:
        return f"<Configuration {self.path.name}>"

    @property
    def is_there(self) -> bool:
        """Whether there is such a file, or a pipe."""
        return self._content is not None or (self.path.exists() and not self.path.is_dir())

    def text(self) -> str:
        """Return what it says, as far as that is text; nothing where it cannot be read."""
        try:
            return self.read().decode("utf-8", "replace")
        except OSError:
            return ""

    def handed_over(self) -> list[bytes | int | str | None]:
        """Return what a worker of xdist needs to know of it."""
        self.text()
        error = self._error
        return [self._content, None, None] if error is None else [None, error.errno, error.strerror]

    def read(self, _path: Path | None = None) -> bytes:
        """Return what came out of it, as often as it is asked for: in the place of `read_given`.

        Raises:
            OSError: It cannot be read.
        """
        if self._content is None and self._error is None:
            try:
                self.path.stat()  # most runs have none, and are spared the import
                from hangbot.given_file import read_given  # noqa: PLC0415  slow to import

                self._content = read_given(self.path, most=_LARGEST)
            except OSError as exc:
                self._error = OSError(exc.errno, exc.strerror)
            except ValueError:
                self._error = OSError(errno.EINVAL, "not a path")
        if self._error is not None:
            # A new one each time: one that was raised before holds the frames of then.
            raise OSError(self._error.errno, self._error.strerror)
        return self._content or b""


class HandOver:
    """Gives the workers of xdist what the controller has read.

    Args:
        configuration: The run's.
    """

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:  # noqa: ANN401  xdist's
        """Put it among the words that a worker begins with."""
        node.workerinput[_HANDED_OVER] = self._configuration.handed_over()

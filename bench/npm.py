"""Programs in Node beside the bot's: npm's packages are installed once and kept, and each has a process."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final, cast

__all__ = ["Ask", "NoNpm", "node"]

Ask = Callable[..., Any]
"""Sends a request, given by keyword, and returns the answer: a line of JSON each."""

_PACKAGES: Final = ("fast-json-patch@3.1.1", "ttfm-socket@1.0.0", "eventemitter3@5.0.4", "ws@8.23.0")
"""``ttfm-socket`` needs the last two, and does not say so."""
_INSTALL_S: Final = 120.0
_FAREWELL_S: Final = 10.0


class NoNpm(Exception):
    """There is no npm package to measure against, and why."""


@contextmanager
def node(program: Path, folder: Path) -> Iterator[Ask]:
    """Run a program in Node while the block runs.

    Args:
        program: It answers a line of JSON with a line of JSON, and leaves when its input ends.
        folder: Where npm installs its packages.

    Raises:
        NoNpm: Node or the packages cannot be had.
    """
    executable = _installed(folder)
    process = subprocess.Popen(  # noqa: S603  our own program
        [executable, str(program)], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    sink, source = cast("IO[str]", process.stdin), cast("IO[str]", process.stdout)

    def ask(**request: object) -> Any:  # noqa: ANN401  any JSON value
        sink.write(json.dumps(request) + "\n")
        sink.flush()
        return json.loads(source.readline())

    with process:
        try:
            yield ask
        finally:
            sink.close()
            try:
                process.wait(_FAREWELL_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _installed(folder: Path) -> str:
    """Install what is not there yet, and return where Node is."""
    executable, npm = shutil.which("node"), shutil.which("npm")
    if executable is None or npm is None:
        raise NoNpm("`node` and `npm` are not both on the PATH")
    done, wanted = folder / "installed.txt", " ".join(_PACKAGES)
    if done.exists() and done.read_text(encoding="utf-8") == wanted:
        return executable
    folder.mkdir(parents=True, exist_ok=True)
    options = ("--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts")
    try:
        subprocess.run(  # noqa: S603  the developer's own npm
            [npm, "install", *options, *_PACKAGES],
            cwd=folder,
            check=True,
            capture_output=True,
            timeout=_INSTALL_S,
        )
    except (subprocess.SubprocessError, OSError) as exc:
        raise NoNpm(f"`npm install {wanted}` failed ({type(exc).__name__})") from exc
    done.write_text(wanted, encoding="utf-8")
    return executable

"""How to call this installation of hangbot from the operator's shell."""

import os
import shlex
import shutil
import sys
from pathlib import Path

__all__ = ["hangbot_command", "python_command"]


def hangbot_command() -> str:
    """Return what to type for ``hangbot``: the name where the shell finds this one, otherwise its path."""
    script = Path(sys.executable).with_name("hangbot")
    found = shutil.which("hangbot")
    if found and Path(found).resolve() == script.resolve():
        return "hangbot"
    return _shown(script) if os.access(script, os.X_OK) else f"{python_command()} -m hangbot"


def python_command(*, elsewhere: bool = False) -> str:
    """Return what to type for the interpreter with hangbot, which need not be the first in ``PATH``.

    Args:
        elsewhere: Whether the operator will be in another folder.
    """
    path = Path(sys.executable or "python3")
    return shlex.quote(str(path)) if elsewhere else _shown(path)


def _shown(path: Path) -> str:
    """Return the shortest spelling of a path from here, quoted for a shell."""
    try:
        relative = path.relative_to(Path.cwd())
    except (OSError, ValueError):  # elsewhere, or the working directory is gone
        return shlex.quote(str(path))
    return shlex.quote(str(relative))

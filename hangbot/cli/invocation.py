"""How this very command is called from the shell that the operator sits at."""

import os
import shlex
import shutil
import sys
from pathlib import Path

__all__ = ["hangbot", "python"]


def hangbot() -> str:
    """Return what to type for ``hangbot``: its name where the shell finds this one, else its path."""
    script = Path(sys.executable).with_name("hangbot")
    found = shutil.which("hangbot")
    if found and Path(found).resolve() == script.resolve():
        return "hangbot"
    return _shown(script) if os.access(script, os.X_OK) else f"{python()} -m hangbot"


def python(*, elsewhere: bool = False) -> str:
    """Return what to type for the interpreter that has hangbot: it need not be the one that the shell finds.

    Args:
        elsewhere: Whether it is to be typed in another folder.
    """
    path = Path(sys.executable or "python3")
    return shlex.quote(str(path)) if elsewhere else _shown(path)


def _shown(path: Path) -> str:
    """Return a path as it is shortest from here, quoted for a shell."""
    try:
        relative = path.relative_to(Path.cwd())
    except (OSError, ValueError):  # elsewhere, or the working directory is gone
        return shlex.quote(str(path))
    return shlex.quote(str(relative))

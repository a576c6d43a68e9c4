"""Errors of the machine rather than of hangbot, explained to an operator.

An error that reaches the end of the program has no better explanation than the system's own. Code that
knows more (which setting, which file, what it was for) says so where the error happens.
"""

import errno
import os
from typing import Final

from hangbot.errors import HangbotError

__all__ = ["Environment", "explained", "first_of", "remedy_for"]

_OWN: Final = frozenset({"hangbot", "pytest_hangfm"})
_BUILT_IN: Final = {
    "_sqlite3": "SQLite",
    "sqlite3": "SQLite",
    "_ssl": "TLS (OpenSSL)",
    "ssl": "TLS (OpenSSL)",
    "zlib": "zlib",
    "_ctypes": "ctypes",
}
"""Modules that a Python may have been built without."""
_AGAIN: Final = "python -m pip install --force-reinstall"
_UNIX_ONLY: Final = frozenset({"fcntl", "termios", "resource", "pwd", "grp"})
_REMEDIES: Final = {
    errno.EMFILE: "Let it open more files: `ulimit -n 1024`, or LimitNOFILE= in the unit.",
    errno.ENFILE: "This machine has no more files to open: see `sysctl fs.file-nr`, and what holds so many.",
    errno.ENOSPC: "Make room on that disk (`df -h`), then run it again.",
    errno.EDQUOT: "Make room: the user's quota of that disk is used up.",
    errno.ENOMEM: "Give the process more memory.",
    errno.EROFS: "Choose a place on a disk that can be written.",
    errno.EACCES: "Let the user that runs hangbot use it (owner and mode; `ls -l` shows them).",
    errno.EPERM: "Let the user that runs hangbot use it (owner and mode; `ls -l` shows them).",
    errno.EIO: "The disk fails: see `dmesg`.",
    errno.ENAMETOOLONG: "Choose a shorter path.",
    errno.ENOENT: "Check that path: there is no such file or folder.",
    errno.ENOTDIR: "Check that path: a file stands where a folder should.",
    errno.EISDIR: "Check that path: a folder stands where a file should.",
    errno.EADDRINUSE: "Choose another port.",
    errno.EADDRNOTAVAIL: "Choose an address of this machine.",
    errno.EAFNOSUPPORT: "Let this machine have the kind of address that is asked for (IPv4, IPv6).",
    errno.EAGAIN: "Let the user have more processes and threads: `ulimit -u`.",
}
_OTHERWISE: Final = "Mend that and run it again; where nothing is wrong with it, report what was done."


class Environment(HangbotError):
    """The machine, or the shell, does not provide what hangbot needs."""

    remedy = _OTHERWISE


def remedy_for(error: OSError) -> str:
    """Return what to do about an error of the system; empty where that depends on what was asked for."""
    return _REMEDIES.get(error.errno or 0, "")


def explained(error: BaseException) -> HangbotError | None:
    """Return the `HangbotError` that an error is or holds, or one that explains it by the machine.

    Returns:
        ``None`` where nothing about the machine explains it.
    """
    match error:
        case HangbotError():
            return error
        case BaseExceptionGroup():
            return _of_group(error)
        case ImportError():
            return _of_import(error)
        case MemoryError():
            return Environment("there is not enough memory", remedy=_REMEDIES[errno.ENOMEM])
        case OSError():
            return _of_system(error)
        case RuntimeError() if "start new thread" in str(error):  # Python gives no other sign
            return Environment(
                "the system gives no more threads",
                remedy="Let it have more memory (`ulimit -v`) and more processes (`ulimit -u`).",
            )
        case UnicodeError():
            return Environment(
                f"a text of the environment cannot be written in its encoding ({error.reason})"
                if isinstance(error, UnicodeEncodeError | UnicodeDecodeError)
                else "a text of the environment cannot be written in its encoding",
                remedy="Set a UTF-8 locale (LC_ALL=C.UTF-8), and PYTHONUTF8=1 where there is none.",
            )
    return None


def _of_group(group: BaseExceptionGroup[BaseException]) -> HangbotError | None:
    """Explain a group by its first error if every error in it can be explained."""
    found = [explained(error) for error in group.exceptions]
    ours = group.subgroup(HangbotError)
    if ours is not None:
        return first_of(ours)
    return found[0] if all(found) else None


def _of_import(error: ImportError) -> HangbotError | None:
    name = (error.name or "").partition(".")[0]
    if name in _OWN and not error.path:
        return None
    if name in _UNIX_ONLY:
        return Environment(
            f"this Python has no module {name}: hangbot runs where it is, on Linux, macOS and other Unix",
            remedy="On Windows run it in WSL, or in a container.",
        )
    if name in _BUILT_IN:
        return Environment(
            f"this Python was built without {_BUILT_IN[name]} (module {name})",
            remedy="Use a complete Python 3.11 or newer, for instance the system's own or python.org's.",
        )
    if isinstance(error, ModuleNotFoundError):
        return Environment(
            f"the library {name or error} is missing where hangbot runs",
            remedy=f"Install it anew in the same environment: `{_AGAIN} hangbot`.",
        )
    return Environment(
        f"the library {name or '?'} cannot be loaded ({error})",
        remedy=f"Install it anew in the same environment: `{_AGAIN} {name or 'hangbot'}`.",
    )


def _of_system(error: OSError) -> HangbotError:
    cause = error.strerror or str(error) or type(error).__name__
    if error.errno == errno.ENOENT and not _has_folder():
        return Environment(
            "the working directory has been removed",
            remedy="Change to a folder that is there (`cd`), and run it again.",
        )
    where = f" ({error.filename})" if isinstance(error.filename, str | os.PathLike) else ""
    return Environment(f"the system refused: {cause}{where}", remedy=remedy_for(error) or _OTHERWISE)


def _has_folder() -> bool:
    try:
        os.getcwd()  # noqa: PTH109  only whether there is one
    except OSError:
        return False
    return True


def first_of(group: BaseExceptionGroup[HangbotError]) -> HangbotError:
    """Return the first error of a group, because an operator reads one line."""
    first = group.exceptions[0]
    return first_of(first) if isinstance(first, BaseExceptionGroup) else first

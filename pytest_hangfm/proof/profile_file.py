"""The file that says what a bot does: where it is, read and written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from hangbot.given_file import read_given
from pytest_hangfm.proof.profile import ProfileError, parse, render

if TYPE_CHECKING:
    from pytest_hangfm.proof.profile import Profile

__all__ = ["PROFILE_FILE", "profile_file", "read_profile", "write_profile"]

PROFILE_FILE: Final = "hangbot-proof.toml"
_LARGEST: Final = 1_048_576
"""Bytes of a file that says what a bot does."""
_MARK: Final = "# What the bot does, as `hangbot prove` learnt it."


def profile_file(named: Path | None) -> Path | None:
    """Return the file that says what the bot does: the one that was named, or the one beside it."""
    if named is not None:
        return named
    beside = Path(PROFILE_FILE)
    return beside if beside.is_file() else None


def read_profile(file: Path) -> Profile:
    """Read a profile.

    Raises:
        ProfileError: It cannot be read, or not used.
    """
    try:
        return parse(read_given(file, most=_LARGEST).decode("utf-8"), file.name)
    except UnicodeError:
        raise ProfileError(f"{file.name} cannot be read: it is no UTF-8") from None
    except OSError as exc:
        raise ProfileError(f"{file.name} cannot be read: {exc.strerror}") from None


def write_profile(path: Path, profile: Profile) -> Path:
    """Write a learnt profile, over an earlier one of this command but over nothing else.

    Raises:
        ProfileError: It cannot be written there.
    """
    try:
        if path.exists() and not read_given(path, most=_LARGEST).startswith(_MARK.encode()):
            raise ProfileError(
                f"{path} was not written by `hangbot prove --learn`: move it away, or name another"
            )
        path.write_text(f"{_MARK} Correct what is wrong.\n{render(profile)}", "utf-8")
    except OSError as exc:
        raise ProfileError(f"{path} cannot be written: {exc.strerror}") from None
    return path

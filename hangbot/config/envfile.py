"""Read a ``NAME=value`` file and report every line that is wrong, instead of skipping it.

The lines are parsed by python-dotenv, so quotes, ``export``, comments and values over
several lines mean what they mean elsewhere. Its usual ``dotenv_values`` is not used: it
keeps the last value of a name given twice, skips a line that it cannot read, and replaces
``${NAME}``. Here the first two are faults, and the third stays as it stands.
"""

import errno
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from io import StringIO
from pathlib import Path
from types import MappingProxyType
from typing import Final

from dotenv.parser import Binding, parse_stream

from hangbot.errors import ConfigError
from hangbot.given_file import PATIENCE, read_given

__all__ = ["Entry", "EnvFile", "location", "may_show", "quoted", "read_env_file"]

LARGEST: Final = 65_536
BOM: Final = "\ufeff"

_NEWLINE: Final = re.compile(r"\r\n|\n|\r")
_SETTING: Final = re.compile(r"\s*(?:export\s+)?[A-Za-z_][A-Za-z0-9_]*\s*=")
_COMMENT: Final = re.compile(_SETTING.pattern + r"[^\S\n]*(?![\"'#\s])[^\n]*?\s#")
"""A value without quotes and a comment behind it."""
_PLAIN: Final = re.compile(r"[A-Za-z0-9_./:@%+=-]*")
_NAME: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of a file; it may be a secret, so ``repr`` leaves it out.

    Attributes:
        value: As the file has it, without quotes; empty where nothing follows the ``=``.
        line: The number of the line it begins on, from 1.
        cut: Whether a comment stood behind it on its line, without quotes that separate the two.
    """

    value: str = field(repr=False)
    line: int
    cut: bool = False


@dataclass(frozen=True, slots=True)
class EnvFile:
    """What a file says, and what is wrong with it.

    Attributes:
        path: Where it was read.
        values: The readable entries by name; of a name given twice, the first that is not empty.
        faults: One line for each malformed line, each name without a value and each name
            given again after a value. A fault names lines, never what stands on them.
    """

    path: Path
    values: Mapping[str, Entry]
    faults: tuple[str, ...]


def read_env_file(
    path: Path, *, patience: float = PATIENCE, read: Callable[[Path], bytes] | None = None
) -> EnvFile:
    """Read and parse a configuration file.

    Args:
        path: The file, or a pipe.
        patience: Seconds to wait for a pipe.
        read: What else reads it, and fails as `read_given` does; for who has read it already.

    Raises:
        ConfigError: There is no such file (the cause is then ``FileNotFoundError``), it is
            a directory, not readable, larger than 64 KiB, or no UTF-8 text.
    """
    values: dict[str, Entry] = {}
    faults = []
    for item in _items(_text(path, read or partial(read_given, most=LARGEST, patience=patience))):
        if isinstance(item, _Fault):
            faults.append(f"{location(path, item.line)}: {item.problem}")
        elif item.name in values and values[item.name].value:  # an empty one may be filled in further down
            named = item.name if may_show(item.name) else "a name"
            first = values[item.name].line
            faults.append(
                f"{location(path, item.entry.line)}: {named} is set again, first on line {first}; keep one"
            )
        else:
            values[item.name] = item.entry
    return EnvFile(path, MappingProxyType(values), tuple(faults))


def location(path: Path, line: int) -> str:
    """Say where something stands, as faults and origins do: ``hang-fm-config.env line 4``."""
    return f"{path.name or path} line {line}"


def may_show(name: str) -> bool:
    """Whether a name may be printed; text without the shape of a name may be a secret."""
    return _NAME.fullmatch(name) is not None


def quoted(value: str) -> str:
    """Return a value as it is written after ``NAME=``, so that reading gives the same value again."""
    if _PLAIN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


@dataclass(frozen=True, slots=True)
class _Named:
    name: str
    entry: Entry


@dataclass(frozen=True, slots=True)
class _Fault:
    line: int
    problem: str


def _text(path: Path, read: Callable[[Path], bytes]) -> str:
    try:
        data = read(path)
    except FileNotFoundError as exc:
        remedy = (
            "Run `hangbot init`, which writes it; where nobody can answer its questions (CI, a container) "
            "set BOT_USER_TOKEN and ROOM_UUID in the environment, as secrets. "
            "docs/bot-token.md tells where a token comes from."
        )
        raise _unusable(f"no configuration file at {path}", remedy) from exc
    except IsADirectoryError as exc:
        raise _unusable(f"{path} is a directory", "Name a file with --env-file.") from exc
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "not a path"
        remedy = "Let the user that runs the bot read it (its owner, and `chmod 600`), or name another file."
        if not isinstance(exc, OSError) or exc.errno != errno.EFBIG:
            raise _unusable(f"{path} cannot be read: {reason}", remedy) from exc
        data = None
    # Raised outside the handlers, so that the bytes, which may hold a secret, do not travel with the error.
    if data is None:
        remedy = "Name the configuration file with --env-file."
        raise _unusable(f"{path} is larger than {LARGEST} bytes: no configuration file", remedy)
    try:
        text = data.decode("utf-8")
        end = text.find("\0")
        before = None if end < 0 else text[:end]
    except UnicodeDecodeError as exc:
        before = data[: exc.start].decode("utf-8")
    if before is not None:
        line = len(_NEWLINE.findall(before)) + 1
        raise _unusable(f"{location(path, line)} is not UTF-8 text", f"Save {path} as UTF-8 text.")
    # After a line that it cannot read, python-dotenv counts a CR LF as two lines.
    return _NEWLINE.sub("\n", text)


def _unusable(message: str, remedy: str) -> ConfigError:
    return ConfigError(message, faults=(message,), remedy=remedy)


def _items(text: str) -> Iterator[_Named | _Fault]:
    """Yield what the text holds; behind a quote that swallows settings, go on at the next line."""
    passed = 0
    while text:
        text = text.lstrip(BOM)
        offset = 0
        for binding in parse_stream(StringIO(text)):
            original = binding.original.string
            body = original.lstrip()
            start = offset + len(original) - len(body)
            line = passed + binding.original.line + text[offset:start].count("\n")
            if _is_runaway(binding, body):
                yield _Fault(line, "a quote is opened here and not closed on the same line")
                offset = start + body.index("\n") + 1
                passed = line
                break
            offset += len(original)
            if binding.error:
                yield _Fault(line, 'cannot be read; expected NAME=value, or NAME="value with # or quotes"')
            elif binding.key is not None and binding.value is None:
                yield _Fault(line, "there is no '=' after the name")
            elif binding.key is not None:
                cut = _COMMENT.match(body) is not None
                yield _Named(binding.key, Entry(binding.value or "", line, cut))
        text = text[offset:]


def _is_runaway(binding: Binding, body: str) -> bool:
    """Whether a quote that was meant to end has taken in the lines behind it."""
    _, *rest = body.rstrip().split("\n")
    return bool(rest) and (binding.error or any(_SETTING.match(line) for line in rest))

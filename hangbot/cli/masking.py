"""Mask the secrets within a command's reach in its messages, wherever a secret was put by mistake.

A token may stand in the wrong place: as an argument, as the name of a file, behind another setting's
name. An error about it must not show it, even before a configuration is read and when it cannot be.
Text with the shape of a token is masked in any case; this finds the secrets without that shape.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePath
from typing import Final
from urllib.parse import unquote

from hangbot.errors import ConfigError
from hangbot.redact import Redactor

__all__ = ["mask_also", "masked", "reset_masking"]

_ENV_FILE: Final = "hang-fm-config.env"
_ADDRESS: Final = re.compile(r"(?s)(?:.*?:?//|https?:/)?(.+)@")
"""The user and password of an address, however malformed."""
_HOSTLESS: Final = re.compile(r"(?s)(?:.*?//)?([^/:@\[\]]*:[^/\[\]]*[^/0-9\[\]][^/\[\]]*)")
"""The same where the host is missing, and the password stands in the port's place."""
_PARTS: Final = re.compile(r"[!-~]{6,}")
_PROXIES: Final = ("http_proxy", "https_proxy", "all_proxy")
_LARGEST: Final = 65_536

_argv: list[str] = []
_redactor: list[Redactor] = []


def reset_masking(argv: Sequence[str]) -> None:
    """Begin a command: forget the secrets of an earlier one; they are looked up before the first message."""
    _argv[:] = argv
    _redactor.clear()


def mask_also(secrets: Sequence[str]) -> None:
    """Mask these as well."""
    _known().add(*_spellings(secrets))


def masked(text: str) -> str:
    """Return a text without the secrets within reach, and without text that looks like one."""
    return _known().text(text)


def _known() -> Redactor:
    if not _redactor:
        try:
            found = list(_spellings(_within_reach()))
        except Exception:  # noqa: BLE001  the message matters more than why this failed
            found = []
        _redactor.append(Redactor(found))
    return _redactor[0]


def _within_reach() -> Iterator[str]:
    """Yield the secrets of the environment, and of the files that may be this command's configuration."""
    from hangbot.config.envfile import read_env_file  # noqa: PLC0415  only where something is to be said

    yield from _of(os.environ)
    for word in _argv:
        yield from _login_in(word)
        if word.startswith("-"):
            yield from _login_in(word.partition("=")[2])
    for path in _files():
        if path.is_file() and path.stat().st_size <= _LARGEST:
            yield from _of({name: entry.value for name, entry in read_env_file(path).values.items()})


def _files() -> Iterator[Path]:
    yield Path(_ENV_FILE)
    for place, word in enumerate(_argv):
        option, equals, value = word.partition("=")
        if option.startswith("--env"):  # argparse accepts the beginning of an option
            yield from map(Path, [value] if equals else _argv[place + 1 : place + 2])


def _of(values: Mapping[str, str]) -> Iterator[str]:
    from hangbot.config import ENV  # noqa: PLC0415  only where something is to be said
    from hangbot.config.foreign import secrets_of  # noqa: PLC0415  see above

    own = {env.name: env for env in ENV.values()}
    for name, value in values.items():
        env = own.get(name)
        if env is not None and env.secret:
            yield value
        elif name.lower() in _PROXIES:
            yield from _login(value)
        elif env is not None:
            yield from _login_in(value)
    yield from secrets_of({name: value for name, value in values.items() if name not in own}, known_only=True)


def _login_in(text: str) -> Iterator[str]:
    """Yield the login of a text that may be an address; an ``@`` alone does not make it one."""
    plain = unquote(text)
    if "//" in plain or ("@" in plain and ":" in plain.partition("@")[0]):
        yield from _login(text)


def _login(address: str) -> Iterator[str]:
    from hangbot.config.cluster import parse_address  # noqa: PLC0415  see above

    with suppress(ConfigError):
        yield parse_address(address).password  # whose several servers look like a login without a host
        return
    for spelling in dict.fromkeys((address.strip(), unquote(address.strip()))):
        login = _ADDRESS.match(spelling) or _HOSTLESS.fullmatch(spelling.rstrip("/"))
        whole = spelling.rpartition("@")[0]  # a seeming scheme may be the beginning of a password
        for found in dict.fromkeys((login[1] if login else "", whole)):
            yield found
            user, colon, password = found.partition(":")
            yield password if colon else user


def _spellings(secrets: Iterator[str] | Sequence[str]) -> Iterator[str]:
    """Yield each secret as it is, in parts, and as a path spells it."""
    for secret in secrets:
        for part in (secret.strip(), *_PARTS.findall(secret)):
            yield part
            yield str(PurePath(part))

"""The secrets within reach of a command, so that nothing it says shows one, wherever that was put by mistake.

A token lands in the wrong place: as an argument, as the name of a file, behind another setting's name.
What is said of it then must not hold it, also before a configuration could be read, and also when it
cannot be. The shape of a token is masked in any case; here are those without one.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Final
from urllib.parse import unquote

from hangbot.redact import Redactor

__all__ = ["mask_also", "masked", "reset_masking"]

_ENV_FILE: Final = "hang-fm-config.env"
_ADDRESS: Final = re.compile(r"(?s)(?:.*?:?//|https?:/)?(.+)@")
"""What stands before the host of an address, however odd: a user and a password."""
_HOSTLESS: Final = re.compile(r"(?s)(?:.*?//)?([^/:@\[\]]*:[^/\[\]]*[^/0-9\[\]][^/\[\]]*)")
"""The same where the host was forgotten, and the password stands in a port's place."""
_PARTS: Final = re.compile(r"[!-~]{6,}")
_PROXIES: Final = ("http_proxy", "https_proxy", "all_proxy")
_LARGEST: Final = 65_536

_argv: list[str] = []
_redactor: list[Redactor] = []


def reset_masking(argv: Sequence[str]) -> None:
    """Begin a command: what another one knew is forgotten, and looked for when something is said."""
    _argv[:] = argv
    _redactor.clear()


def mask_also(secrets: Sequence[str]) -> None:
    """Hide these, too."""
    _known().add(*_spellings(secrets))


def masked(text: str) -> str:
    """Return a text without the secrets within reach, and without what looks like one."""
    return _known().text(text)


def _known() -> Redactor:
    if not _redactor:
        try:
            found = list(_spellings(_within_reach()))
        except Exception:  # noqa: BLE001  a message must be told also where nothing of the rest works
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
        if option.startswith("--env"):  # argparse takes an option's beginning for it
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
    """Yield the login of what may be an address; a text with an ``@`` in it is none yet."""
    plain = unquote(text)
    if "//" in plain or ("@" in plain and ":" in plain.partition("@")[0]):
        yield from _login(text)


def _login(address: str) -> Iterator[str]:
    for spelling in dict.fromkeys((address.strip(), unquote(address.strip()))):
        login = _ADDRESS.match(spelling) or _HOSTLESS.fullmatch(spelling.rstrip("/"))
        whole = spelling.rpartition("@")[0]  # what looks like a scheme may be the beginning of a password
        for found in dict.fromkeys((login[1] if login else "", whole)):
            yield found
            user, colon, password = found.partition(":")
            yield password if colon else user


def _spellings(secrets: Iterator[str] | Sequence[str]) -> Iterator[str]:
    """Yield each secret as it is, in its parts, and as the path it becomes where a file is meant."""
    for secret in secrets:
        for part in (secret.strip(), *_PARTS.findall(secret)):
            yield part
            yield str(PurePath(part))

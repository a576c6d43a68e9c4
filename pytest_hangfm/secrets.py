"""Which values of a configuration are secrets, found without `hangbot.config`, which is slow to import."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["SECRET_NAMES", "configured_secrets"]

SECRET_NAMES: Final = ("BOT_USER_TOKEN", "TTFM_API_TOKEN", "COMETCHAT_AUTH", "COMETCHAT_API_KEY")
"""The configuration's secrets; a test compares them with the settings."""
_PUBLIC_NAME: Final = "COMETCHAT_APPID"
_LOOKS_SECRET: Final = re.compile(r"TOKEN|SECRET|PASSW|API_?KEY|_AUTH$")
_SETTING: Final = re.compile(r"^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_PASSWORD: Final = re.compile(r"://[^\s/:@]*:([^\s/@]+)@")


def configured_secrets(text: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return every secret that is configured, whether or not the configuration is in order.

    Args:
        text: What the configuration file says; of it also what belongs to other programs and is named like
            a secret.
        environ: The environment.
    """
    given = [(name, environ.get(name, "").strip()) for name in (*SECRET_NAMES, "SOCKET_SERVER_URL")]
    given += [(_PUBLIC_NAME, environ.get(_PUBLIC_NAME, "").strip())]
    given += [(name, value) for name, raw in _SETTING.findall(text) for value in _spellings(raw)]
    public = {value for name, value in given if name == _PUBLIC_NAME}
    found = [
        secret
        for name, value in given
        for secret in ([value] if _LOOKS_SECRET.search(name.upper()) else _PASSWORD.findall(value))
    ]
    return tuple(dict.fromkeys(secret for secret in found if secret and secret not in public))


def _spellings(raw: str) -> Iterator[str]:
    """Yield what a line's right side may mean: with or without quotes and a comment."""
    bare = re.sub(r"\s+#.*$", "", raw).strip()
    yield bare
    if len(bare) > 1 and bare[0] == bare[-1] and bare[0] in "\"'`":
        yield bare[1:-1]

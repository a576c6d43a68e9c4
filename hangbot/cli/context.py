"""The start of most commands: the configuration, and logs without its secrets."""

import argparse
import os
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from hangbot.cli.masking import mask_also
from hangbot.config import ENV, Settings
from hangbot.config.envfile import EnvFile, read_env_file
from hangbot.config.fields import Need
from hangbot.config.locations import OUTBOX
from hangbot.logs import Log, set_up
from hangbot.net import check_environment
from hangbot.redact import Redactor

if TYPE_CHECKING:
    from hangbot.sandbox import Sandbox

__all__ = [
    "ENV_FILE",
    "OF_A_ROOM",
    "load_all_settings_and_log",
    "load_settings",
    "load_settings_and_log",
    "open_embedded_sandbox",
    "read_configuration",
    "set_up_logs",
]

ENV_FILE = Path("hang-fm-config.env")
OF_A_ROOM: Final = frozenset(
    {"CHAT_DIALECT", OUTBOX}
    | {env.name for env in ENV.values() if env.need is not Need.OPTIONAL or env.is_address}
)
"""The names that say which bot is in which room of which service."""
_HOW_IT_RUNS: Final = frozenset(env.name for env in ENV.values()) - OF_A_ROOM
_NOTHING: Mapping[str, str] = MappingProxyType({})


def load_settings(args: argparse.Namespace) -> Settings:
    """Read the configuration and mask its secrets in the logs.

    Raises:
        ConfigError: With every fault at once.
    """
    return load_settings_and_log(args)[0]


def load_settings_and_log(args: argparse.Namespace) -> tuple[Settings, Log]:
    """Do the same, and return the log as well."""
    (settings,), log = load_all_settings_and_log(args)
    return settings, log


def load_all_settings_and_log(args: argparse.Namespace) -> tuple[list[Settings], Log]:
    """Do the same for each configuration that is named; one is what is there without a name."""
    files, named = args.env_files or [ENV_FILE], bool(args.env_files)
    every = [
        Settings.load(
            file,
            os.environ,
            required=named,
            file=read_configuration(args, file) if named or file.exists() else None,
        )
        for file in files
    ]
    log = set_up_logs(args, *every)
    for settings in every:
        check_environment(settings.chat_url, settings.gateway_url, settings.room_url)
    return every, log


def read_configuration(args: argparse.Namespace, file: Path) -> EnvFile:
    """Read a configuration once for a command: of a pipe a second reader would get nothing.

    Raises:
        ConfigError: It cannot be read.
    """
    read: dict[Path, EnvFile] = args.read_configurations
    if file not in read:
        read[file] = read_env_file(file)
    return read[file]


def set_up_logs(args: argparse.Namespace, *every: Settings) -> Log:
    """Log to standard error, with the secrets of each configuration masked."""
    secrets = [secret for settings in every for secret in settings.secrets()]
    mask_also(secrets)
    room = every[0].room_uuid if len(every) == 1 else ""  # of several, each line has its own
    return set_up(args.log_format, args.log_level, Redactor(secrets), room=room)


@asynccontextmanager
async def open_embedded_sandbox(
    scaled: Mapping[str, str] = _NOTHING,
    environ: Mapping[str, str] = _NOTHING,
) -> AsyncIterator[tuple["Sandbox", Settings]]:
    """Open a sandbox, and settings for a bot in it with a temporary outbox; read no file.

    Args:
        scaled: Further environment names, with this command's values.
        environ: The environment; what it says of a room is left out.
    """
    from hangbot.sandbox import open_sandbox  # noqa: PLC0415  only the commands that use it pay for it

    with tempfile.TemporaryDirectory(prefix="hangbot-") as folder:
        async with open_sandbox() as sandbox:
            origins = dict.fromkeys(sandbox.env(), "the sandbox") | dict.fromkeys(scaled, "scaled down")
            outbox = {OUTBOX: str(Path(folder) / "outbox.sqlite3")}
            sources = origins | dict.fromkeys(outbox, "temporary")
            kept = {name: value for name, value in environ.items() if name in _HOW_IT_RUNS}
            yield sandbox, Settings.from_env({**kept, **sandbox.env(), **scaled, **outbox}, sources=sources)

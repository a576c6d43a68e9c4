"""A value of the configuration by its name, where the rest of it may be missing or wrong."""

import argparse
import os

from hangbot.cli.context import ENV_FILE, read_configuration
from hangbot.config.parsing import unquoted

__all__ = ["configured"]


def configured(args: argparse.Namespace, name: str) -> str:
    """Return what the environment says, or else the configuration file; empty for nothing."""
    found = os.environ.get(name, "").strip()
    file = args.env_file or ENV_FILE
    if not found and (args.env_file or file.exists()):
        entry = read_configuration(args, file).values.get(name)
        found = entry.value.strip() if entry else ""
    return unquoted(found)[0]

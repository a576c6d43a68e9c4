"""Which cluster a command about a fleet means."""

import argparse

from hangbot.cli.configured import configured
from hangbot.cli.masking import mask_also
from hangbot.config.cluster import SCHEME, ClusterAddress, parse_address
from hangbot.config.locations import OUTBOX
from hangbot.errors import ConfigError

__all__ = ["fleet_address"]


def fleet_address(args: argparse.Namespace) -> ClusterAddress:
    """Return what ``HANGBOT_OUTBOX`` names: in the environment, or in the configuration.

    Raises:
        ConfigError: It names no cluster, or the configuration cannot be read.
    """
    named = configured(args, OUTBOX)  # the rest of the configuration is not asked for: a fleet has none
    address = parse_address(named) if named.startswith(SCHEME) else None
    if address is None:
        raise ConfigError(
            f"{OUTBOX} names no cluster of a fleet",
            remedy=f"Set {OUTBOX}=nats://HOST,HOST,HOST, or name a room's file with --env-file.",
        )
    mask_also([address.password] if address.password else [])
    return address

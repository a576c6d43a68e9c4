"""What a cluster can refuse, and what it may lack."""

from hangbot.errors import OutboxUnusable
from hangbot.exit_codes import MISCONFIGURED

__all__ = ["ClusterRefused", "ClusterUnfit", "NoFleet"]


class ClusterRefused(OutboxUnusable):
    """The cluster does not let this worker do what it asks: a wrong password, a missing permission."""

    remedy = "Correct the login in HANGBOT_OUTBOX, or what that user may do on the NATS servers."
    exit_code = MISCONFIGURED
    blames = "HANGBOT_OUTBOX"


class ClusterUnfit(OutboxUnusable):
    """The cluster cannot hold what a fleet promises: an old version, no JetStream, one replica."""

    remedy = "Run three nats-server 2.11 or newer with JetStream, as docs/fleet.md shows."


class NoFleet(OutboxUnusable):
    """The servers have nothing of a fleet of that name yet."""

    remedy = "Start one with `hangbot fleet run`; or correct HANGBOT_OUTBOX, which names the fleet."

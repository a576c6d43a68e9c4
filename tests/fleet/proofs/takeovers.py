"""How soon a room whose owner was disturbed has another one. PURE."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from tests.fleet.proofs.acts import Act
from tests.fleet.proofs.disturbances import Loss
from tests.fleet.proofs.ownership import Owned

__all__ = ["Takeover", "figures_of_takeovers", "slowest", "takeovers"]

_SHOWN: Final = 6
_SOON: Final = 0.5
"""Seconds after the end of a disturbance in which a lease that was lost may be seen to have been stored."""
_AFTER: Final = 1.0
"""Seconds for which workers and servers are not themselves after the end of a disturbance."""


class Takeover(NamedTuple):
    """A room got another owner.

    Attributes:
        room: Which.
        at: When its owner was disturbed: seconds since the epoch.
        leased: Seconds from the loss of the last owner to the next one's lease.
        acted: Seconds from the loss to the next owner's first act, ``None``: it did nothing.
        was_alone: Whether nothing else was disturbed meanwhile, and a server led.
        what: The disturbance.
    """

    room: str
    at: float
    leased: float
    acted: float | None
    was_alone: bool
    what: str


def takeovers(
    losses: Sequence[Loss],
    rooms: Mapping[str, Sequence[Owned]],
    acts: Mapping[str, Sequence[Act]],
    halts: Sequence[tuple[float, float]] = (),
) -> Iterator[Takeover]:
    """Yield what came of the rooms whose owners were disturbed, where they got another ownership.

    Args:
        losses: The disturbances.
        rooms: The ownerships.
        acts: On each room.
        halts: From when to when the cluster stored nothing: after a disturbance of a server, too.
    """
    for loss in losses:
        for room, id_ in loss.owned.items():
            history = rooms[room]
            place = next(number for number, each in enumerate(history) if each.id == id_)
            owned, later = history[place], history[place + 1 : place + 2]
            if not later or owned.renewed > loss.until + _SOON or later[0].since < loss.at:
                continue
            new = later[0]
            first = next((act.at for act in acts.get(room, ()) if act.at >= new.since), None)
            alone = not any(
                each is not loss and each.at < new.seen and each.until + _AFTER > loss.at for each in losses
            ) and not any(begin < new.seen and end > loss.at for begin, end in halts)
            acted = None if first is None else first - loss.at
            yield Takeover(room, loss.at, new.seen - loss.at, acted, alone, loss.what)


def slowest(every: Sequence[Takeover]) -> float:
    """Return the 99th percentile until the lease, of those in whose time nothing else was disturbed."""
    return _quantile([each.leased for each in every if each.was_alone], 0.99)


def figures_of_takeovers(every: Sequence[Takeover]) -> Iterator[str]:
    """Yield what was measured, a line each."""
    alone = [each for each in every if each.was_alone]
    for words, some in (("takeovers", every), ("while nothing else was disturbed", alone)):
        yield f"{words}, until the lease: {_shown([each.leased for each in some])}"
        acted = [each.acted for each in some if each.acted is not None]
        yield f"{words}, until the first act: {_shown(acted)}"
    for each in sorted(every, key=lambda each: -each.leased)[:_SHOWN]:
        yield f"  {each.leased:.2f} s {each.room[:8]}: {each.what}"


def _shown(values: Sequence[float]) -> str:
    p50, p99, most = (_quantile(values, share) for share in (0.5, 0.99, 1.0))
    return f"{len(values)}, p50 {p50:.2f}, p99 {p99:.2f}, max {most:.2f} s"


def _quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which this share of them is; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0

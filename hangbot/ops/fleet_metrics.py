"""What a worker knows of its fleet, as Prometheus reads it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from hangbot.ops.fleet_view import FleetShown
from hangbot.ops.metric_lines import KINDS, Labels, Lines, Values, head

__all__ = ["FleetMetrics"]


class FleetMetrics:
    """Shows a worker's part of its fleet, and how it sees the rest.

    Args:
        shown: The worker.
    """

    def __init__(self, shown: FleetShown) -> None:
        self._shown = shown
        whose = {"worker": shown.options.holder.worker}
        self._gauges = [(gauge, Lines(gauge.name, gauge.labels, whose)) for gauge in _GAUGES]
        figures = shown.worker.rooms.leases.figures.all
        self._figures = [
            (head(each.name, KINDS[type(each)], each.about), Lines(each.name, each.labels, whose).of(each))
            for each in figures
        ]

    def lines(self) -> bytes:
        """Return what is true now."""
        return b"".join(self._parts())

    def _parts(self) -> Iterator[bytes]:
        for gauge, lines in self._gauges:
            yield head(gauge.name, "gauge", gauge.about)
            yield lines.numbers(gauge.values(self._shown))
        for about, lines_at in self._figures:
            yield about
            yield lines_at(0.0)  # none of them is an age


@dataclass(frozen=True, slots=True)
class _Gauge:
    """Something that is looked at when it is asked for."""

    name: str
    about: str
    labels: Labels
    values: Callable[[FleetShown], Values]


def _owner(shown: FleetShown) -> Values:
    may_act = shown.worker.rooms.leases.may_act
    return {(room.name, room.uuid): int(may_act(room.key)) for room in shown.rooms()}


def _unowned(shown: FleetShown) -> Values:
    """Return it where the cluster answers: what is not seen now may be otherwise."""
    lookout = shown.lookout
    if not (lookout.has_looked and shown.is_answered):
        return {}
    return {(room.name, room.uuid): lookout.unowned_for(room.key) for room in shown.rooms()}


def _rooms(shown: FleetShown) -> Values:
    rooms = shown.lookout.picture.rooms.values()
    owned = sum(row.owner is not None for row in rooms)
    return {("owned",): owned, ("unowned",): len(rooms) - owned}


_GAUGES: Final = (
    _Gauge(
        "hangbot_fleet_owner",
        "1 while this worker may act on the room, for each room that it has a file of.",
        ("bot", "room"),
        _owner,
    ),
    _Gauge(
        "hangbot_fleet_unowned_seconds",
        "How long the room has had no owner, as this worker sees it; 0: it has one.",
        ("bot", "room"),
        _unowned,
    ),
    _Gauge("hangbot_fleet_rooms", "Rooms of the fleet, as this worker sees it.", ("state",), _rooms),
    _Gauge(
        "hangbot_fleet_workers",
        "Workers of the fleet that live, as this worker sees it.",
        (),
        lambda shown: {(): len(shown.lookout.picture.workers)},
    ),
    _Gauge(
        "hangbot_fleet_cluster_age_seconds",
        "Seconds since the NATS servers answered this worker last; it asks every 2 s.",
        (),
        lambda shown: {(): round(shown.lookout.age, 3)},
    ),
)

"""What a worker counts of its leases. PURE."""

from hangbot.figures import Counter, Figure, Histogram

__all__ = ["LeaseFigures"]

TAKEOVER_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class LeaseFigures:
    """The figures of one run of a worker."""

    def __init__(self) -> None:
        self.taken = Counter("hangbot_fleet_leases_taken_total", "Leases of rooms that this worker took.")
        self.lost = Counter(
            "hangbot_fleet_leases_lost_total",
            "Leases that ended, or were another worker's, before this worker gave them up.",
        )
        self.takeover = Histogram(
            "hangbot_fleet_takeover_seconds",
            "From a lease that was taken to the room's bot being ready for the first time.",
            buckets=TAKEOVER_BUCKETS,
        )

    @property
    def all(self) -> tuple[Figure, ...]:
        """Every figure, in the order in which they are shown."""
        return self.taken, self.lost, self.takeover

"""Draws the plan of a world from a seed. PURE: the same seed draws the same plan."""

from random import Random
from typing import Final

from pytest_hangfm.simulation.faults import FAULTS, FaultKind
from pytest_hangfm.simulation.plan import Fault, Plan

__all__ = ["draw"]

SECONDS: Final = (300.0, 520.0)
_BUSY: Final = (18, 26)
"""Faults in a world in which much goes wrong."""
_QUIET: Final = (0, 4)
_BUSY_SHARE: Final = 0.8
_FIRST: Final = 5.0
"""Seconds until the first fault can come."""

_LONG: Final = 3600.0
"""Seconds."""

_ENV: Final[dict[str, tuple[str, ...]]] = {
    "SOCKET_TIMEOUT_MS": ("2000", "5000", "10000"),
    "STAGE_RETRY_MAX_ATTEMPTS": ("2", "3", "5"),
    "STAGE_RETRY_BASE_MS": ("200", "500", "1000"),
    "STAGE_RETRY_MAX_MS": ("5000", "30000"),
    "STAGE_RETRY_JITTER_MS": ("0", "200"),
    "STAGE_RETRY_TOTAL_MS": ("20000", "60000", "120000"),
    "HANGBOT_RATE": ("0", "2", "5"),
    "HANGBOT_BURST": ("1", "5", "20"),
    "HANGBOT_DRAIN_MS": ("2000", "10000"),
    "HANGBOT_CHAT_FEED": ("auto", "auto", "auto", "push", "poll"),
    "HANGBOT_CHAT_SILENCE": ("20", "40"),
    "HANGBOT_CATCH_UP": ("60", "300"),
    "HANGBOT_HANDLER_TIMEOUT_MS": ("5000", "30000"),
    "HANGBOT_CANARY": ("0", "0", "1"),
}
"""What a configuration is drawn from; each is set in half of the worlds."""


def draw(seed: int) -> Plan:
    """Draw a world: who is there, how the bot is configured, and what goes wrong when."""
    random = Random(f"plan {seed}")  # noqa: S311  to be repeatable
    seconds = round(random.uniform(*SECONDS), 1)
    env = {name: random.choice(values) for name, values in _ENV.items() if random.random() < 1 / 2}
    return Plan(
        seed,
        seconds=seconds,
        users=random.choice((1, 2, 3, 3, 5, 8)),
        pace=random.choice((2.0, 4.0, 4.0, 8.0)),
        env=env,
        faults=tuple(_faults(random, seconds)),
    )


def _faults(random: Random, seconds: float) -> list[Fault]:
    count = random.randint(*(_BUSY if random.random() < _BUSY_SHARE else _QUIET))
    kinds = _some(random, list(FAULTS.values()), count)
    times = sorted(round(random.uniform(_FIRST, seconds), 2) for _ in kinds)
    return [_fault(random, kind, at) for kind, at in zip(kinds, times, strict=True)]


def _fault(random: Random, kind: FaultKind, at: float) -> Fault:
    lasts, args = _lasts(random, kind), kind.draw(random)
    return Fault(kind.name, at, lasts, {**args, **kind.when_long} if lasts > _LONG else args)


def _some(random: Random, kinds: list[FaultKind], count: int) -> list[FaultKind]:
    """Draw kinds by their weight, none twice, so that a rare one is not crowded out."""
    some: list[FaultKind] = []
    while kinds and len(some) < count:
        (kind,) = random.choices(kinds, [kind.weight for kind in kinds])
        kinds.remove(kind)
        some.append(kind)
    return some


def _lasts(random: Random, kind: FaultKind) -> float:
    shortest, longest = kind.lasts
    if longest <= shortest:
        return shortest
    low = max(shortest, 0.1)
    share = random.random() ** kind.skew
    return round(low * (longest / low) ** share, 2) if random.random() > 1 / 20 else shortest

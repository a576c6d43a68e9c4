"""Plans by chance, for properties."""

from typing import Any, Final

from hypothesis import strategies as st

from pytest_hangfm.simulation.plan import Fault, Plan

__all__ = ["FAULTS", "PLANS"]

_TIMES: Final = st.floats(0.0, 1e5, allow_nan=False).map(lambda seconds: round(seconds, 3))
_TEXTS: Final = st.text(max_size=8)
_VALUES: Final = st.none() | st.booleans() | st.integers(-5, 100_000) | _TIMES | _TEXTS
_ARGS: Final[st.SearchStrategy[dict[str, Any]]] = st.dictionaries(_TEXTS, _VALUES, max_size=4)

FAULTS: Final = st.builds(
    Fault,
    kind=st.sampled_from(("cut", "crash", "delay", "outage")),
    at=_TIMES,
    lasts=_TIMES,
    args=_ARGS,
)
PLANS: Final = st.builds(
    Plan,
    seed=st.integers(0, 2**64),
    seconds=_TIMES.filter(bool),
    users=st.integers(0, 9),
    pace=_TIMES.filter(bool),
    env=st.dictionaries(_TEXTS, _TEXTS, max_size=4),
    faults=st.lists(FAULTS, max_size=12).map(
        lambda faults: tuple(sorted(faults, key=lambda fault: fault.at))
    ),
)

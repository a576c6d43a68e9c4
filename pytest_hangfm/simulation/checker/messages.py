"""The events of each message, in order, with the process that ran then. PURE."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from pytest_hangfm.simulation.history import (
    Accepted,
    Asked,
    Attempted,
    Dropped,
    History,
    Late,
    MessageStored,
    Requested,
    Requeued,
    RowAtEnd,
    Settled,
    Started,
)

__all__ = ["DeliveryEvent", "Step", "messages"]

DeliveryEvent: TypeAlias = (
    Accepted | Attempted | Asked | Settled | Dropped | Requeued | Requested | Late | MessageStored | RowAtEnd
)
_KINDS: Final = (
    Accepted,
    Attempted,
    Asked,
    Settled,
    Dropped,
    Requeued,
    Requested,
    Late,
    MessageStored,
    RowAtEnd,
)


class Step(NamedTuple):
    """An event of a message, and the number of the process that ran last."""

    run: int
    event: DeliveryEvent


def messages(history: History) -> Mapping[str, Sequence[Step]]:
    """Return the events of each message, by its id."""
    found: dict[str, list[Step]] = {}
    run = 0
    for event in history.events:
        if isinstance(event, Started):
            run = event.run
        elif isinstance(event, _KINDS):
            found.setdefault(event.id, []).append(Step(run, event))
    return found

"""What can go wrong in a simulated world: one table, by name.

Each class draws its arguments, says what cannot work meanwhile, and makes it happen. A new one is a row of
one of the modules beside this.
"""

from typing import Final

from pytest_hangfm.simulation.faults import answers, app, frames, machine, network, operator, process, service
from pytest_hangfm.simulation.faults.kind import Effect, FaultKind

__all__ = ["FAULTS", "Effect", "FaultKind"]

_KINDS: Final = (
    *answers.KINDS,
    *frames.KINDS,
    *service.KINDS,
    *network.KINDS,
    *process.KINDS,
    *machine.KINDS,
    *app.KINDS,
    *operator.KINDS,
)
FAULTS: Final = {kind.name: kind for kind in _KINDS}
"""By name, in the order of the table."""

"""Every class of faults that the search draws from, by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_hangfm.proof.search.chat_kinds import CHAT_KINDS
from pytest_hangfm.proof.search.kind import wrong_in
from pytest_hangfm.proof.search.process_kinds import PROCESS_KINDS
from pytest_hangfm.proof.search.room_kinds import ROOM_KINDS
from pytest_hangfm.simulation.token import PROOF, TokenError, decode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_hangfm.proof.profile import Profile
    from pytest_hangfm.proof.search.kind import FaultKind
    from pytest_hangfm.simulation.plan import Plan
    from pytest_hangfm.simulation.token import MadeWith

__all__ = ["KINDS", "fitting", "read_token"]

KINDS: Final[Mapping[str, FaultKind]] = {
    kind.name: kind for kind in (*ROOM_KINDS, *CHAT_KINDS, *PROCESS_KINDS)
}
_LONGEST: Final = 120.0
_BRIEFEST: Final = 0.5


def fitting(profile: Profile) -> dict[str, FaultKind]:
    """Return the classes that concern a bot of this profile, by their names."""
    return {name: kind for name, kind in KINDS.items() if all(map(profile.has, kind.needs))}


def read_token(text: str) -> tuple[Plan, MadeWith]:
    """Return the schedule of a token, and what it was made with.

    Raises:
        TokenError: It is no token of a proof, is damaged, or cannot be played here.
    """
    plan, made_with = decode(text, PROOF, KINDS)
    wrong = next(filter(None, (wrong_in(fault, KINDS[fault.kind]) for fault in plan.faults)), "")
    if not plan.faults:
        wrong = "no fault"
    elif plan.seconds > _LONGEST or plan.pace < _BRIEFEST:
        wrong = "a schedule that is too long, or too many questions"
    if wrong:
        raise TokenError(
            f"this token holds what cannot be played ({wrong}): replay it with the hangbot that made it"
        )
    return plan, made_with

"""The steps of delivery as log lines."""

import logging
from typing import Final

from hangbot.delivery.record import EXPIRED_AT_START, Step

__all__ = ["log_step"]

logger = logging.getLogger("hangbot")

_TAGS: Final = {"accepted": "[SEND]", "attempt": "[SEND]", "asked": "[ACK]", "waiting": "[RETRY]"}
_ANSWER_TAGS: Final = {"": "[ACK]", "AckTimeout": "[TIMEOUT]"}


def log_step(step: Step) -> None:
    """Log a step of delivery, with the tag that operators search for."""
    if step.settlement is EXPIRED_AT_START:
        return  # logged once for all of them
    tag = _TAGS.get(step.kind)
    level = logging.DEBUG if step.kind in {"accepted", "attempt"} else logging.INFO
    if step.kind == "answer":
        tag = _ANSWER_TAGS.get(step.cause, "[ERROR]")
    elif step.settlement:
        arrived = step.settlement.state == "delivered"
        tag, level = ("[OK]", logging.INFO) if arrived else ("[ERROR]", logging.ERROR)
    more = {"action": f"delivery_{step.kind}", "message_id": step.id, "attempt": step.attempt}
    logger.log(
        level, "%s %s %s (attempt %d) %s", tag, step.id, step.kind, step.attempt, step.detail, extra=more
    )

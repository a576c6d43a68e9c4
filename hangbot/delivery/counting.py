"""The steps of delivery as figures. PURE."""

from hangbot.delivery.record import Notify, Step
from hangbot.figures import Figures

__all__ = ["count_steps"]


def count_steps(figures: Figures, path: str) -> Notify:
    """Return a listener that counts steps.

    Args:
        figures: Where.
        path: ``chat`` for messages, ``room`` for room actions.
    """

    def count(step: Step) -> None:
        if step.settlement is not None:
            end = step.settlement
            figures.settled.count(path, str(end.tier) if end.tier else end.state)
        elif step.kind == "attempt":
            figures.attempts.count(path)
        elif step.kind == "answer" and not step.cause:
            figures.ack_seconds.observe(step.seconds, path)
        elif step.kind == "waiting" and step.cause:
            figures.retries.count(path, step.cause)
        elif step.kind == "accepted":
            figures.accepted.count()

    return count

"""Why a bot cannot be proven: its author's mistake, or something that this machine does not have."""

__all__ = ["CannotStart", "NotHere"]


class CannotStart(Exception):
    """The program cannot be started at all; the message says why, and what to do."""


class NotHere(Exception):
    """What was asked for cannot be done on this machine; the message says why, and what to do."""

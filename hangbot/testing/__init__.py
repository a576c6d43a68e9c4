"""What tests of an app have of hangbot: handlers called as plain functions, with a context of their own."""

from hangbot.testing.context import Action, FakeContext, TimerSet
from hangbot.testing.making import MakeContext, open_contexts

__all__ = ["Action", "FakeContext", "MakeContext", "TimerSet", "open_contexts"]

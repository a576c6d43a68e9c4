"""An author's app: commands, events and timers; what a handler leaves is on disk together or not at all."""

from hangbot.app.app import App
from hangbot.app.context import Context
from hangbot.app.router import Router

__all__ = ["App", "Context", "Router"]

"""Log lines without secrets, on standard error and the last of them in memory, for people or for machines."""

from hangbot.logs.handlers import Log, set_up
from hangbot.logs.recent import LogLine, Recent
from hangbot.logs.steps import log_step
from hangbot.logs.whose import Whose, about

__all__ = ["Log", "LogLine", "Recent", "Whose", "about", "log_step", "set_up"]

"""The bot's configuration: one frozen `Settings`, and where each value of it came from."""

from hangbot.config.example import render_env_file
from hangbot.config.inner import inner_fields
from hangbot.config.lint import UNBUILT
from hangbot.config.settings import Row, Settings
from hangbot.config.table import ENV

__all__ = ["ENV", "UNBUILT", "Row", "Settings", "inner_fields", "render_env_file"]

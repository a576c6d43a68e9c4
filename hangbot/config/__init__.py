"""The bot's configuration: one frozen `Settings`, and where each value of it came from."""

from hangbot.config.settings import ENV, UNBUILT, Row, Settings, render_env_file

__all__ = ["ENV", "UNBUILT", "Row", "Settings", "render_env_file"]

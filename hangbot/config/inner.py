"""Settings without a name outside: a program that embeds the bot may change them."""

from typing import Annotated

from annotated_types import Ge, Gt, Le
from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Finite", "InnerSettings", "inner_fields"]

Finite = Annotated[float, Field(allow_inf_nan=False)]


class InnerSettings(BaseModel):
    """The part of `hangbot.config.table.SettingsTable` that no environment sets. Durations are seconds."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        validate_default=True,
        hide_input_in_errors=True,
        defer_build=True,  # only `Settings` is ever instantiated
    )

    poll_interval: Annotated[Finite, Gt(0), Le(3600)] = 1.0
    """Seconds between two requests for new chat messages."""
    welcome_timeout: Annotated[Finite, Gt(0), Le(600)] = 5.0
    """Seconds to wait for the room server's welcome."""
    heartbeat_timeout: Annotated[Finite, Gt(0), Le(3600)] = 45.0
    """Seconds without a heartbeat before the room connection counts as dead."""
    connect_timeout: Annotated[Finite, Gt(0), Le(600)] = 10.0
    """Seconds to wait for a connection."""
    message_ttl: Annotated[float, Gt(0)] | None = 86_400.0
    """Seconds after which a waiting message is no longer worth sending; ``None``: never."""
    queue_limit: Annotated[int, Ge(1)] = 100_000
    """Messages that may wait in the outbox."""
    keep_delivered_for: Annotated[Finite, Gt(0)] = 604_800.0
    """Seconds for which delivered messages are kept in the outbox."""
    keep_delivered_most: Annotated[int, Ge(0)] = 100_000
    """Delivered messages that are kept in the outbox at most."""
    http_concurrency: Annotated[int, Ge(1), Le(100)] = 4
    """Concurrent requests to the chat, at most."""


def inner_fields() -> tuple[str, ...]:
    """Return the names of these settings."""
    return tuple(InnerSettings.model_fields)

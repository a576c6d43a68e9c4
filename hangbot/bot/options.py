"""What can be set of a bot."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["BotOptions", "Feed"]

Feed = Literal["auto", "push", "poll"]


@dataclass(frozen=True, slots=True)
class BotOptions:
    """How a bot behaves; durations are seconds.

    Attributes:
        name: Under which it answers ``/uptime``; its own words say "This bot" without one.
        boot_message: Said at the start, or ``None``.
        drain: How long what is on its way may take after `Bot.stop`.
        welcome_timeout: How long the room's welcome is waited for.
        handler_timeout: How long an app's handler may take.
        poll_interval: Between two looks at the chat while it is polled.
        chat_feed: How the chat is heard: ``push``, ``poll``, or ``auto``, which polls while there is no push.
        chat_silence: Without a row of the group after which the bot asks whether it missed one.
        catch_up: The age up to which lines that were said while it did not hear are handled.
        joins: Whether it becomes a member of the chat group by itself.
        learns_owner: Whether only the chat knows whose outbox it is.
    """

    name: str | None = None
    boot_message: str | None = None
    drain: float = 10.0
    welcome_timeout: float = 5.0
    handler_timeout: float = 30.0
    poll_interval: float = 1.0
    chat_feed: Feed = "auto"
    chat_silence: float = 40.0
    catch_up: float = 300.0
    joins: bool = True
    learns_owner: bool = False

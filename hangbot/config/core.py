"""What of the settings the core is given, as its own values. PURE."""

from hangbot.bot.options import BotOptions
from hangbot.config.settings import Settings
from hangbot.delivery.retry import RetryPolicy

__all__ = ["bot_options", "send_policy"]


def bot_options(settings: Settings) -> BotOptions:
    """Return what a bot is like."""
    return BotOptions(
        name=settings.bot_name,
        boot_message=settings.boot_message,
        drain=settings.drain,
        welcome_timeout=settings.welcome_timeout,
        handler_timeout=settings.handler_timeout,
        poll_interval=settings.poll_interval,
        joins=settings.auto_join,
        learns_owner=settings.chat_uid is None,
        chat_feed=settings.chat_feed,
        chat_silence=settings.chat_silence,
        catch_up=settings.catch_up,
    )


def send_policy(settings: Settings) -> RetryPolicy:
    """Return how often, and after what waits, something is sent again."""
    return RetryPolicy(
        attempts=settings.retry_attempts,
        base=settings.retry_base,
        factor=settings.retry_factor,
        longest=settings.retry_max,
        jitter=settings.retry_jitter,
        strategy=settings.retry_strategy,
        total=settings.retry_total,
    )

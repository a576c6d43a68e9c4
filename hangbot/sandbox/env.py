"""What a client of the sandbox is configured with."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hangbot.sandbox.sandbox import Sandbox

__all__ = ["of_bot", "of_other_bots", "ready_line", "without_exchange"]


def of_bot(sandbox: "Sandbox") -> dict[str, str]:
    """Return the environment of a bot, without what it derives by itself."""
    env = {
        "BOT_USER_TOKEN": sandbox.bot.token,
        "ROOM_UUID": sandbox.room_uuid,
        "OPENCHAT_BASE_URL": sandbox.chat_url,
        "TTFM_GATEWAY_BASE_URL": sandbox.gateway_url,
        "SOCKET_SERVER_URL": sandbox.room_url,
        "CHAT_DIALECT": sandbox.dialect,
    }
    return env | {"COMETCHAT_APPID": sandbox.app_id} if sandbox.dialect == "cometchat" else env


def of_other_bots(sandbox: "Sandbox") -> dict[str, str]:
    """Return the same under the names that other public bots read."""
    return {
        "HANGOUT_ID": sandbox.room_uuid,
        "BOT_UID": sandbox.bot.uid,
        "CHAT_USER_ID": sandbox.bot.uid,
        "CHAT_TOKEN": sandbox.bot.chat_token,
        "TTL_USER_TOKEN": sandbox.bot.token,
        "COMET_BASE_URL": sandbox.chat_url,
    }


def without_exchange(sandbox: "Sandbox") -> dict[str, str]:
    """Return what hangbot finds by itself, and a bot needs that asks the gateway for no chat token."""
    return {
        "COMETCHAT_APPID": sandbox.app_id,
        "COMETCHAT_API_KEY": sandbox.app_id,
        "COMETCHAT_UID": sandbox.bot.uid,
        "COMETCHAT_AUTH": sandbox.bot.chat_token,
        "COMETCHAT_RECEIVER": sandbox.room_uuid,
        "TTFM_API_TOKEN": sandbox.bot.token,
    }


def ready_line(sandbox: "Sandbox") -> dict[str, str]:
    """Return the first line that ``hangbot sandbox`` prints."""
    return {
        "event": "ready",
        "room_url": sandbox.room_url,
        "chat_url": sandbox.chat_url,
        "gateway_url": sandbox.gateway_url,
        "control_url": sandbox.control_url,
        "room_uuid": sandbox.room_uuid,
        "room_slug": sandbox.room_slug,
        "bot_uid": sandbox.bot.uid,
        "bot_token": sandbox.bot.token,
        "chat_token": sandbox.bot.chat_token,
        "app_id": sandbox.app_id,
    }

"""Checks of the room socket: the upgrade, the heartbeat, the join, the time."""

import json
from collections.abc import Mapping
from typing import Any, Final

from hangbot.claims import read_claims
from hangbot.config import Settings
from hangbot.errors import (
    AckTimeout,
    HangbotError,
    JoinRefused,
    NotFound,
    RemovedFromRoom,
    TokenRejected,
    Unreachable,
)
from hangbot.preflight.diagnosis import SET_THE_CLOCK, SETTING, Unexplained
from hangbot.preflight.model import CheckContext, Finding, check
from hangbot.preflight.probe import SPEC, reach, room_spec

__all__ = ["clock_offset", "room_connect", "room_heartbeat", "room_joined", "room_reach"]

_CLOCK_OFF: Final = 5.0
"""Seconds of difference from which song ends and expiry would be judged wrongly."""


def _token_setting(settings: Settings) -> tuple[str, ...]:
    """Return the setting that holds the token for the room socket."""
    own = settings.ttfm_api_token != settings.bot_user_token
    return ("TTFM_API_TOKEN",) if own else ("BOT_USER_TOKEN",)


@check(
    "room.reach",
    "Room socket can be reached",
    needs=("config",),
    remedy="Check SOCKET_SERVER_URL, the network, and HTTPS_PROXY.",
)
async def room_reach(context: CheckContext) -> Finding:
    """The room socket's host can be reached: name, TCP, proxy and TLS are in order."""
    return await reach(context, "room", context.settings.room_url)


@check(
    "room.connect",
    "Room socket connects",
    needs=("room.reach",),
    remedy="Check SOCKET_SERVER_URL, and that no proxy or firewall keeps websockets out.",
    uses=_token_setting,
)
async def room_connect(context: CheckContext) -> Finding:
    """The room socket takes a connection and says welcome."""
    try:
        async with context.open_room() as room:
            if await room.welcome(context.settings.welcome_timeout):
                return Finding("the room socket is connected and said welcome")
    except Unreachable as exc:
        exc.args = (f"{exc}: the host is reached, but does not answer the upgrade to a websocket",)
        exc.remedy = (
            f"Check {SETTING['room']}: a server that is none of Primus, or a proxy, leaves it unanswered."
        )
        raise
    return Finding(
        f"the room socket is connected, but said no welcome in {context.settings.welcome_timeout:g} s",
        "Nothing to do when the room can be joined; the server's set-up may be slow.",
    )


@check(
    "room.heartbeat",
    "Room socket has a heartbeat",
    needs=("room.connect",),
    remedy="Ask whoever runs the room server to set pingInterval.",
)
async def room_heartbeat(context: CheckContext) -> Finding:
    """The room server sends heartbeats, and often enough, by its own description and without waiting."""
    spec = await room_spec(context)
    silence = context.settings.heartbeat_timeout
    if spec is None:
        return Finding(
            f"the room server does not tell its heartbeat ({SPEC} is off); every 30 s is taken for granted"
        )
    interval = spec.get("pingInterval")
    if isinstance(interval, bool) or not isinstance(interval, int | float) or interval <= 0:
        return Finding(
            f"the room server sends no heartbeat ({SPEC}: pingInterval {json.dumps(interval)})",
            "Ask whoever runs the room server to set pingInterval: "
            f"the bot connects anew after {silence:g} s of silence.",
        )
    seconds = interval / 1000
    if seconds >= silence:
        return Finding(
            f"the room server sends a heartbeat every {seconds:g} s only, "
            f"and after {silence:g} s of silence a connection counts as dead",
            "Ask whoever runs the room server to lower pingInterval: the official client waits 45 s as well.",
        )
    version = spec.get("version")
    return Finding(f"the room server sends a heartbeat every {seconds:g} s (Primus {version or '?'})")


@check(
    "room.joined",
    "Bot is in the room",
    needs=("room.connect",),
    remedy="Check ROOM_UUID, and ask the room's owner whether the bot is banned or the room full.",
    uses=lambda _: ("ROOM_UUID",),
)
async def room_joined(context: CheckContext) -> Finding:
    """The room lets the bot in, and the bot is in the room's state."""
    _check_owner(context)
    async with context.open_room() as room:
        await room.welcome(context.settings.welcome_timeout)
        try:
            state = await room.join()
        except RemovedFromRoom:
            raise
        except JoinRefused as exc:
            await _explain_refused_join(context, exc)
            raise
        except AckTimeout as exc:
            exc.remedy = (
                "The room server hears nothing or is slow: try again; raise SOCKET_TIMEOUT_MS if it is."
            )
            raise
        known_name = state.room_name()
        users = list(state.users())
    name = known_name or context.settings.room_uuid
    if context.settings.chat_uid and context.settings.chat_uid not in users:
        return Finding(
            f'joined "{name}", but the bot is not among its {len(users)} users yet',
            "Nothing to do if it appears within seconds; else check ROOM_UUID.",
            room=known_name or "",
        )
    others = len(users) - 1
    company = f"{others} {'other' if others == 1 else 'others'}"
    return Finding(f'the bot is in "{name}" with {company}', room=known_name or "")


def _check_owner(context: CheckContext) -> None:
    """Refuse a room token of another user: the bot would be one in the room and another in the chat."""
    tokens = (context.settings.ttfm_api_token, context.settings.bot_user_token)
    room, bot = (claims.uid if (claims := read_claims(t.get_secret_value())) else None for t in tokens)
    if room and bot and room != bot:
        raise TokenRejected(
            f"TTFM_API_TOKEN belongs to {room}, BOT_USER_TOKEN to {bot}",
            service="room",
            remedy="Remove TTFM_API_TOKEN: BOT_USER_TOKEN opens the room socket as well.",
        )


async def _explain_refused_join(context: CheckContext, exc: JoinRefused) -> None:
    """Find the cause of a refusal at the gateway, since the room's own words are not documented.

    The gateway's room has roles and says whether it has a password (seen in public bots).

    Raises:
        Unexplained: The gateway shows nothing either: a full room, or a rule of its own.
    """
    settings = context.settings
    try:
        room = await context.gateway.room(settings.room_uuid)
    except NotFound:
        exc.args = (f"no such room: {exc}; the gateway knows none of ROOM_UUID",)
        exc.remedy = (
            "Correct ROOM_UUID; `hangbot init --room SLUG` finds it by the room's name in its address."
        )
        return
    except HangbotError:
        room = {}
    if "banned" in _roles(room, settings.chat_uid):
        exc.args = (f"the bot is banned from the room: {exc}",)
        exc.remedy = "Ask a moderator of the room to lift the ban; do not try again before."
    elif room.get("isPasswordProtected") is True:
        exc.args = (f"the room has a password: {exc}",)
        exc.remedy = "Ask the room's owner to open it: hangbot joins rooms without a password."
    else:
        raise Unexplained(
            f"{exc}; these are the server's own words, and the gateway tells no cause", remedy=exc.remedy
        ) from exc


def _roles(room: Mapping[str, Any], uid: str | None) -> set[object]:
    rows = room.get("roomRoles")
    return {
        row.get("role")
        for row in (rows if isinstance(rows, list) else ())
        if isinstance(row, dict) and row.get("userUuid") == uid
    }


@check(
    "clock",
    "Clock agrees with the server",
    needs=("room.joined",),
    remedy="Set the clock: `timedatectl set-ntp true`.",
)
async def clock_offset(context: CheckContext) -> Finding:
    """This machine's clock agrees with the room server's."""
    async with context.open_room() as room:
        await room.welcome(context.settings.welcome_timeout)
        await room.join()
        theirs = (room.joined or {}).get("serverTime")
    if isinstance(theirs, bool) or not isinstance(theirs, int | float):
        return Finding("the room server does not tell its time", "Nothing to do.")
    offset = context.clock.wall() - theirs / 1000
    if abs(offset) > _CLOCK_OFF:
        word = "ahead of" if offset > 0 else "behind"
        return Finding(f"this machine's clock is {abs(offset):.0f} s {word} the room server's", SET_THE_CLOCK)
    return Finding(f"the clocks agree within {max(abs(offset), 0.1):.1f} s")

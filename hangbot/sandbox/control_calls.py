"""The calls of the control API: each reads its body, acts on the sandbox, and answers with JSON."""

from collections.abc import Awaitable, Callable
from typing import Concatenate, Final

from hangbot.sandbox.control_request import (
    Body,
    MalformedCall,
    UnknownThing,
    answer,
    duration,
    json_object,
    query_of,
)
from hangbot.sandbox.page import page
from hangbot.sandbox.room.room import Room
from hangbot.sandbox.sandbox import Sandbox, state_of
from hangbot.sandbox.services import SERVICES
from hangbot.web.http import Request, Response

__all__ = ["CALLS", "ControlCall"]

ControlCall = Callable[Concatenate[Sandbox, Request, ...], Awaitable[Response]]
"""A call; the segments that its path leaves open follow the request."""

_FAULT_FIELDS: Final = ("on", "do", "name", "times", "after", "ms", "status", "headers", "body")
_LONGEST_NUMBER: Final = 18
_LONGEST_S: Final = 366 * 24 * 3600
"""Seconds that the clock is moved at a time, or a service is away."""


def _room(sandbox: Sandbox, request: Request) -> Room:
    uuid = query_of(request, "room")
    if not uuid:
        return sandbox.room
    room = sandbox.rooms.get(uuid)
    if room is None:
        raise UnknownThing(f"no room {uuid}")
    return room


def _known(sandbox: Sandbox, uid: str) -> str:
    if uid not in sandbox.people:
        raise UnknownThing(f"no user {uid}")
    return uid


# -- looking


async def _page(_sandbox: Sandbox, _request: Request) -> Response:
    return page()


async def _journal(sandbox: Sandbox, request: Request) -> Response:
    text = query_of(request, "since") or "0"
    if not (text.isascii() and text.isdigit()) or len(text) > _LONGEST_NUMBER:
        raise MalformedCall("since must be the number of an event, 0 or more")
    events, truncated = sandbox.journal.since(int(text))
    return answer({"events": events, "truncated": truncated})


async def _messages(sandbox: Sandbox, _request: Request) -> Response:
    return answer({"messages": sandbox.messages})


async def _state(sandbox: Sandbox, request: Request) -> Response:
    return answer({"state": state_of(_room(sandbox, request))})


async def _clock(sandbox: Sandbox, _request: Request) -> Response:
    return answer({"now_s": sandbox.clock.now_s()})


# -- users


async def _users(sandbox: Sandbox, request: Request) -> Response:
    room = _room(sandbox, request)
    users = [
        {
            "uid": person.uid,
            "nickname": person.nickname,
            "role": person.role,
            "in_room": person.uid in room,
            "is_bot": person.uid == sandbox.bot.uid,
        }
        for person in sandbox.people
    ]
    return answer({"users": users})


async def _add_user(sandbox: Sandbox, request: Request) -> Response:
    body = json_object(request, {"nickname": str}, {"role": str, "room_role": str})
    try:
        actor = sandbox.users.add(body["nickname"], body.get("role", "user"), room_role=body.get("room_role"))
    except ValueError as exc:
        raise MalformedCall(str(exc)) from None
    return answer({"uid": actor.uid, "token": actor.token, "chat_token": actor.chat_token})


async def _act(sandbox: Sandbox, request: Request, uid: str, act: str) -> Response:
    actor, room = sandbox.users.get(_known(sandbox, uid)), _room(sandbox, request)
    match act:
        case "join":
            json_object(request)
            await actor.join(room)
        case "leave":
            json_object(request)
            await actor.leave(room)
        case "say":
            body = json_object(request, {"text": str})
            return answer({"message": await actor.say(body["text"], room)})
        case "dm":
            body = json_object(request, {"to": str, "text": str})
            return answer({"message": await actor.dm(_known(sandbox, body["to"]), body["text"])})
        case "vote":
            body = json_object(request, {}, {"like": bool, "star": bool})
            if not body:
                raise MalformedCall("like is missing: true or false")
            await actor.vote(like=body.get("like"), star=body.get("star"), room=room)
        case "dj":
            body = json_object(request, {}, {"song": dict})
            await actor.dj(body.get("song"), room)
        case _:
            raise UnknownThing(f"a user cannot {act}, only join, leave, say, dm, vote and dj")
    return answer({})


# -- moderators, time, the service


def _on_room(act: Callable[[Sandbox, Room], Awaitable[object]]) -> ControlCall:
    """Make a call about a room, without a body."""

    async def call(sandbox: Sandbox, request: Request) -> Response:
        json_object(request)
        await act(sandbox, _room(sandbox, request))
        return answer({})

    return call


def _on_user(act: Callable[[Sandbox, str, Room], Awaitable[object]]) -> ControlCall:
    """Make a call about a user and a room."""

    async def call(sandbox: Sandbox, request: Request) -> Response:
        uid = _known(sandbox, json_object(request, {"uid": str})["uid"])
        await act(sandbox, uid, _room(sandbox, request))
        return answer({})

    return call


async def _forget(sandbox: Sandbox, uid: str, room: Room) -> None:
    if uid not in room:
        raise UnknownThing(f"the user {uid} is not in the room")
    await sandbox.forget(uid, room)


async def _restart(sandbox: Sandbox, request: Request) -> Response:
    body = json_object(request, {}, {"down_ms": (int, float), "services": list})
    down_ms = duration(body.get("down_ms", 0), "down_ms", most=1000 * _LONGEST_S)
    try:
        await sandbox.restart(down_ms, body.get("services", SERVICES))
    except ValueError as exc:
        raise MalformedCall(str(exc)) from None
    return answer({})


async def _advance(sandbox: Sandbox, request: Request) -> Response:
    body = json_object(request, {"advance_s": (int, float)})
    await sandbox.advance(duration(body["advance_s"], "advance_s", most=_LONGEST_S))
    return answer({})


async def _reset(sandbox: Sandbox, request: Request) -> Response:
    json_object(request)
    await sandbox.reset()
    return answer({})


# -- faults


async def _add_fault(sandbox: Sandbox, request: Request) -> Response:
    body: Body = json_object(request, {"on": str, "do": str}, dict.fromkeys(_FAULT_FIELDS, object))
    try:
        fault = sandbox.faults.add(body.pop("on"), body.pop("do"), **body)
    except ValueError as exc:
        raise MalformedCall(str(exc)) from None
    return answer({"id": fault.id})


async def _list_faults(sandbox: Sandbox, _request: Request) -> Response:
    return answer({"faults": sandbox.faults.list()})


async def _clear_faults(sandbox: Sandbox, _request: Request) -> Response:
    sandbox.faults.clear()
    return answer({})


async def _remove_fault(sandbox: Sandbox, _request: Request, number: str) -> Response:
    try:
        sandbox.faults.remove(int(number))
    except (ValueError, KeyError):
        raise UnknownThing(f"no fault {number}") from None
    return answer({})


CALLS: Final[dict[str, dict[str, ControlCall]]] = {
    "": {"GET": _page},
    "journal": {"GET": _journal},
    "messages": {"GET": _messages},
    "state": {"GET": _state},
    "users": {"GET": _users, "POST": _add_user},
    "users/{}/{}": {"POST": _act},
    "room/kick": {"POST": _on_user(Sandbox.kick)},
    "room/ban": {"POST": _on_user(Sandbox.ban)},
    "room/unban": {"POST": _on_user(Sandbox.unban)},
    "room/forget": {"POST": _on_user(_forget)},
    "room/silence": {"POST": _on_room(Sandbox.silence)},
    "room/reset": {"POST": _on_room(Sandbox.reset_room)},
    "room/next-song": {"POST": _on_room(Sandbox.next_song)},
    "chat/kick": {"POST": _on_user(lambda sandbox, uid, room: sandbox.chat.kick(uid, room.uuid))},
    "chat/ban": {"POST": _on_user(lambda sandbox, uid, room: sandbox.chat.ban(uid, room.uuid))},
    "chat/unban": {"POST": _on_user(lambda sandbox, uid, room: sandbox.chat.unban(uid, room.uuid))},
    "restart": {"POST": _restart},
    "clock": {"GET": _clock, "POST": _advance},
    "reset": {"POST": _reset},
    "faults": {"GET": _list_faults, "POST": _add_fault, "DELETE": _clear_faults},
    "faults/{}": {"DELETE": _remove_fault},
}
"""By path (a pattern of ``match_path``) and method."""

"""The control API: faults, journal, actors and time over HTTP, for bots in any language.

Loopback only, and only for requests that name a loopback host: a page from elsewhere in a
developer's browser could otherwise steer the sandbox (or, by DNS rebinding, read it).
"""

import json
from collections.abc import Callable, Coroutine
from functools import partial
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from hangbot.sandbox.actors import Actor
from hangbot.sandbox.chat.rules import ChatRefusal
from hangbot.sandbox.http import Request, Response
from hangbot.sandbox.http_server import Handler
from hangbot.sandbox.page import page
from hangbot.sandbox.room.room import ActionRefused, Room
from hangbot.sandbox.service import Sandbox, state_of
from hangbot.sandbox.services import SERVICES

__all__ = ["LARGEST_COMMAND", "control_api"]

LARGEST_COMMAND: Final = 16 * 1024 * 1024
"""Bytes of a request to the control API."""

Body = dict[str, Any]
Call = Callable[[Request], Coroutine[Any, Any, Response]]

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_FAULT_FIELDS: Final = frozenset({"on", "do", "times", "after", "ms", "status", "headers", "body"})


class _Malformed(Exception):
    """A request that cannot be understood: 400."""


class _Unknown(Exception):
    """A thing that does not exist: 404."""


def control_api(sandbox: Sandbox) -> Handler:
    """The control API of a sandbox."""
    return _Control(sandbox).handle


class _Control:
    """The calls; each reads its body, acts on the sandbox, and answers with JSON."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def handle(self, request: Request) -> Response:
        """Loopback hosts and origins only; every refusal is a JSON object with ``error``."""
        if not _is_loopback(f"http://{request.headers.get('Host', '')}"):
            return _answer({"error": "the control API answers on 127.0.0.1 only"}, 403)
        origin = request.headers.get("Origin")
        if origin is not None and not _is_loopback(origin):
            return _answer({"error": "the control API does not answer other hosts' pages"}, 403)
        try:
            return await self._route(request)
        except _Malformed as exc:
            return _answer({"error": str(exc)}, 400)
        except (ActionRefused, ChatRefusal) as exc:
            return _answer({"error": f"refused: {exc}"}, 400)
        except _Unknown as exc:
            return _answer({"error": str(exc)}, 404)

    async def _route(self, request: Request) -> Response:
        if request.too_large:
            return _refusal(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        segments = tuple(unquote(part) for part in _path(request).removeprefix("/").split("/"))
        calls = self._calls(segments)
        call = calls.get("GET" if request.method == "HEAD" else request.method)
        if call is None:
            return _refusal(request, HTTPStatus.METHOD_NOT_ALLOWED if calls else HTTPStatus.NOT_FOUND)
        return await call(request)

    def _calls(self, segments: tuple[str, ...]) -> dict[str, Call]:
        """What can be called at a path, by method."""
        match segments:
            case ["users", uid, act]:
                return {"POST": partial(self.act, uid=uid, act=act)}
            case ["faults", number]:
                return {"DELETE": partial(self.remove_fault, number=number)}
            case _:
                calls: dict[tuple[str, ...], dict[str, Call]] = {
                    ("",): {"GET": self.page},
                    ("journal",): {"GET": self.journal},
                    ("messages",): {"GET": self.messages},
                    ("state",): {"GET": self.state},
                    ("users",): {"GET": self.users, "POST": self.add_user},
                    ("room", "kick"): {"POST": self.kick},
                    ("room", "ban"): {"POST": self.ban},
                    ("room", "unban"): {"POST": self.unban},
                    ("chat", "kick"): {"POST": self.kick_from_chat},
                    ("chat", "ban"): {"POST": self.ban_from_chat},
                    ("chat", "unban"): {"POST": self.unban_from_chat},
                    ("room", "forget"): {"POST": self.forget},
                    ("room", "silence"): {"POST": self.silence},
                    ("room", "reset"): {"POST": self.reset_room},
                    ("room", "next-song"): {"POST": self.next_song},
                    ("restart",): {"POST": self.restart},
                    ("clock",): {"GET": self.clock, "POST": self.advance},
                    ("reset",): {"POST": self.reset},
                    ("faults",): {
                        "POST": self.add_fault,
                        "GET": self.list_faults,
                        "DELETE": self.clear_faults,
                    },
                }
                return calls.get(segments, {})

    # -- looking

    async def page(self, _request: Request) -> Response:
        return page()

    async def journal(self, request: Request) -> Response:
        text = _query(request, "since") or "0"
        if not (text.isascii() and text.isdigit()) or len(text) > 18:  # noqa: PLR2004  an event number
            raise _Malformed("since must be the number of an event, 0 or more")
        events, truncated = self._sandbox.journal.since(int(text))
        return _answer({"events": events, "truncated": truncated})

    async def messages(self, _request: Request) -> Response:
        return _answer({"messages": self._sandbox.messages})

    async def state(self, request: Request) -> Response:
        return _answer({"state": state_of(self._room(request))})

    # -- other people

    async def users(self, request: Request) -> Response:
        room, bot = self._room(request), self._sandbox.bot
        return _answer(
            {
                "users": [
                    {
                        "uid": person.uid,
                        "nickname": person.nickname,
                        "role": person.role,
                        "in_room": person.uid in room,
                        "is_bot": person.uid == bot.uid,
                    }
                    for person in self._sandbox.people
                ]
            }
        )

    async def add_user(self, request: Request) -> Response:
        body = _body(request, {"nickname": str}, {"role": str, "room_role": str})
        try:
            actor = self._sandbox.users.add(
                body["nickname"], body.get("role", "user"), room_role=body.get("room_role")
            )
        except ValueError as exc:
            raise _Malformed(str(exc)) from None
        return _answer({"uid": actor.uid, "token": actor.token, "chat_token": actor.chat_token})

    async def act(self, request: Request, *, uid: str, act: str) -> Response:
        if uid not in self._sandbox.people:
            raise _Unknown(f"no user {uid}")
        actor, room = self._sandbox.users.get(uid), self._room(request)
        match act:
            case "join":
                _body(request)
                await actor.join(room)
            case "leave":
                _body(request)
                await actor.leave(room)
            case "say":
                body = _body(request, {"text": str})
                return _answer({"message": await actor.say(body["text"], room)})
            case "dm":
                return await self._dm(actor, _body(request, {"to": str, "text": str}))
            case "vote":
                body = _body(request, {}, {"like": bool, "star": bool})
                if not body:
                    raise _Malformed("like is missing: true or false")
                await actor.vote(like=body.get("like"), star=body.get("star"), room=room)
            case "dj":
                body = _body(request, {}, {"song": dict})
                await actor.dj(body.get("song"), room)
            case _:
                raise _Unknown(f"a user cannot {act}; he can join, leave, say, dm, vote and dj")
        return _answer({})

    async def _dm(self, actor: Actor, body: Body) -> Response:
        if body["to"] not in self._sandbox.people:
            raise _Unknown(f"no user {body['to']}")
        return _answer({"message": await actor.dm(body["to"], body["text"])})

    # -- moderators, time, the service

    async def kick(self, request: Request) -> Response:
        uid, room = await self._target(request)
        await self._sandbox.kick(uid, room)
        return _answer({})

    async def ban(self, request: Request) -> Response:
        uid, room = await self._target(request)
        await self._sandbox.ban(uid, room)
        return _answer({})

    async def unban(self, request: Request) -> Response:
        uid, room = await self._target(request)
        await self._sandbox.unban(uid, room)
        return _answer({})

    async def kick_from_chat(self, request: Request) -> Response:
        uid, room = await self._target(request)
        await self._sandbox.chat.kick(uid, room.uuid)
        return _answer({})

    async def ban_from_chat(self, request: Request) -> Response:
        uid, room = await self._target(request)
        await self._sandbox.chat.ban(uid, room.uuid)
        return _answer({})

    async def unban_from_chat(self, request: Request) -> Response:
        uid, room = await self._target(request)
        await self._sandbox.chat.unban(uid, room.uuid)
        return _answer({})

    async def forget(self, request: Request) -> Response:
        uid, room = await self._target(request)
        if uid not in room:
            raise _Unknown(f"the user {uid} is not in the room")
        await self._sandbox.forget(uid, room)
        return _answer({})

    async def silence(self, request: Request) -> Response:
        _body(request)
        await self._sandbox.silence(self._room(request))
        return _answer({})

    async def reset_room(self, request: Request) -> Response:
        _body(request)
        await self._sandbox.reset_room(self._room(request))
        return _answer({})

    async def next_song(self, request: Request) -> Response:
        _body(request)
        await self._sandbox.next_song(self._room(request))
        return _answer({})

    async def restart(self, request: Request) -> Response:
        body = _body(request, {}, {"down_ms": (int, float), "services": list})
        down_ms, services = _positive(body.get("down_ms", 0), "down_ms"), body.get("services", SERVICES)
        try:
            await self._sandbox.restart(down_ms, services)
        except ValueError as exc:
            raise _Malformed(str(exc)) from None
        return _answer({})

    async def clock(self, _request: Request) -> Response:
        return _answer({"now_s": self._sandbox.clock.now_s()})

    async def advance(self, request: Request) -> Response:
        body = _body(request, {"advance_s": (int, float)})
        await self._sandbox.advance(_positive(body["advance_s"], "advance_s"))
        return _answer({})

    async def reset(self, request: Request) -> Response:
        _body(request)
        await self._sandbox.reset()
        return _answer({})

    # -- faults

    async def add_fault(self, request: Request) -> Response:
        body = _body(request, {"on": str, "do": str}, dict.fromkeys(_FAULT_FIELDS, object))
        try:
            fault = self._sandbox.faults.add(body.pop("on"), body.pop("do"), **body)
        except ValueError as exc:
            raise _Malformed(str(exc)) from None
        return _answer({"id": fault.id})

    async def list_faults(self, _request: Request) -> Response:
        return _answer({"faults": self._sandbox.faults.list()})

    async def clear_faults(self, _request: Request) -> Response:
        self._sandbox.faults.clear()
        return _answer({})

    async def remove_fault(self, _request: Request, *, number: str) -> Response:
        try:
            self._sandbox.faults.remove(int(number))
        except (ValueError, KeyError):
            raise _Unknown(f"no fault {number}") from None
        return _answer({})

    # -- inside

    def _room(self, request: Request) -> Room:
        uuid = _query(request, "room")
        if not uuid:
            return self._sandbox.room
        room = self._sandbox.rooms.get(uuid)
        if room is None:
            raise _Unknown(f"no room {uuid}")
        return room

    async def _target(self, request: Request) -> tuple[str, Room]:
        body = _body(request, {"uid": str})
        if body["uid"] not in self._sandbox.people:
            raise _Unknown(f"no user {body['uid']}")
        return body["uid"], self._room(request)


def _body(request: Request, needs: dict[str, Any] | None = None, may: dict[str, Any] | None = None) -> Body:
    """The request's JSON object: the fields it needs and may have, of those types, and no others."""
    needs, may = needs or {}, may or {}
    raw = request.body
    if raw is None:
        raise _Malformed("the body cannot be unpacked")
    try:
        body = json.loads(raw) if raw.strip() else {}
    except (ValueError, RecursionError):
        raise _Malformed("the body is no JSON") from None
    if not isinstance(body, dict):
        raise _Malformed("the body must be a JSON object")
    for name, value in body.items():
        wanted = needs.get(name) or may.get(name)
        if wanted is None:
            raise _Malformed(f"unknown field: {name}")
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted not in {bool, object}):
            raise _Malformed(f"{name} is of the wrong type")
    for name in needs:
        if name not in body:
            raise _Malformed(f"{name} is missing")
    return body


def _positive(number: float, name: str) -> float:
    if not 0 <= number < 10 * 365 * 24 * 3600 * 1000:
        raise _Malformed(f"{name} must be 0 or more")
    return number


def _is_loopback(url: str) -> bool:
    try:
        return urlsplit(url).hostname in _LOOPBACK
    except ValueError:
        return False


def _path(request: Request) -> str:
    return request.target.partition("?")[0]


def _query(request: Request, name: str) -> str:
    query = request.target.partition("?")[2]
    return parse_qs(query, keep_blank_values=True).get(name, [""])[0]


def _refusal(request: Request, status: HTTPStatus) -> Response:
    return _answer({"error": f"{status.phrase}: {request.method} {unquote(_path(request))}"}, status)


def _answer(body: Body, status: int = 200) -> Response:
    text = json.dumps(body, default=str)
    return Response(status, text.encode(), {"Content-Type": "application/json; charset=utf-8"})

"""Plays the recording of OpenChat against a chat service, and says where the two differ.

A line of `chat_openchat.jsonl` is a world (a fresh server, on which the lines of `starts` are played
first) or a step in it: a call (`do`, `by` whose token or `the key`, further `headers`, `json` or `raw`),
a socket opened, spoken on or closed (`ws-open` … with its name), or a `wait`. What came back stands
beside it: `status`, `body` and `heard` by each socket, in the form of `shorthand`; `same` names the line
whose body it repeats. `${NAME.id}`, `${NAME.at}` and `${NAME.ms}` are the id and time of the message
that the line with `save` NAME made, with `+N`, `-N` or `*N` behind. After a `rebuilt` line (a 500 had
cost the recorded server its memory) the world begins anew, with its `state` lines. Numbers that are
missing are calls that were not handed on.
"""

import json
import re
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, Final

import aiohttp
from yarl import URL

from hangbot.sandbox.chat.server import ChatService
from tests.bounds import WITHIN
from tests.sandbox.chat.shorthand import short

RECORDING: Final = Path(__file__).parents[1] / "samples" / "chat_openchat.jsonl"
VARIABLE: Final = re.compile(r"\$\{([\w-]+)\.(\w+)((?:[+*-]\d+)*)\}")
SECOND_S: Final = 1.0

Line = dict[str, Any]


class Server:
    """A chat service that answers on loopback, and a client for it."""

    def __init__(self, service: ChatService, http: aiohttp.ClientSession, url: str) -> None:
        self.service = service
        self.http = http
        self.url = url


def worlds() -> dict[str, list[Line]]:
    """Every world's lines, the first of which describes it."""
    found: dict[str, list[Line]] = {}
    for line in _lines():
        if "world" in line:
            found[line["world"]] = [line]
        elif "start" not in line:
            found[next(reversed(found))].append(line)
    return found


def _lines() -> list[Line]:
    with RECORDING.open(encoding="utf-8") as file:  # whose lines end at no other sign than \n
        lines = [json.loads(text) for text in file]
    by_number = {line["n"]: line for line in lines}
    for line in lines:
        if "same" in line:
            line["body"] = by_number[line["same"]]["body"]
    return lines


def _starts(names: Iterable[str]) -> list[Line]:
    return [line for name in names for line in _lines() if line.get("start") == name]


class Player:
    """Plays the lines of one world.

    Args:
        open_server: Opens a fresh server.
        pass_time: Lets so many seconds pass on its clock.
    """

    def __init__(
        self, open_server: Callable[[], Awaitable[Server]], pass_time: Callable[[float], None]
    ) -> None:
        self._open_server = open_server
        self._pass_time = pass_time
        self._saved: dict[str, dict[str, Any]] = {}
        self._sockets: dict[str, aiohttp.ClientWebSocketResponse] = {}
        self._server: Server

    async def differences(self, lines: list[Line]) -> list[str]:
        """Play a world from its first line on: what differs, in words, a sentence a line."""
        world, *steps = lines
        before = _starts(world["starts"])
        await self._begin(before)
        found = []
        for line in steps:
            got = await self._play(line)
            found += [f"{_named(line)}: {told}" for told in _differences(line, got)]
            if line.get("state") or line.get("seed"):
                before.append(line)
            if line.get("rebuilt"):
                await self._begin(before)
        for socket in self._sockets.values():
            await socket.close()
        return found

    async def _begin(self, before: list[Line]) -> None:
        self._server = await self._open_server()
        self._saved = {"admin": {"key": self._server.service.api_key}, "token": {}, "jwt": {}}
        for line in before:
            await self._play(line)

    async def _play(self, line: Line) -> Line:
        if "wait" in line:
            self._pass_time(SECOND_S)
            return {}
        if "do" in line:
            got = await self._call(line)
        elif "ws-open" in line:
            got = await self._open(line)
        elif "ws-close" in line:
            await self._sockets.pop(line["ws-close"]).close()
            got = {}
        else:
            frame = self._filled(line["frame"])
            await self._sockets[line["ws-send"]].send_str(
                frame if isinstance(frame, str) else json.dumps(frame)
            )
            # A ping read together with the frame would be answered before it: once this is, it was read.
            await (await self._server.http.get(f"{self._server.url}/health")).read()
            got = {}
        return got | await self._heard()

    # -- calls

    async def _call(self, line: Line) -> Line:
        method, _, path = line["do"].partition(" ")
        headers = self._filled(line.get("headers", {}))
        match line.get("by"):
            case None:
                pass
            case "the key":
                headers["apikey"] = self._server.service.api_key
            case uid:
                headers |= {"authtoken": self._saved["token"].get(uid, ""), "appid": "testapp"}
        data = self._filled(line["raw"]) if "raw" in line else None
        if "json" in line:
            data = json.dumps(self._filled(line["json"]))
        if data is not None and "content-type" not in headers:
            headers["content-type"] = "application/json"
        address = URL(self._server.url + self._filled(path), encoded=True)
        async with self._server.http.request(method, address, headers=headers, data=data) as answer:
            text = await answer.text()
        try:
            body = json.loads(text)
        except ValueError:
            body = text
        self._learn(line, body)
        return {"status": answer.status} | ({"body": short(body)} if text else {})

    def _learn(self, line: Line, body: Any) -> None:  # noqa: ANN401  any JSON value
        data = body.get("data") if isinstance(body, dict) else None
        data = data if isinstance(data, dict) else {}
        if "save" in line:
            at = data.get("sentAt", 0)
            self._saved[line["save"]] = {"id": data.get("id", 0), "at": at, "ms": at * 1000}
        for secret, kept in (("authToken", "token"), ("jwt", "jwt")):
            if secret in data and "uid" in data:
                self._saved[kept].setdefault(data["uid"], data[secret])

    def _filled(self, value: Any) -> Any:  # noqa: ANN401  any JSON value
        if isinstance(value, dict):
            return {self._filled(name): self._filled(part) for name, part in value.items()}
        if isinstance(value, list):
            return [self._filled(part) for part in value]
        if not isinstance(value, str):
            return value
        whole = VARIABLE.fullmatch(value)
        return self._variable(whole) if whole else VARIABLE.sub(lambda m: str(self._variable(m)), value)

    def _variable(self, found: re.Match[str]) -> Any:  # noqa: ANN401  a text or a number
        value = self._saved.get(found[1], {}).get(found[2], 0)
        for sign, number in re.findall(r"([+*-])(\d+)", found[3]):
            value = {"+": value + int(number), "-": value - int(number), "*": value * int(number)}[sign]
        return value

    # -- sockets

    async def _open(self, line: Line) -> Line:
        try:
            self._sockets[line["ws-open"]] = await self._server.http.ws_connect(
                self._server.url + line["path"], headers=self._filled(line.get("headers", {})), autoping=False
            )
        except aiohttp.WSServerHandshakeError as refused:
            return {"status": refused.status}
        return {"status": 101}

    async def _heard(self) -> Line:
        """Everything that came until now: each socket asks for a sign of life, which comes behind it."""
        heard: dict[str, list[Any]] = {}
        closed: dict[str, int | None] = {}
        for name, socket in tuple(self._sockets.items()):
            frames, code = await _until_now(socket)
            if frames:
                heard[name] = frames
            if socket.closed:
                closed[name] = code
                del self._sockets[name]
        return ({"heard": heard} if heard else {}) | ({"closed": closed} if closed else {})


async def _until_now(socket: aiohttp.ClientWebSocketResponse) -> tuple[list[Any], int | None]:
    frames: list[Any] = []
    await socket.ping(b"now")
    while True:
        message = await socket.receive(timeout=WITHIN)
        match message.type:
            case aiohttp.WSMsgType.PONG:
                return frames, None
            case aiohttp.WSMsgType.TEXT:
                frames.append(short(json.loads(message.data)))
            case aiohttp.WSMsgType.CLOSE | aiohttp.WSMsgType.CLOSED | aiohttp.WSMsgType.CLOSING:
                return frames, socket.close_code
            case _:
                pass


# -- in words


def _named(line: Line) -> str:
    deed = line.get("do") or next(
        f"{name} {line[name]} {json.dumps(line.get('frame', ''))}" for name in line if name.startswith("ws-")
    )
    body = f" {json.dumps(line['json'], ensure_ascii=False)}" if "json" in line else ""
    return f"line {line['n']}, {line.get('by', 'nobody')}: {deed}{body}"[:400]


def _differences(line: Line, got: Line) -> list[str]:
    told = []
    if not line.get("seed"):
        if line.get("status") != got.get("status"):
            told.append(f"status {line.get('status')} there, {got.get('status')} here")
        if line.get("body") != got.get("body"):
            told.append(_apart(line.get("body"), got.get("body"), "answer"))
    if line.get("closed") != got.get("closed"):
        told.append(f"closed {line.get('closed')} there, {got.get('closed')} here")
    there = {name: frames for names, frames in line.get("heard", {}).items() for name in names.split()}
    here = got.get("heard", {})
    told += [
        _apart(there.get(name, []), here.get(name, []), f"what {name} heard")
        for name in sorted(set(there) | set(here))
        if there.get(name) != here.get(name)
    ]
    return told


def _apart(there: Any, here: Any, where: str) -> str:  # noqa: ANN401  any JSON value
    """Find the first place in which two values differ."""
    if isinstance(there, dict) and isinstance(here, dict):
        for name in [*there, *(name for name in here if name not in there)]:
            if name not in there or name not in here:
                only = "there" if name in there else "here"
                return f"{where} has {name!r} only {only}: {(there if only == 'there' else here)[name]!r}"
            if there[name] != here[name]:
                return _apart(there[name], here[name], f"{where}.{name}")
    if isinstance(there, list) and isinstance(here, list):
        for index, (one, other) in enumerate(zip(there, here, strict=False)):
            if one != other:
                return _apart(one, other, f"{where}[{index}]")
        return f"{where} has {len(there)} items there, {len(here)} here"
    return f"{where} is {there!r} there, {here!r} here"

"""A whole sandbox over real sockets against a small model of it.

Random users act over the room socket, the chat and the control API, while faults hit and
connections die. After every step the model must agree with what `/state` and `/messages`
say, and every connected client that applied each patch strictly must hold the same state.
The clients are bare `websockets` and `aiohttp`: nothing of hangbot's own.
"""

import asyncio
import itertools
import json
from collections.abc import Coroutine
from contextlib import AsyncExitStack, suppress
from typing import Any, Literal, TypeVar

import aiohttp
import jsonpatch
import jsonpointer
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from hangbot.sandbox import Actor, RoomVariants, Sandbox, open_sandbox
from tests.bounds import WITHIN
from tests.quick_runner import QuickRunner

T = TypeVar("T")
SONG_S = 86_400
LEFT_S = 300
CLIENTS = ("c0", "c1", "c2")
ACTORS = ("a0", "a1", "c1")  # one of them has clients, too
EVERYBODY = ("c0", "c1", "c2", "a0", "a1")
ENDS = {"refuse", "abort", "close", "close_deliberate", "cut_after_store"}
NOT_DONE = {"refuse", "status"}


class Refused(Exception):
    """The model says that this cannot be done."""


class Model:
    """Who is in the room, who plays what, and what was said: no more than people would tell each other."""

    def __init__(self) -> None:
        self.present: list[str] = []
        self.holds: dict[str, set[str]] = {name: set() for name in EVERYBODY}
        self.lingering: list[str] = []
        self.banned: set[str] = set()
        self.line: list[list[Any]] = []
        self.playing: str | None = None
        self.votes: dict[str, dict[str, bool]] = {}
        self.counts = {"likes": 0, "dislikes": 0, "stars": 0}
        self.said: list[list[str]] = []

    # -- who is here

    def enter(self, who: str, hold: str) -> None:
        if who in self.banned:
            raise Refused
        self.holds[who].add(hold)
        if who in self.lingering:
            self.lingering.remove(who)
        if who not in self.present:
            self.present.append(who)
            self.votes[who] = {}

    def lose(self, who: str, hold: str) -> None:
        if hold in self.holds[who]:
            self.holds[who].remove(hold)
            if not self.holds[who]:
                self.lingering.append(who)

    def let_go(self, who: str) -> None:
        self.holds[who].discard("actor")
        if not self.holds[who]:
            self.leave(who)

    def leave(self, who: str) -> None:
        if who in self.lingering:
            self.lingering.remove(who)
        self.holds[who].clear()
        if who in self.present:
            self.step_down(who)
            self.present.remove(who)
            del self.votes[who]

    def time_passes(self) -> None:
        for who in tuple(self.lingering):
            self.leave(who)

    def expel(self, who: str, connections: set[str], *, ban: bool) -> None:
        self.step_down(who)
        if ban:
            self.banned.add(who)
            if who in self.present:  # whoever is given a role goes to the end of those of his rank
                self.present.remove(who)
                self.present.append(who)
        self.holds[who] &= connections
        if not connections:
            self.leave(who)

    def reset(self) -> None:
        said, banned = self.said, self.banned
        self.__init__()  # type: ignore[misc]  # an empty room is a new one
        self.said, self.banned = said, banned

    # -- the stage

    def index(self, who: str) -> int | None:
        return next((n for n, (dj, _) in enumerate(self.line) if dj == who), None)

    def require(self, who: str, *, dj: bool | None = None, music: bool = False) -> None:
        if who not in self.present:
            raise Refused
        if dj is not None and (self.index(who) is not None) != dj:
            raise Refused
        if music and self.playing is None:
            raise Refused

    def play(self, *, over: bool) -> None:
        line = [*self.line[1:], *self.line[:1]] if over else self.line
        at = next((n for n, (_, song) in enumerate(line) if song is not None), None)
        if at is None and self.playing is None:
            return
        self.counts = dict.fromkeys(self.counts, 0)
        self.votes = {who: {} for who in self.votes}
        if at is None:
            self.playing = None
            return
        self.line = [*line[at:], *line[:at]]
        self.playing, self.line[0][1] = self.line[0][1], None

    def step_down(self, who: str) -> None:
        at = self.index(who)
        if at is None:
            return
        del self.line[at]
        if at == 0 and self.playing is not None:
            self.play(over=False)

    def act(self, who: str, action: str, song: str | None, vote: dict[str, bool]) -> None:
        match action:
            case "addDj":
                self.require(who, dj=False)
                if who in self.banned:
                    raise Refused
                self.line.append([who, song])
            case "updateNextSong":
                self.require(who, dj=True)
                self.line[self.index(who) or 0][1] = song
            case "removeDj":
                self.require(who, dj=True)
                self.step_down(who)
                return
            case "skipSong":
                self.require(who, music=True)
                if self.index(who) != 0:
                    raise Refused
                self.play(over=True)
                return
            case "voteOnSong":
                self.require(who, music=True)
                self.vote(who, vote)
                return
            case _:
                self.require(who)
                return
        if self.playing is None and song is not None:
            self.play(over=False)

    def vote(self, who: str, vote: dict[str, bool]) -> None:
        for given, sign in ((self.votes[who], -1), ({**self.votes[who], **vote}, 1)):
            if "like" in given:
                self.counts["likes" if given["like"] else "dislikes"] += sign
            self.counts["stars"] += sign * given.get("star", False)
        self.votes[who] |= vote

    # -- chat

    def speak(self, who: str, text: str, *, direct: bool) -> None:
        if who in self.banned and not direct:
            raise Refused
        self.said.append([who, text])


class RoomClient:
    """A bare room client: a reader that answers pings and applies patches, strictly or not at all."""

    def __init__(self, number: int, who: str, ws: ClientConnection) -> None:
        self.number = number
        self.who = who
        self.ws = ws
        self.joined = False
        self.state: Any = None
        self.answers: asyncio.Queue[Any] = asyncio.Queue()
        self.reader = asyncio.create_task(self._read(), name=f"reads for {who}")

    @property
    def hold(self) -> str:
        return f"conn-{self.number}"

    async def _read(self) -> None:
        with suppress(ConnectionClosed):
            async for text in self.ws:
                try:
                    frame = json.loads(text)
                except ValueError:
                    continue
                if isinstance(frame, str) and frame.startswith("primus::ping::"):
                    await self.ws.send(json.dumps(frame.replace("ping", "pong", 1)))
                elif isinstance(frame, dict) and frame.get("context") == "user":
                    self._follow(frame["message"])
                elif isinstance(frame, dict):
                    if "state" in frame:
                        self.state = frame["state"]
                    self.answers.put_nowait(frame)

    def _follow(self, message: dict[str, Any]) -> None:
        if self.state is not None and "statePatch" in message:
            try:
                self.state = jsonpatch.apply_patch(self.state, message["statePatch"])
            except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException):
                self.state = None  # a strict client gives its state up and joins anew

    async def ask(self, request: dict[str, Any]) -> None:
        await self.ws.send(json.dumps(request))

    async def answer(self, number: int) -> Any:  # noqa: ANN401  any JSON value
        while True:
            frame = await asyncio.wait_for(self.answers.get(), WITHIN)
            if frame.get("messageId") == number:
                return frame

    async def end(self) -> None:
        await asyncio.wait_for(self.ws.wait_closed(), WITHIN)
        await self.reader


class SandboxMachine(RuleBasedStateMachine):
    """Random people in a sandbox with random faults."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = QuickRunner()
        self.stack = AsyncExitStack()
        self.model = Model()
        self.clients: dict[int, RoomClient] = {}
        self.numbers = itertools.count(1)
        self.ids = itertools.count(1)
        self.heard: list[str] = []
        self.to_hear: list[str] = []
        self.run(self.open())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def teardown(self) -> None:
        self.run(self.close())
        self.runner.close()

    async def open(self) -> None:
        variants = RoomVariants(
            user_left_s=LEFT_S, profiles_ms=0
        )  # the strict clients here want them at once
        self.sandbox: Sandbox = await self.stack.enter_async_context(open_sandbox(variants=variants))
        self.http = await self.stack.enter_async_context(aiohttp.ClientSession())
        self.users: dict[str, Actor] = {name: self.sandbox.users.add(name) for name in EVERYBODY}
        self.names = {actor.uid: name for name, actor in self.users.items()}
        self.songs = itertools.count(1)
        await self.chat("POST", f"groups/{self.sandbox.room_uuid}/members", "c0")
        self.ears = await self.http.ws_connect(self.sandbox.chat_url)
        self.stack.push_async_callback(self.ears.close)
        auth = {"type": "auth", "body": {"auth": self.users["c0"].chat_token}}
        await self.ears.send_json(auth)
        assert (await self.ears.receive_json(timeout=WITHIN))["body"]["code"] == "200"
        for who in ("c0", "c1"):
            await self._connect(who, join=True)
        await self._actor("c1", "join")

    async def close(self) -> None:
        for client in self.clients.values():
            await client.ws.close()
            await client.reader
        await self.stack.aclose()

    # -- wires

    async def control(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:  # noqa: ANN401  any JSON value
        url = self.sandbox.control_url + path
        async with self.http.request(method, url, json=body) as answer:
            return answer.status, await answer.json()

    async def chat(self, method: str, path: str, who: str, body: Any = None) -> tuple[int | None, Any]:  # noqa: ANN401  any JSON value
        headers = {"authtoken": self.users[who].chat_token}
        url = f"{self.sandbox.chat_url}/v3.0/{path}"
        try:
            async with self.http.request(method, url, headers=headers, json=body) as answer:
                text = await answer.text()
                with suppress(ValueError):
                    return answer.status, json.loads(text)
                return answer.status, text
        except aiohttp.ClientConnectionError:
            return None, None

    async def arm(self, on: str, do: str) -> int:
        status, body = await self.control("POST", "/faults", {"on": on, "do": do, "status": 503})
        assert status == 200, body
        return int(body["id"])

    async def send_action(self, client: RoomClient, action: str, **params: Any) -> int:  # noqa: ANN401  any JSON value
        number = next(self.ids)
        params = {"roomUuid": self.sandbox.room_uuid, **params, "action": action}
        await client.ask({"event": "action", "params": params, "messageId": number})
        return number

    async def ended(self, client: RoomClient) -> None:
        """The connection is gone, and the server has seen it."""
        await client.end()
        await self.sandbox.journal.wait_for(
            lambda e: e["kind"] == "close" and e["dir"] == "in" and e.get("conn") == client.number
        )
        del self.clients[client.number]

    async def join_room(self, client: RoomClient) -> None:
        answer = await client.answer(await self.send_action(client, "joinRoom"))
        self.expect_refusal(answer, lambda: self.model.enter(client.who, client.hold))
        client.joined = client.joined or "error" not in answer

    def expect_refusal(self, answer: Any, do: Any) -> None:  # noqa: ANN401  any JSON value; a call
        try:
            do()
        except Refused:
            assert "error" in answer
        else:
            assert "error" not in answer

    # -- room clients

    def pick(self, which: int) -> RoomClient | None:
        clients = list(self.clients.values())
        return clients[which % len(clients)] if clients else None

    @rule(who=st.sampled_from(CLIENTS), join=st.sampled_from([True, True, True, False]))
    def connect(self, who: str, *, join: bool) -> None:
        if len(self.clients) < 4:
            self.run(self._connect(who, join=join))

    async def _connect(self, who: str, *, join: bool) -> None:
        url = f"{self.sandbox.room_url.replace('http', 'ws', 1)}/primus?token={self.users[who].token}"
        ws = await connect(url, proxy=None, ping_interval=None, close_timeout=WITHIN)
        client = RoomClient(next(self.numbers), who, ws)
        self.clients[client.number] = client
        welcome = await asyncio.wait_for(client.answers.get(), WITHIN)
        assert welcome["context"] == "api"
        if join:
            await self.join_room(client)

    @rule(which=st.integers(0, 3), fault=st.sampled_from([None, "drop", "status"]))
    def join(self, which: int, fault: Literal["drop", "status"] | None) -> None:
        client = self.pick(which)
        if client is not None:
            self.run(self._join(client, fault))

    async def _join(self, client: RoomClient, fault: str | None) -> None:
        if fault == "status":
            await self.arm("room.joinRoom", fault)
            assert "error" in await client.answer(await self.send_action(client, "joinRoom"))
        elif fault == "drop" and client.who not in self.model.banned:
            await self.arm("room.joinRoom", fault)
            await self.send_action(client, "joinRoom")
        await self.join_room(client)

    @rule(which=st.integers(0, 3), how=st.sampled_from(["close", "abort", "quit"]))
    def disconnect(self, which: int, how: str) -> None:
        client = self.pick(which)
        if client is not None:
            self.run(self._disconnect(client, how))

    async def _disconnect(self, client: RoomClient, how: str) -> None:
        match how:
            case "close":
                await client.ws.close()
            case "abort":
                client.ws.transport.abort()
            case _:
                await client.ask({"event": how})
        await self.ended(client)
        self.model.lose(client.who, client.hold)

    @rule(
        which=st.integers(0, 3),
        action=st.sampled_from(
            ["addDj", "addDj", "removeDj", "updateNextSong", "voteOnSong", "skipSong", "playOneTimeAnimation"]
        ),
        with_song=st.booleans(),
        vote=st.dictionaries(st.sampled_from(["like", "star"]), st.booleans(), min_size=1),
        fault=st.none() | st.none() | st.sampled_from(["drop", "duplicate", *sorted(NOT_DONE | ENDS)]),
    )
    def act(
        self, which: int, action: str, vote: dict[str, bool], fault: str | None, *, with_song: bool
    ) -> None:
        client = self.pick(which)
        if client is not None:
            song = f"song {next(self.songs)}" if with_song else None
            self.run(self._act(client, action, song, vote, fault))

    async def _act(
        self, client: RoomClient, action: str, song: str | None, vote: dict[str, bool], fault: str | None
    ) -> None:
        parameters: dict[str, dict[str, Any]] = {
            "addDj": {"song": song and song_named(song)},
            "updateNextSong": {"song": song and song_named(song)},
            "voteOnSong": {"songVotes": vote},
            "playOneTimeAnimation": {"animation": "jump"},
        }
        params = parameters.get(action, {})
        if fault is not None:
            await self.arm("room.action", fault)
        number = await self.send_action(client, action, **params)

        def do() -> None:
            self.model.act(client.who, action, song, vote)

        if fault in ENDS:
            await self.ended(client)
            if fault not in NOT_DONE:
                with suppress(Refused):
                    do()
            self.model.lose(client.who, client.hold)
        elif fault == "status":
            assert "error" in await client.answer(number)
        elif fault == "drop":
            with suppress(Refused):
                do()
        else:
            self.expect_refusal(await client.answer(number), do)
            if fault == "duplicate":
                assert (await client.answer(number))["messageId"] == number

    @rule(deed=st.sampled_from(["drop", "duplicate", "reorder", "garbage"]))
    def spoil_a_room_message(self, deed: str) -> None:
        self.run(self._spoil(deed))

    async def _spoil(self, deed: str) -> None:
        fault = await self.arm("room.message", deed)
        await self._actor("a1", "leave" if "a1" in self.model.present else "join")
        await self.settle()
        hit = self.sandbox.journal.events(fault=fault)
        await self.control("DELETE", "/faults")
        for number in {event["conn"] for event in hit}:
            await self.join_room(self.clients[number])  # what was spoilt is mended by joining

    # -- people without clients

    @rule(
        who=st.sampled_from(ACTORS),
        does=st.sampled_from(["join", "join", "leave", "dj", "vote", "say", "dm"]),
    )
    def actor(self, who: str, does: str) -> None:
        self.run(self._actor(who, does))

    async def _actor(self, who: str, does: str) -> None:
        song, text = f"song {next(self.songs)}", f"text {next(self.songs)}"
        uid = self.users[who].uid
        bodies = {
            "vote": {"like": True},
            "dj": {"song": song_named(song)},
            "say": {"text": text},
            "dm": {"to": self.users["c1"].uid, "text": text},
        }
        status, _ = await self.control("POST", f"/users/{uid}/{does}", bodies.get(does))
        try:
            match does:
                case "join":
                    self.model.enter(who, "actor")
                case "leave":
                    self.model.let_go(who)
                case "dj":
                    self.model.act(who, "addDj", song, {})
                case "vote":
                    self.model.act(who, "voteOnSong", None, {"like": True})
                case _:
                    self.model.speak(who, text, direct=does == "dm")
                    self.to_hear += [text] if does == "say" else []
        except Refused:
            assert status == 400
        else:
            assert status == 200

    @rule(who=st.sampled_from(EVERYBODY), ban=st.sampled_from([False, False, True]))
    def expel(self, who: str, *, ban: bool) -> None:
        self.run(self._expel(who, ban=ban and who != "c0"))

    async def _expel(self, who: str, *, ban: bool) -> None:
        await self.control("POST", "/room/ban" if ban else "/room/kick", {"uid": self.users[who].uid})
        theirs = [client for client in self.clients.values() if client.who == who and client.joined]
        for client in theirs:
            await self.ended(client)
        self.model.expel(who, {client.hold for client in theirs}, ban=ban)
        for client in theirs:
            self.model.lose(who, client.hold)

    # -- the service and its time

    @rule()
    def song_ends(self) -> None:
        self.run(self.control("POST", "/room/next-song"))
        self.model.play(over=True)

    @rule(long=st.sampled_from([False, False, True]))
    def wait(self, *, long: bool) -> None:
        self.run(self.control("POST", "/clock", {"advance_s": SONG_S + LEFT_S if long else 2 * LEFT_S}))
        self.model.time_passes()
        if long and self.model.playing is not None:
            self.model.play(over=True)

    @rule(what=st.sampled_from(["/restart", "/restart", "/room/reset"]))
    def break_off(self, what: str) -> None:
        self.run(self._break_off(what))

    async def _break_off(self, what: str) -> None:
        await self.control("POST", what, {"services": ["room"]} if what == "/restart" else None)
        gone = [c for c in self.clients.values() if c.joined or what == "/restart"]
        for client in gone:
            await self.ended(client)
        if what == "/room/reset":
            self.model.reset()
        for client in gone:
            self.model.lose(client.who, client.hold)

    # -- chat

    @rule(
        who=st.sampled_from(CLIENTS),
        fault=st.none() | st.sampled_from(["status", "garbage", "cut_before_store", "cut_after_store"]),
        frame=st.none() | st.none() | st.sampled_from(["drop", "duplicate"]),
    )
    def send(self, who: str, fault: str | None, frame: str | None) -> None:
        self.run(self._send(who, fault, frame))

    async def _send(self, who: str, fault: str | None, frame: str | None) -> None:
        text = f"text {next(self.songs)}"
        stored = fault in {None, "cut_after_store"} and who not in self.model.banned
        if fault is not None:
            await self.arm("chat.send", fault)
        if frame is not None and stored:
            await self.arm("chat.ws", frame)
        body = {"receiver": self.sandbox.room_uuid, "receiverType": "group", "data": {"text": text}}

        status, answer = await self.chat("POST", "messages", who, {**body, "muid": text})
        found, _ = await self.chat("GET", f"user/messages/{text.replace(' ', '%20')}", who)

        if stored:
            self.model.said.append([who, text])
            self.to_hear += [text] * {None: 1, "drop": 0, "duplicate": 2}[frame]
        refused = 400 if who in self.model.banned else 201
        assert status == {"status": 503, "garbage": 200, None: refused}.get(fault)
        assert (found == 200) is stored
        assert fault is not None or not stored or answer["data"]["sender"] == self.users[who].uid

    @rule(which=st.integers(0, 20), who=st.sampled_from(CLIENTS))
    def edit(self, which: int, who: str) -> None:
        if self.model.said:
            self.run(self._edit(which % len(self.model.said), who))

    async def _edit(self, index: int, who: str) -> None:
        _, listed = await self.control("GET", "/messages")
        row = listed["messages"][index]
        status, _ = await self.chat("PUT", f"messages/{row['id']}", who, {"data": {"text": "edited"}})
        mine = self.model.said[index][0] == who
        if mine:
            self.model.said[index][1] = "edited"
        assert status == (200 if mine else 403)

    # -- agreement

    async def settle(self) -> None:
        """Everybody has heard everything that was sent until now."""
        for client in tuple(self.clients.values()):
            number = next(self.ids)
            await client.ask({"event": "detailsView", "messageId": number})
            await client.answer(number)
        await self.ears.send_str('{"action":"ping"}')
        while (frame := await self.ears.receive_json(timeout=WITHIN)) != {"action": "pong"}:
            if frame["type"] == "message" and frame["body"]["category"] == "message":
                self.heard.append(frame["body"]["data"]["text"])

    @invariant()
    def model_server_and_clients_agree(self) -> None:
        self.run(self._agree())

    async def _agree(self) -> None:
        await self.settle()
        state = (await self.control("GET", "/state"))[1]["state"]
        messages = (await self.control("GET", "/messages"))[1]["messages"]
        model = self.model

        assert self.listed(state["allUsers"]) == model.present
        votes = {self.names[uid]: data["songVotes"] for uid, data in state["allUserData"].items()}
        assert votes == model.votes
        djs = [
            [self.names[dj["uuid"]], dj["nextSong"] and dj["nextSong"]["trackName"]] for dj in state["djs"]
        ]
        assert djs == model.line
        standing = [who for who in model.present if model.index(who) is None]
        assert self.listed(state["floorUsers"]) == self.listed(state["audienceUsers"]) == standing
        playing = state["nowPlaying"]
        assert (playing and playing["song"]["trackName"]) == model.playing
        assert state["voteCounts"] == model.counts
        vibe = min(1.0, model.counts["likes"] / max(1, len(model.present) - 1))
        assert state["vibeMeter"] == pytest.approx(vibe)
        assert [[self.names[m["sender"]], m["data"]["text"]] for m in messages] == model.said
        assert self.heard == self.to_hear
        for client in self.clients.values():
            if client.joined:
                assert client.state == state, client.who
        assert len(self.sandbox.server.connections) == len(self.clients)
        assert self.sandbox.problems() == []

    def listed(self, users: list[dict[str, Any]]) -> list[str]:
        return [self.names[user["uuid"]] for user in users]


class SandboxMachineAtLength(SandboxMachine):
    """The same for longer."""


def song_named(name: str) -> dict[str, Any]:
    providers = {"youtube": name}
    return {"artistName": "somebody", "trackName": name, "duration": SONG_S, "musicProviders": providers}


TestSandboxMachine = SandboxMachine.TestCase
TestSandboxMachine.settings = settings(max_examples=10, stateful_step_count=10, deadline=None)
TestSandboxMachineAtLength = pytest.mark.slow(pytest.mark.timeout(1800)(SandboxMachineAtLength.TestCase))
TestSandboxMachineAtLength.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)

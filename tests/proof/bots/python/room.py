"""The room socket: one connection at a time, joined each time, given up when nothing comes."""

import asyncio
import itertools
import json
from collections.abc import Callable
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException

from tests.proof.bots.python.common import ROOM, SOCKET, TOKEN, Backoff, Over, tell
from tests.proof.bots.python.faults import has
from tests.proof.bots.python.state import apply

_WELCOME_WITHIN: Final = 5.0
_JOIN_WITHIN: Final = 10.0
_SILENT_AFTER: Final = 75.0
_PROFILES_WITHIN: Final = 2.5
_IS_WELL_AFTER: Final = 60.0
_KICKED: Final = 4
_REMOVED = "a moderator removed the bot from the room"


class _Refused(Exception):
    """The join was refused."""


class _SitOut(Exception):
    """Nothing is to be done any more."""


class Room:
    """The bot's place in the room.

    Attributes:
        is_joined: Whether the join of the connection that stands was confirmed.
    """

    def __init__(self, on_reconnect: Callable[[], None]) -> None:
        self.is_joined = False
        self._on_reconnect = on_reconnect
        self._numbers = itertools.count(1)
        self._left_over: list[ClientConnection] = []
        self._was_in = False
        self._deadline = self._profiles_by = 0.0
        self._join_number = 0
        self._state: Any = None

    async def run(self) -> None:
        """Be in the room, for ever."""
        backoff = Backoff()
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                why = await self._visit()
            except _SitOut:
                await asyncio.Event().wait()
            self.is_joined = False
            if loop.time() - began > _IS_WELL_AFTER:
                backoff.calm()
            pause = backoff.again()
            tell(f"out of the room ({why}); again in {pause:.1f} s")
            await asyncio.sleep(pause)

    async def _visit(self) -> str:
        """Connect, join and listen, and return how that ended."""
        url = f"{SOCKET}/primus?token={TOKEN}"
        within = None if has("no-time-outs") else 10.0
        try:
            socket = await connect(url, max_size=2**24, open_timeout=within, close_timeout=2, proxy=None)
        except InvalidStatus as exc:
            status = exc.response.status_code
            if status in {401, 403}:
                code = 0 if has("exits-0-on-wrong-token") else 1
                raise Over(f"the room refuses the token ({status}): check BOT_USER_TOKEN", code) from None
            return f"status {status} in the place of the socket"
        except (OSError, WebSocketException, TimeoutError) as exc:
            return type(exc).__name__
        leave_open = False
        try:
            await self._listen(socket)
        except _Refused as exc:
            leave_open = has("leaks-sockets")
            return f"the join was refused: {exc}"
        except (OSError, WebSocketException, TimeoutError) as exc:
            return type(exc).__name__
        finally:
            self.is_joined = False
            if leave_open:
                self._left_over.append(socket)
            else:
                await socket.close()
        return "closed"

    async def _listen(self, socket: ClientConnection) -> None:
        loop = asyncio.get_running_loop()
        self._state, self._join_number, self._profiles_by = None, 0, 0.0
        self._deadline = loop.time() + _WELCOME_WITHIN
        while True:
            try:
                async with asyncio.timeout_at(min(self._deadline, self._profiles_by or self._deadline)):
                    text = await socket.recv()
            except TimeoutError:
                if self._profiles_by:
                    self._look_for_profiles()
                    continue
                if self._join_number:
                    raise
                await self._join(socket)  # the welcome is lost, perhaps
                continue
            try:
                frame = json.loads(text)
            except ValueError:
                continue
            await self._take(socket, frame)

    async def _join(self, socket: ClientConnection) -> None:
        loop = asyncio.get_running_loop()
        if self._was_in and has("never-rejoins"):
            self._join_number, self.is_joined = -1, True
            self._deadline = loop.time() + _SILENT_AFTER
            return
        self._join_number = next(self._numbers)
        never = has("no-time-outs")
        self._deadline = loop.time() + (1e9 if never else _JOIN_WITHIN)
        await self._act(socket, self._join_number, "joinRoom")

    async def _act(self, socket: ClientConnection, number: int, action: str, **params: object) -> None:
        given = {**params, "roomUuid": ROOM, "action": action}
        await socket.send(json.dumps({"event": "action", "params": given, "messageId": number}))

    async def _take(self, socket: ClientConnection, frame: object) -> None:
        loop = asyncio.get_running_loop()
        match frame:
            case str() if frame.startswith("primus::ping::"):
                if self.is_joined and not has("deaf-behind-open-socket"):
                    self._deadline = loop.time() + _SILENT_AFTER
                await socket.send(json.dumps(frame.replace("ping", "pong")))
            case {"welcome": _} if not self._join_number:
                await self._join(socket)
            case {"context": "response", "messageId": number} if (
                isinstance(frame, dict) and number == self._join_number
            ):
                self._joined(frame)
            case {"context": "response", "error": error} if error:
                tell(f"refused: {error}")
            case {"context": "user", "message": {"name": str() as name} as message}:
                await self._message(socket, name, message)

    def _joined(self, answer: dict[str, Any]) -> None:
        loop = asyncio.get_running_loop()
        if (error := answer.get("error")) and not has("takes-refusal-for-success"):
            raise _Refused(str(error))
        state = answer.get("state")
        self._state = state if isinstance(state, dict) else None
        self._deadline = loop.time() + (1e9 if has("deaf-behind-open-socket") else _SILENT_AFTER)
        if has("dies-of-late-profiles") and self._state is not None:
            self._profiles_by = loop.time() + _PROFILES_WITHIN
        self.is_joined = True
        if self._was_in:
            self._on_reconnect()
        self._was_in = True
        tell("in the room")

    def _look_for_profiles(self) -> None:
        self._profiles_by = 0.0
        if not self._state["allUserData"]:
            raise Over("the profiles did not come")

    async def _message(self, socket: ClientConnection, name: str, message: dict[str, Any]) -> None:
        if name == "kickedFromRoom":
            if has("stays-out-in-silence"):
                raise _SitOut
            raise Over(_REMOVED, _KICKED)
        patch = message.get("statePatch")
        if self._state is None or not isinstance(patch, list):
            return
        for step in patch:
            try:
                apply(self._state, step)
            except (LookupError, ValueError, TypeError, AttributeError) as exc:
                if has("patch-throws"):
                    raise
                tell(f"a patch does not fit ({type(exc).__name__}): {name}")
        if name == "playedSong" and self._state.get("nowPlaying"):
            await self._act(socket, next(self._numbers), "voteOnSong", songVotes={"like": True})

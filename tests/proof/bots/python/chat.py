"""The chat: read once a second, answered line by line, each answer in it once."""

import asyncio
import contextlib
from typing import Any, Final

from tests.proof.bots.python.common import APP_ID, CHAT, GATEWAY, ROOM, TOKEN, Backoff, Over, tell
from tests.proof.bots.python.faults import has
from tests.proof.bots.python.outbox import Outbox
from tests.proof.bots.python.web import Answer, Unreachable, request

_GROUP: Final = f"{CHAT}/groups/{ROOM}"
_PAGE: Final = 50
_LOOKS_EVERY: Final = 1.0
_PACE: Final = 0.15
_DEAF_AFTER: Final = 30.0
_OF_OLD: Final = 100
_NOT_IN: Final = frozenset({"ERR_NOT_A_MEMBER", "ERR_GROUP_NOT_JOINED"})
_NO_ANSWER: Final = frozenset({401, 408, 425, 429})


class Refused(Exception):
    """The chat answered with an error, in its own words or without any."""

    def __init__(self, answer: Answer) -> None:
        self.status = answer.status
        self.code = ""
        with contextlib.suppress(Unreachable, TypeError, KeyError, AttributeError):
            self.code = str(answer.json()["error"]["code"])
        after = answer.headers.get("retry-after", "")
        self.after = float(after) if after.isdecimal() else 0.0
        super().__init__(f"{answer.status} {self.code}".strip())

    @property
    def is_final(self) -> bool:
        """Whether to send the same again is of no use."""
        return bool(self.code) and 400 <= self.status < 500 and self.status not in _NO_ANSWER


class Chat:
    """The bot's part in the chat."""

    def __init__(self) -> None:
        self.outbox = Outbox()
        self.stops_reading = False
        self._token = self._own = ""
        self._read_at = -1e9
        self._is_in = asyncio.Event()

    @property
    def is_well(self) -> bool:
        """Whether the chat was read in the last half minute."""
        return asyncio.get_running_loop().time() - self._read_at < _DEAF_AFTER

    # -- requests

    async def _exchange(self) -> None:
        url = f"{GATEWAY}/api/user-service/comet-chat/user-token"
        answer = await request("GET", url, {"Authorization": f"Bearer {TOKEN}"})
        if answer.status in {401, 403}:
            code = 0 if has("exits-0-on-wrong-token") else 1
            raise Over(f"the gateway refuses the token ({answer.status}): check BOT_USER_TOKEN", code)
        if answer.status != 200:
            raise Unreachable(f"the gateway answered {answer.status}")
        value = answer.json()
        token = value.get("cometAuthToken") if isinstance(value, dict) else None
        if not isinstance(token, str) or not token:
            raise Unreachable("the gateway gave no chat token")
        self._token = token

    async def _once(self, method: str, url: str, body: object) -> Answer:
        return await request(method, url, {"authtoken": self._token, "appid": APP_ID}, body)

    async def _call(self, method: str, url: str, body: object = None) -> Any:  # noqa: ANN401  as JSON has it
        answer = await self._once(method, url, body)
        if answer.status == 401 and Refused(answer).code not in _NOT_IN:
            await self._exchange()
            answer = await self._once(method, url, body)
        if answer.status >= 400 and Refused(answer).code in _NOT_IN:
            tell("out of the chat group; joining it again")
            await self._join()
            answer = await self._once(method, url, body)
        if not 200 <= answer.status < 300:
            raise Refused(answer)
        value = answer.json()
        if not isinstance(value, dict) or "data" not in value:
            raise Unreachable(f"{answer.status} without data")
        return value["data"]

    async def _join(self) -> None:
        await self._once(
            "POST", f"{_GROUP}/members", {"participants": [self._own], "participantType": "user"}
        )

    # -- reading

    async def read(self) -> None:
        """Come into the chat and read it, for ever."""
        backoff = Backoff(most=20.0)
        while True:
            pause = _LOOKS_EVERY
            try:
                if not self._own:
                    await self._begin()
                if not self.stops_reading:
                    await self._look()
                self._read_at = asyncio.get_running_loop().time()
                backoff.calm()
            except (Unreachable, Refused) as exc:
                pause = max(backoff.again(), exc.after if isinstance(exc, Refused) else 0.0)
                tell(f"chat: {exc}; again in {pause:.1f} s")
            await asyncio.sleep(pause)

    async def _begin(self) -> None:
        if not self._token:
            await self._exchange()
        own = str((await self._call("GET", f"{CHAT}/me"))["uid"])
        self._own = own
        try:
            await self._join()
            if has("answers-old-lines"):
                old = await self._call("GET", f"{_GROUP}/messages?per_page={_OF_OLD}&affix=prepend")
                self.outbox.last = min((int(row["id"]) for row in old), default=1) - 1
            elif self.outbox.last is None:
                newest = await self._call("GET", f"{_GROUP}/messages?per_page=1&affix=prepend")
                self.outbox.last = max((int(row["id"]) for row in newest), default=0)
        except (Unreachable, Refused):
            self._own = ""
            raise
        self.outbox.keep()
        self._is_in.set()
        tell("in the chat")

    async def _look(self) -> None:
        rows: list[Any] = [None] * _PAGE
        while len(rows) >= _PAGE:
            if has("reads-one-page"):
                url = f"{_GROUP}/messages?per_page={_PAGE}&affix=prepend"
            else:
                url = f"{_GROUP}/messages?per_page={_PAGE}&affix=append&id={self.outbox.last}"
            rows = await self._call("GET", url)
            if not isinstance(rows, list):
                raise Unreachable("the history is no list")
            before = self.outbox.last
            for row in rows:
                self._take(row)
            if self.outbox.last != before:
                self.outbox.keep()
            if has("reads-one-page"):
                return

    def _take(self, row: Any) -> None:  # noqa: ANN401  as JSON has it
        try:
            number = int(row["id"])
            if number <= (self.outbox.last or 0):
                return
            if not has("deaf-at-unparsable"):
                self.outbox.last = number
            sender, data = row["sender"], row["data"]
            text = data["text"].strip()
            is_line = row["category"] == "message" and sender != self._own
        except (LookupError, ValueError, TypeError, AttributeError) as exc:
            if has("deaf-at-unparsable"):
                raise Unreachable("a row cannot be read") from exc
            tell(f"chat: a row cannot be read ({type(exc).__name__}), and is passed over")
            return
        self.outbox.last = number
        if is_line and text == "/ping":
            self.outbox.add("pong")

    # -- sending

    async def send(self) -> None:
        """Send what waits, line by line, for ever."""
        await self._is_in.wait()
        while True:
            await self.outbox.news.wait()
            while self.outbox.lines:
                await self._deliver(self.outbox.lines[0])
                await asyncio.sleep(_PACE)
            self.outbox.news.clear()

    def requeue(self) -> None:
        """Come back into the room: a fault sends everything anew then, whatever became of it."""
        if has("requeues-on-reconnect"):
            for line in list(self.outbox.lines):
                self.outbox.add(line["text"])

    async def _deliver(self, line: dict[str, Any]) -> None:
        backoff = Backoff(most=20.0)
        while True:
            after = 0.0
            try:
                if line["may_be_there"] and await self._is_there(line["muid"]):
                    break
                self.outbox.try_now(line)
                await self._post(line)
                break
            except (Unreachable, Refused) as exc:
                if has("loses-silently"):
                    break
                if isinstance(exc, Refused):
                    if exc.is_final:
                        tell(f"refused for good: {exc}")
                        break
                    after = exc.after
                pause = max(backoff.again(), after)
                tell(f"not sent yet: {exc}; again in {pause:.1f} s")
            await asyncio.sleep(pause)
        self.outbox.done(line)

    async def _is_there(self, muid: str) -> bool:
        if has("repeats-without-asking"):
            return False
        try:
            await self._call("GET", f"{CHAT}/user/messages/{muid}")
        except Refused as exc:
            if exc.status == 404 or has("asks-carelessly"):
                return False
            raise
        except Unreachable:
            if has("asks-carelessly"):
                return False
            raise
        return True

    async def _post(self, line: dict[str, Any]) -> None:
        text = line["text"]
        shown = {
            "id": line["muid"],
            "message": text,
            "userUuid": self._own,
            "userName": "bot",
            "type": "user",
        }
        message = {
            "receiver": ROOM,
            "receiverType": "group",
            "category": "message",
            "type": "text",
            "muid": line["muid"],
            "data": {"text": text, "metadata": {"chatMessage": shown}},
        }
        await self._call("POST", f"{CHAT}/messages", message)

"""A chat API without a wire: calls in, answers and pushes out."""

from collections.abc import Mapping
from typing import Any

from multidict import CIMultiDict

from hangbot.sandbox.chat.auth import Authenticator
from hangbot.sandbox.chat.call import Answer, Call, split_path
from hangbot.sandbox.chat.context import ChatContext
from hangbot.sandbox.chat.dialects import DIALECTS, Dialect
from hangbot.sandbox.chat.routes import ChatApi
from hangbot.sandbox.chat.rows import Json
from hangbot.sandbox.chat.socket_token import SocketTokens
from hangbot.sandbox.chat.world import ChatWorld
from hangbot.sandbox.ids import Ids
from hangbot.sandbox.people import People, Person

APP_ID = "0123456789abcdef"
API_KEY = "k" * 40
LINE = {
    "receiver": "room",
    "receiverType": "group",
    "category": "message",
    "type": "text",
    "data": {"text": "hi"},
}


class ApiBench:
    """A chat API at a standing clock, with a bot, alice, a room and a private group."""

    def __init__(self, dialect: str | Dialect = "openchat") -> None:
        self.seconds = 1_000_000.0
        self.people = People(lambda: self.seconds)
        self.dialect = DIALECTS[dialect] if isinstance(dialect, str) else dialect
        self.world = ChatWorld(lambda: self.seconds, self.dialect.rules, history=50)
        self.online: set[str] = set()
        auth = Authenticator(
            self.world,
            self.dialect,
            self.people,
            app_id=APP_ID,
            api_key=API_KEY,
            tokens=SocketTokens(Ids()),
            online=self.online.__contains__,
        )
        self.api = ChatApi(ChatContext(self.world, self.dialect, self.people, auth, Ids()))
        self.bot = self.people.add("bot", uid="bot", role="bot")
        self.alice = self.people.add("alice", uid="alice")
        self.world.ensure_group("room", "Room")
        self.world.ensure_group("secret", kind="private")

    def ask(
        self,
        method: str,
        path: str,
        body: Json = None,
        *,
        by: Person | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        unreadable: str | None = None,
    ) -> Answer:
        if headers is None:
            headers = {"authtoken": (by or self.bot).chat_token, "appId": APP_ID, "Host": "127.0.0.1:4711"}
        whole = f"/v3.0/{path}"
        segments = split_path(whole)
        call = Call(
            method,
            whole,
            segments,
            query or {},
            CIMultiDict(headers),
            {} if body is None else body,
            unreadable,
        )
        return self.api.answer(call)

    def joined(self, *people: Person) -> "ApiBench":
        for person in people or (self.bot, self.alice):
            self.world.ensure_user(person.uid, person.nickname)
            self.world.join(person.uid, "room")
        return self

    def send(self, text: str = "hi", *, by: Person | None = None, **more: Json) -> Any:  # noqa: ANN401  a row
        answer = self.ask("POST", "messages", {**LINE, "data": {"text": text}, **more}, by=by)
        assert answer.status in (200, 201), answer.body
        return answer.body["data"]


def refusal(answer: Answer) -> tuple[int, str | None]:
    return answer.status, answer.body["error"]["code"] if answer.body else None

"""What a replay sends next: a recorded connection, its frames in order, its answers by name. PURE."""

from __future__ import annotations

import json
from collections import Counter, defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_hangfm.sessions.format import Event

__all__ = ["Script", "ScriptStep"]

_PING: Final = "primus::ping::"
_PONG: Final = "primus::pong::"
_JOIN: Final = "joinRoom"


@dataclass(frozen=True, slots=True)
class ScriptStep:
    """What the replay does: it sends a frame, or ends the connection as it ended then."""

    frame: str = ""
    ends: bool = False
    code: int | None = None


class Script:
    """One recorded connection, played to a client that may act a little differently.

    Frames come in their order. Where the client acted, the script waits until the client
    of now does the same by name, and answers with the recorded answer under the number of
    now. The room's uuid and the user's uid of then become those of now.

    Args:
        events: The recorded connection.
        lockstep: Whether to wait at every recorded action; otherwise only at ``joinRoom``, and an
            action's answer is given whenever the client acts.
        uid: Who the client of now is, where its token says so.
        replace: Further texts of then with the texts of now.
    """

    def __init__(
        self,
        events: Sequence[Event],
        *,
        lockstep: bool = True,
        uid: str = "",
        replace: Mapping[str, str] | None = None,
    ) -> None:
        self.unexpected: list[str] = []
        """Actions of the client that the recording does not have (any more), by name."""
        self.waits_for = ""
        """The action that has to come before anything else is sent."""
        self.sent = 0
        self.frames = sum(event.kind == "frame" and event.sender == "server" for event in events)
        self._events = events
        self._at = 0
        self._lockstep = lockstep
        self._replace = dict(replace or {})
        then = next((event.text for event in events if event.kind == "open"), "")
        if then and uid:
            self._replace.setdefault(then, uid)
        actions = [_action(_value(event)) for event in events if event.sender == "client"]
        self._to_come = Counter(name for name, _, _ in filter(None, actions))
        self._early: dict[str, deque[tuple[object, str]]] = defaultdict(deque)
        self._late: dict[str, deque[str]] = defaultdict(deque)
        self._numbers: dict[str, object] = {}
        self._owed: dict[str, list[str]] = {}
        self._pongs_due: set[str] = set()
        self._pongs: set[str] = set()

    @property
    def done(self) -> bool:
        """Whether everything was said, and every heartbeat that was answered then is answered now."""
        return self._at == len(self._events) and not self.unanswered

    @property
    def unanswered(self) -> set[str]:
        """Heartbeats that the client of then answered and the client of now has not, by number."""
        return self._pongs_due - self._pongs

    def play(self) -> list[ScriptStep]:
        """Return what is to be done until the client's next move."""
        steps: list[ScriptStep] = []
        self.waits_for = ""
        while self._at < len(self._events):
            event = self._events[self._at]
            if event.sender == "client":
                if not self._pass_client(event):
                    break
            elif event.kind == "close":
                steps.append(ScriptStep(ends=True, code=event.code))
            elif event.kind == "frame":
                steps += self._frame(event)
            self._at += 1
        self.sent += sum(not step.ends for step in steps)
        return steps

    def hear(self, frame: str) -> list[ScriptStep]:
        """Take a frame of the client, and return what is to be done then."""
        value = _parsed(frame)
        if isinstance(value, str) and value.startswith(_PONG):
            self._pongs.add(value.removeprefix(_PONG))
        action = _action(value)
        if action is None:
            return []
        name, number, room = action
        if not self._to_come[name]:
            self.unexpected.append(name)
            answer = {
                "error": f"the recording has no {name} here",
                "context": "response",
                "messageId": number,
            }
            return [ScriptStep(json.dumps(answer))]
        self._to_come[name] -= 1
        if self._late[name]:
            then = self._late[name].popleft()
            self._numbers[then] = number
            return [ScriptStep(self._answered(text, number)) for text in self._owed.pop(then, [])]
        self._early[name].append((number, room))
        return self.play() if self.waits_for == name else []

    def _pass_client(self, event: Event) -> bool:
        """Go past what the client did then; False while the client of now has yet to do it."""
        value = _value(event)
        if isinstance(value, str) and value.startswith(_PONG):
            self._pongs_due.add(value.removeprefix(_PONG))
        action = _action(value)
        if action is None:
            return True
        name, number, room = action
        key = json.dumps(number)
        if self._early[name]:
            self._numbers[key], now = self._early[name].popleft()
            if room and now:
                self._replace.setdefault(room, now)
            return True
        if self._lockstep or name == _JOIN:
            self.waits_for = name
            return False
        self._late[name].append(key)
        return True

    def _frame(self, event: Event) -> list[ScriptStep]:
        value = _value(event)
        if isinstance(value, dict) and value.get("context") == "response":
            key = json.dumps(value.get("messageId"))
            if key in self._numbers:
                return [ScriptStep(self._answered(event.text, self._numbers[key]))]
            if any(key in waiting for waiting in self._late.values()):
                self._owed.setdefault(key, []).append(event.text)
                return []
        return [ScriptStep(self._of_now(event.text))]

    def _answered(self, text: str, number: object) -> str:
        answer = json.loads(self._of_now(text)) | {"messageId": number}
        return json.dumps(answer, ensure_ascii=False, separators=(",", ":"))

    def _of_now(self, text: str) -> str:
        for then, now in self._replace.items():
            text = text.replace(then, now)
        return text


def _value(event: Event) -> Any:  # noqa: ANN401  any JSON value
    return _parsed(event.text) if event.kind == "frame" else None


def _parsed(frame: str) -> Any:  # noqa: ANN401  any JSON value
    try:
        return json.loads(frame)
    except (ValueError, RecursionError):
        return None


def _action(value: object) -> tuple[str, object, str] | None:
    """Return an action's name, number and room, or ``None`` for any other frame."""
    match value:
        case {"event": "action", "params": {"action": str() as name, **params}, **more}:
            room = params.get("roomUuid")
            return name, more.get("messageId"), room if isinstance(room, str) else ""
    return None

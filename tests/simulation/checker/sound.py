"""A model of a sound bot: histories by chance in which all sorts of things go wrong, and nothing is wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pytest_hangfm.simulation.history import (
    Bounds,
    Changed,
    Closed,
    Crashed,
    Dropped,
    Event,
    FaultBegan,
    FaultEnded,
    HealthSeen,
    Hearing,
    History,
    LetGo,
    Logged,
    MessageStored,
    Opened,
    PassedOver,
    Presence,
    Requeued,
    RowAtEnd,
    Started,
)
from tests.simulation.checker import building as make

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

__all__ = ["sound_history"]

CALM: Final = 250.0
"""Seconds without trouble before the end: so long that all has come right by then."""
_USERS: Final = ("ann", "bob", "cid")


def sound_history(random: Random, *, episodes: int = 12) -> History:
    """Return a history in which so many things happen."""
    bot = _SoundBot(random)
    for _ in range(episodes):
        bot.live()
    return bot.end()


class _SoundBot:
    """Writes down what a sound bot does, one episode after the other."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._now = 0.0
        self._run = 0
        self._epoch = 0
        self._line = 0
        self._connection = 10_000
        self._fault = 0
        self._events: list[Event] = []
        self._rows: dict[str, str] = {}
        self._open: dict[str, int] = {}
        self._start()
        self._episodes: tuple[Callable[[], None], ...] = (
            self._say,
            self._say_twice,
            self._lose_an_answer,
            self._lose_a_request,
            self._say_in_vain,
            self._be_refused,
            self._not_know,
            self._drop,
            self._retry_by_hand,
            self._hear,
            self._hear,
            self._hear_two_at_a_time,
            self._fail_to_handle,
            self._hear_late,
            self._miss_a_line_that_changes,
            self._lose_the_room,
            self._lose_a_socket,
            self._crash,
            self._restart,
            self._be_away,
            self._count_anew,
            self._rest,
        )

    def live(self) -> None:
        """Have one thing happen, and the next only when nothing of it is under way any more."""
        self._random.choice(self._episodes)()
        self._now += self._random.randint(4, 100) / 10

    def end(self) -> History:
        """Stop after a while of calm, and return all that happened."""
        self._now += CALM
        self._stop()
        rows = [RowAtEnd(self._now, key, state) for key, state in self._rows.items()]
        return make.bare(self._events, rows, make.ending(self._now - 2)[-1])

    # -- pieces

    def _note(self, *parts: make.Part) -> None:
        for event in make.flat(parts):
            known = replace(event, epoch=self._epoch) if isinstance(event, MessageStored) else event
            self._events.append(known)

    def _new_key(self, state: str = "delivered") -> str:
        key = f"m{len(self._rows) + 1}"
        self._rows[key] = state
        return key

    def _to(self) -> str:
        return self._random.choice(("group", *_USERS))

    def _wrong(self, seconds: float, *impairs: str, kind: str = "outage") -> None:
        """Have a fault of so many seconds from now on."""
        self._fault += 1
        self._note(
            FaultBegan(self._now, self._fault, kind, frozenset(impairs)),
            FaultEnded(self._now + seconds, self._fault, kind),
        )

    def _connect(self, service: str, at: float) -> None:
        self._connection += 1
        self._open[service] = self._connection
        self._note(Opened(at, service, self._connection))  # type: ignore[arg-type]  # a literal, by its values

    def _let_go(self, service: str, at: float) -> None:
        kind = self._random.choice((LetGo, Closed))
        self._note(kind(at, service, self._open.pop(service)))  # type: ignore[arg-type]  # likewise

    def _start(self) -> None:
        self._run += 1
        now, run = self._now, self._run
        self._note(Started(now, run), HealthSeen(now, run, live=True, ready=False, red=()))
        self._connect("room", now + 0.5)
        self._connect("chat", now + 0.6)
        self._note(
            Presence(now + 0.7, present=True),
            Hearing(now + 0.8, run),
            make.ready(now + 1.0, run),
        )
        self._now += 2.0

    def _stop(self) -> None:
        self._note(make.without(make.ending(self._now, self._run)[:-1], LetGo, Closed))
        for service in ("room", "chat"):
            self._let_go(service, self._now + 0.5)
        self._now += 2.0

    # -- what it says

    def _say(self) -> None:
        self._note(make.without(make.sent(self._now, self._new_key(), self._to()), RowAtEnd))

    def _say_twice(self) -> None:
        to, first, second = self._to(), self._new_key(), self._new_key()
        self._note(
            make.accepted(self._now, first, to),
            make.accepted(self._now + 0.1, second, to),
            make.delivered(self._now + 0.2, first, to),
            make.delivered(self._now + 0.3, second, to),
        )

    def _lose_an_answer(self) -> None:
        """Asked about, it is there."""
        key, to, now = self._new_key(), self._to(), self._now
        self._wrong(5.0, "send", "chat")
        self._note(make.accepted(now, key, to), make.delivered(now + 0.1, key, to)[:3])
        self._note(make.asked(now + 10, key, found=True), make.settled(now + 10.1, key, tier=2))
        self._now += 11.0

    def _lose_a_request(self) -> None:
        """Asked about, it is not there, and sent again; or it is late, and there twice."""
        key, to, now = self._new_key(), self._to(), self._now
        self._wrong(5.0, "send", "chat")
        self._note(make.accepted(now, key, to), make.attempted(now + 0.1, key), make.asked(now + 10, key))
        self._note(make.delivered(now + 11, key, to, number=2))
        self._now += 12.0
        if self._random.randint(0, 1):
            late = make.late(self._now, key, 8), make.requested(self._now, key, 8)
            self._note(late, make.stored(self._now, key, to))

    def _say_in_vain(self) -> None:
        key, now = self._new_key("expired"), self._now
        self._wrong(60.0, "send", "chat")
        self._note(make.accepted(now, key), make.settled(now + 50, key, "expired", None))
        self._now += 61.0

    def _be_refused(self) -> None:
        self._note(make.without(make.failed(self._now, self._new_key("failed")), RowAtEnd))

    def _not_know(self) -> None:
        """Neither the answer comes nor one to the question."""
        key, now = self._new_key("uncertain"), self._now
        self._wrong(30.0, "send", "chat")
        self._note(make.accepted(now, key), make.attempted(now + 0.1, key))
        if self._random.randint(0, 1):
            self._note(make.requested(now + 0.2, key), make.stored(now + 0.2, key))
        self._note(make.asked(now + 20, key, found=None), make.settled(now + 21, key, "uncertain", None))
        self._now += 31.0

    def _drop(self) -> None:
        key, now = self._new_key("dropped"), self._now
        self._wrong(30.0, "send", "chat")
        self._note(make.accepted(now, key), Dropped(now + 20, key))
        self._now += 31.0

    def _retry_by_hand(self) -> None:
        key, now = self._new_key(), self._now
        self._note(make.without(make.failed(now, key), RowAtEnd), Requeued(now + 5, key))
        self._note(make.delivered(now + 5.1, key, number=2))
        self._now += 6.0

    # -- what it hears

    def _said(self, at: float, sender: str, *, direct: bool = False) -> int:
        self._line += 1
        receiver = "bot" if direct else "group"
        self._note(make.said(at, self._line, sender, receiver=receiver, direct=direct, epoch=self._epoch))
        return self._line

    def _handle(self, number: int, at: float, outcome: str = "returned", *, after: float = 0.1) -> None:
        self._note(make.began(at, number, self._run, self._epoch))
        self._note(make.handled(at + after, number, self._run, outcome, self._epoch))

    def _hear(self) -> None:
        """A line is said, aloud or to the bot alone, and now and then answered."""
        direct = not self._random.randint(0, 2)
        number = self._said(self._now, self._random.choice(_USERS), direct=direct)
        self._handle(number, self._now + 0.1)
        if self._random.randint(0, 1):
            answer = make.sent(self._now + 0.15, self._new_key(), answer_to=number)
            self._note(make.without(answer, RowAtEnd))

    def _hear_two_at_a_time(self) -> None:
        for user in _USERS[:2]:
            self._handle(self._said(self._now, user), self._now + 0.1, after=3.0)
        self._now += 4.0

    def _fail_to_handle(self) -> None:
        self._handle(self._said(self._now, _USERS[0]), self._now + 0.1, "raised")
        self._note(Logged(self._now + 0.3, "ERROR", "[ERROR] the app failed on message", "app_failed"))

    def _hear_late(self) -> None:
        """A push is lost: its line is found later, behind the next one of its user."""
        self._wrong(1.0, "push")
        number = self._said(self._now, _USERS[0])
        self._handle(self._said(self._now + 2, _USERS[0]), self._now + 2.1)
        self._handle(number, self._now + 40)
        self._now += 41.0

    def _miss_a_line_that_changes(self) -> None:
        self._wrong(1.0, "push")
        number = self._said(self._now, _USERS[0])
        self._note(Changed(self._now + 2, number, self._epoch))
        self._now += 3.0

    # -- what happens to it

    def _lose_the_room(self) -> None:
        away = self._random.choice((5.0, 100.0))
        self._wrong(away, "room")
        self._let_go("room", self._now)
        self._note(Presence(self._now + 0.1, present=False))
        if away > Bounds().room_red:
            self._note(make.red(self._now + 62, run=self._run))
            self._note(make.ready(self._now + away + 10, run=self._run))
        self._now += away
        self._connect("room", self._now + 1)
        self._note(Presence(self._now + 2, present=True))
        self._now += 12.0

    def _lose_a_socket(self) -> None:
        self._wrong(3.0, "push")
        self._let_go("chat", self._now)
        self._now += 3.0
        self._connect("chat", self._now)

    def _crash(self) -> None:
        """The handler of a line is cut off, and runs again in the next process; its answer is the same."""
        number, key = self._said(self._now, _USERS[1]), self._new_key()
        self._note(make.began(self._now + 0.1, number, self._run, self._epoch))
        self._note(make.without(make.sent(self._now + 0.2, key, answer_to=number), RowAtEnd))
        self._now += 0.5
        self._wrong(20.0, "process", "room", "chat", "push", "send", kind="crash")
        self._note(Crashed(self._now, self._run))
        self._open.clear()
        self._now += 20.0
        self._start()
        self._note(make.began(self._now, number, self._run, self._epoch))
        self._note(make.accepted(self._now + 0.1, key, answer_to=number))
        self._note(make.handled(self._now + 0.2, number, self._run, epoch=self._epoch))
        self._now += 1.0

    def _restart(self) -> None:
        self._stop()
        self._now += 5.0
        self._start()

    def _be_away(self) -> None:
        """Lines are said meanwhile: the old ones are passed over, the others handled."""
        self._stop()
        passed = self._random.randint(1, 3)
        for user in _USERS[:passed]:
            self._said(self._now + 1, user)
        self._now += 320.0
        number = self._said(self._now - 10, _USERS[0])
        self._start()
        self._note(PassedOver(self._now, passed))
        self._handle(number, self._now + 0.1)

    def _count_anew(self) -> None:
        self._wrong(0.0, "chat", "push", "send", kind="chat begins anew")
        self._epoch += 1
        self._line = 0
        self._now += 1.0
        self._hear()

    def _rest(self) -> None:
        self._now += 200.0

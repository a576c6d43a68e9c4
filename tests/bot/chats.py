"""A chat server, a disk and an app in virtual time: what a listener meets, and what it asked for."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from hangbot.bot.events import ChatMessage
from hangbot.bot.ledger import Ledger
from hangbot.bot.listener import ChatListener
from hangbot.bot.options import BotOptions
from hangbot.bot.pace import reconnect_policy
from hangbot.bot.ports import Conversation, Disconnect, Newest, Unreadable
from hangbot.delivery.inbox import ConversationMarks, Handled, Remembered, Witness
from hangbot.health import Conditions
from pytest_hangfm.simulation.clock import SimulatedClock
from pytest_hangfm.simulation.loop import simulated
from tests.rng import FixedRng

__all__ = ["ROOM", "Disk", "Ears", "Server", "Story", "play", "user"]

if TYPE_CHECKING:
    from hangbot.bot.app_runner import AppRunner
    from hangbot.delivery.courier import Courier
    from hangbot.errors import ServiceError

T = TypeVar("T")

ROOM = Conversation("room")
_EPOCH = 1_800_000_000


def user(name: str) -> Conversation:
    return Conversation(name, direct=True)


@dataclass
class Disk:
    """The inbox, in memory; it outlives a process.

    Args:
        keeps: How many witnesses it keeps of a conversation.
    """

    keeps: int = 100
    known: Remembered = field(default_factory=lambda: Remembered(1, None, {}))

    async def load(self) -> Remembered:
        return self.known

    async def begin(self, key: str, low: int, witnesses: Sequence[Witness] = ()) -> None:
        self._keep(ConversationMarks(low, witnesses=witnesses[-self.keeps :], epoch=self.known.epoch), key)

    async def begin_direct(self, base: int) -> None:
        self.known = self.known._replace(base=base)

    async def handled(
        self, key: str, heard: Collection[int], low: int, witnesses: Sequence[Witness] = ()
    ) -> None:
        old = self.known.conversations.get(key) or ConversationMarks(low, epoch=self.known.epoch)
        low = max(low, old.low)
        kept = {seen.id: seen for seen in (*old.witnesses, *witnesses)}
        newest = [kept[number] for number in sorted(kept)[-self.keeps :]]
        above = frozenset(number for number in {*old.heard, *heard} if number > low)
        self._keep(old._replace(low=low, heard=above, witnesses=newest), key)

    def mark(self, key: str, line: int) -> Handled:
        return Handled(key, (line,), 0, (), 0.0)

    async def new_epoch(self, kept: int) -> int:
        base = self.known.base
        base = None if base is None else min(base, kept)
        self.known = self.known._replace(epoch=self.known.epoch + 1, base=base)
        return self.known.epoch

    def _keep(self, marks: ConversationMarks, key: str) -> None:
        self.known = self.known._replace(conversations=self.known.conversations | {key: marks})


class Server:
    """A chat server with one group, as the ports of the bot see it; it is its own courier as well.

    Attributes:
        asked: What was asked for, by the path's last word and the conversation.
        opened: When a connection was tried.
        other_groups: Groups that the list of conversations has besides, each with the newest row.
        open_now: How many there are, and `most_open` at most at a time.
        deaf: Whether connections forward nothing; one that was opened so stays deaf.
        fails: What requests raise, by the method's name.
        refuses: What opening a connection raises.
    """

    uid = "bot"
    group_id = "room"

    def __init__(self) -> None:
        self.rows: list[ChatMessage] = []
        self.last_id = 0
        self.asked: list[tuple[float, str, str]] = []
        self.opened: list[float] = []
        self.open_now = self.most_open = self.joins = 0
        self.deaf = False
        self.drops: set[str | None] = set()
        self.fails: dict[str, ServiceError] = {}
        self.refuses: ServiceError | None = None
        self.member = True
        self.lists_group = True
        self.other_groups: list[str] = []
        self.unreadable_listed: list[None] = []
        self.sockets: list[Socket] = []
        self.breaker = SimpleNamespace(down=False, reason="")
        self.epoch = float(_EPOCH)

    @property
    def now_wall(self) -> float:
        """The time of the server, which goes on over the processes of a bot."""
        try:
            return self.epoch + asyncio.get_running_loop().time()
        except RuntimeError:
            return self.epoch

    # -- what others do

    def say(self, text: str | None, *, sender: str = "ann", to: str = "room", **more: Any) -> ChatMessage:  # noqa: ANN401  fields
        self.last_id += 1
        direct = to != "room"
        said = ChatMessage(self.last_id, sender, to, text, float(int(self.now_wall)), direct=direct)
        said = replace(said, **more)
        self.rows.append(said)
        self.push(said)
        return said

    def push(self, row: ChatMessage | Unreadable) -> None:
        for socket in self.sockets:
            group = isinstance(row, ChatMessage) and not row.direct
            text = row.text if isinstance(row, ChatMessage) else None
            if not (socket.deaf or text in self.drops or (group and not self.member)):
                socket.give(row)

    def cut(self) -> None:
        for socket in self.sockets:
            socket.end(Disconnect("lost", "cut"))

    def count_anew(self) -> None:
        self.rows, self.last_id = [], 0

    # -- ports

    async def me(self) -> Mapping[str, Any]:
        self._ask("me")
        return {"uid": "bot"}

    async def join(self) -> None:
        self._ask("join")
        self.joins += 1
        self.member = True

    def wrote(self, row: ChatMessage) -> bool:
        return row.sender == "bot"

    async def page(
        self,
        conversation: Conversation,
        *,
        after: int | None = None,
        before: int | None = None,
        most: int = 50,
    ) -> Sequence[ChatMessage | Unreadable]:
        self._ask("page", conversation.name)
        rows = [row for row in self.rows if self._other(row) == conversation.name]
        if after is not None:
            return [row for row in rows if row.id > after][:most]
        return [row for row in rows if before is None or row.id < before][-most:]

    async def newest_by_conversation(self, page: int = 1) -> Sequence[Newest | None]:
        self._ask("list")
        newest = {self._other(row): row for row in self.rows}
        listed = [
            Newest(Conversation(name, direct=name != "room"), row.id, row.sent_at)
            for name, row in newest.items()
            if name != "room" or self.lists_group
        ]
        listed += [Newest(Conversation(name), self.last_id, self.now_wall) for name in self.other_groups]
        readable = sorted(listed, key=lambda row: -row.sent_at)
        return [*self.unreadable_listed, *readable][50 * (page - 1) : 50 * page]

    def server_time(self) -> float:
        return self.now_wall

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Socket"]:
        self.opened.append(asyncio.get_running_loop().time())
        if self.refuses:
            raise self.refuses
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        socket = Socket(deaf=self.deaf)
        self.sockets.append(socket)
        try:
            yield socket
        finally:
            self.open_now -= 1
            self.sockets.remove(socket)
            socket.end(Disconnect("left"))

    # -- the courier

    @asynccontextmanager
    async def request(self) -> AsyncIterator[None]:
        yield

    async def available(self) -> None:
        """It is never known to be down."""

    async def answers(self, since: float) -> bool:
        return since >= 0

    async def belongs_to(self, uid: str) -> None:
        assert uid == "bot"

    # -- what was asked

    def requests(self, since: float = 0.0) -> Counter[str]:
        """How often what was asked for since."""
        return Counter(f"{what} {name}".strip() for at, what, name in self.asked if at >= since)

    def _ask(self, what: str, name: str = "") -> None:
        self.asked.append((asyncio.get_running_loop().time(), what, name))
        if what in self.fails:
            raise self.fails[what]

    @staticmethod
    def _other(row: ChatMessage) -> str:
        name = row.receiver if not row.direct or row.sender == "bot" else row.sender
        assert name is not None
        return name


class Socket:
    """A connection as a `hangbot.bot.ports.ChatPush`."""

    def __init__(self, *, deaf: bool) -> None:
        self.deaf = deaf
        self.ended: asyncio.Future[Disconnect] = asyncio.get_running_loop().create_future()
        self._rows = asyncio.Queue[ChatMessage | Unreadable | None]()

    def give(self, row: ChatMessage | Unreadable) -> None:
        self._rows.put_nowait(row)

    def end(self, how: Disconnect) -> None:
        if not self.ended.done():
            self.ended.set_result(how)
            self._rows.put_nowait(None)

    async def rows(self) -> AsyncIterator[ChatMessage | Unreadable]:
        while (row := await self._rows.get()) is not None:
            yield row


class Ears:
    """An app as its runner: it takes so many lines, and handles them when it is to."""

    def __init__(self, room: int = 10_000, *, handles: bool = True) -> None:
        self.heard: list[str | None] = []
        self.waiting: list[ChatMessage] = []
        self.ledger: Ledger | None = None
        self._room = room
        self._handles = handles
        self._freed = asyncio.Event()
        self._tasks = set[asyncio.Task[None]]()

    def offer(self, line: ChatMessage) -> bool:
        if len(self.waiting) >= self._room:
            return False
        self.waiting.append(line)
        if self._handles:
            self._start(self.handle(line))
        return True

    async def room(self) -> None:
        while len(self.waiting) >= self._room:
            self._freed.clear()
            await self._freed.wait()

    async def handle(self, line: ChatMessage) -> None:
        assert self.ledger is not None
        self.heard.append(line.text)
        await self.ledger.handled(line)
        self.waiting.remove(line)
        self._freed.set()

    async def handle_all(self) -> None:
        for line in tuple(self.waiting):
            await self.handle(line)

    def _start(self, work: Any) -> None:  # noqa: ANN401  a coroutine
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


@dataclass
class Story:
    """A listener that runs, and all around it."""

    server: Server
    app: Ears
    listener: ChatListener
    ledger: Ledger
    conditions: Conditions

    @property
    def red(self) -> set[str]:
        return {condition.part for condition in self.conditions.all()}

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    async def until(self, true: Callable[[], object], within: float) -> float:
        """Wait in virtual time; return how long it took."""
        began = self.now
        while not true():
            assert self.now - began <= within, f"not within {within} s"
            await asyncio.sleep(0.25)
        return self.now - began


def play(
    story: Callable[[Story], Awaitable[T]],
    server: Server | None = None,
    disk: Disk | None = None,
    *,
    room: int = 10_000,
    handles: bool = True,
    ready: bool = True,
    **options: Any,  # noqa: ANN401  of the bot
) -> T:
    """Play a story with a listener that runs; it is killed at the end."""

    async def main() -> T:
        there, clock, app = server or Server(), SimulatedClock(), Ears(room, handles=handles)
        began = asyncio.get_running_loop().time()
        there.epoch -= began
        conditions = Conditions(clock.now)
        ledger = app.ledger = Ledger(disk or Disk(), there, there)
        listener = ChatListener(
            there,
            cast("Courier", there),
            clock,
            FixedRng(1.0),
            reconnect_policy(1.0),
            history=there,
            open_push=there.open,
            ledger=ledger,
            options=BotOptions(**options),
            conditions=conditions,
            app=cast("AppRunner", app),
            nickname={"bob": "Bobby"}.get,
        )
        running = asyncio.create_task(listener.run(), name="listener")
        try:
            if ready:
                await asyncio.wait_for(listener.reads.wait(), 60.0)
            return await story(Story(there, app, listener, ledger, conditions))
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            there.epoch += asyncio.get_running_loop().time()

    return simulated(main())

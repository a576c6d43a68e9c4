"""What each kind of fault does: every point of room, chat and gateway asks here, and only here."""

import asyncio
from typing import Final, Literal, NamedTuple, Protocol

from hangbot.sandbox.clock import SandboxClock
from hangbot.sandbox.faults import Fault, Faults

__all__ = ["NO_FAULT", "After", "Before", "End", "FaultInjector", "FrameChannel"]

End = Literal["close", "close_deliberate", "abort"]
"""How a connection is ended: without a code, as the service closes on purpose, or without a close frame."""


class Before(NamedTuple):
    """What a fault does to a request before it is carried out.

    Attributes:
        fault: The fault that hits it, or ``None``.
        instead: What happens in the place of the request, or ``None`` where it is carried out: no answer
            at all, a cut connection, an answer with a status, an answer that is garbage.
        wait_s: How long after the request.
    """

    fault: Fault | None = None
    instead: Literal["hang", "cut", "status", "garbage"] | None = None
    wait_s: float = 0.0

    @property
    def fault_id(self) -> int | None:
        """Id of the fault, for the journal."""
        return None if self.fault is None else self.fault.id


class After(NamedTuple):
    """What a fault does once a request was carried out.

    Attributes:
        wait_s: How long its answer is held back, or how long the connection lives on.
        end: How the connection ends in the place of an answer, or ``None`` where it does not.
    """

    wait_s: float = 0.0
    end: End | None = None


NO_FAULT: Final = Before()
_NOTHING: Final = After()


class FrameChannel(Protocol):
    """A connection on which texts go out, as faults see it."""

    @property
    def is_open(self) -> bool:
        """Whether texts can be sent."""

    def send(self, text: str, frame: bytes | None = None, *, fault: int | None = None) -> None:
        """Send a text, perhaps with its frame as it was made already."""

    def hold_back(self, text: str, fault: int) -> None:
        """Keep a text until the next one was sent."""

    def delay(self, text: str, fault: int, seconds: float) -> None:
        """Send a text later."""

    def send_garbled(self, text: str, fault: Fault) -> None:
        """Send something else in the place of a text."""

    def end(self, how: End, fault: int) -> None:
        """End the connection."""

    def on_fault(self, text: str, fault: Fault) -> None:
        """Note that a fault hits a text."""

    def on_dropped(self, text: str, fault: Fault) -> None:
        """Note a text that is not sent."""


class FaultInjector:
    """Do what faults say; a new kind is an entry in ``faults`` and a branch here.

    Args:
        faults: What goes wrong.
        clock: Delays run on it.
    """

    def __init__(self, faults: Faults, clock: SandboxClock) -> None:
        self._faults = faults
        self._clock = clock
        self._waiting: dict[asyncio.Future[None], None] = {}

    def close(self) -> None:
        """End every hang and every pause."""
        for waiting in tuple(self._waiting):
            _resolve(waiting)

    # -- requests: HTTP, handshakes, actions

    def before_request(
        self,
        point: str,
        kinds: frozenset[str] | None = None,
        *,
        in_frames: bool = False,
        name: str | None = None,
    ) -> Before:
        """Count a request, and say what the fault that hits it does first.

        Args:
            point: Where the request arrived.
            kinds: Only faults of these kinds concern it; ``None`` = all.
            in_frames: Whether it is answered by frames, which is what the kinds for frames are about then.
            name: The name of what is asked for, where it has one.
        """
        fault = self._faults.take(point, kinds, name=name)
        if fault is None:
            return NO_FAULT
        wait_s = (fault.ms or 0) / 1000
        match fault.do:
            case "refuse" | "cut_before_store":
                return Before(fault, "cut", wait_s)
            case "hang":
                return Before(fault, "hang")
            case "drop" if not in_frames:
                return Before(fault, "hang")
            case "status":
                return Before(fault, "status", wait_s)
            case "garbage":
                return Before(fault, "garbage", wait_s)
            case _:
                return Before(fault)

    def after_request(self, fault: Fault | None) -> After:
        """Say what a fault does to a request that was carried out."""
        if fault is None:
            return _NOTHING
        wait_s = (fault.ms or 0) / 1000
        match fault.do:
            case "delay":
                return After(wait_s)
            case "cut_after_store":
                return After(wait_s, "abort")
            case "close" | "close_deliberate" | "abort" as how:
                return After(0.0, how)
            case _:
                return _NOTHING

    async def pause(self, seconds: float) -> None:
        """Wait on the sandbox's clock."""
        if seconds <= 0:
            return
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        timer = self._clock.call_later(seconds, lambda: _resolve(over))
        try:
            await self._wait(over)
        finally:
            timer.cancel()

    async def hang(self) -> None:
        """Wait until the client goes, which cancels what works on its request, or the sandbox closes."""
        await self._wait(asyncio.get_running_loop().create_future())

    async def _wait(self, over: asyncio.Future[None]) -> None:
        self._waiting[over] = None
        try:
            await over
        finally:
            self._waiting.pop(over, None)

    # -- frames

    def send_frame(
        self,
        channel: FrameChannel,
        text: str,
        point: str,
        frame: bytes | None = None,
        *,
        kinds: frozenset[str] | None = None,
        exact: bool = False,
        name: str | None = None,
    ) -> None:
        """Send a text, unless a fault at that point has it otherwise.

        Args:
            channel: Where it goes out.
            text: The text.
            point: What the text is.
            frame: Its frame, as it was made already.
            kinds: Only faults of these kinds concern it; ``None`` = all.
            exact: Only faults on this very point do, none on ``service.*``.
            name: The text's name, where it has one.
        """
        fault = None
        if self._faults.armed and channel.is_open:
            fault = self._faults.take(point, kinds, exact=exact, name=name)
        if fault is None:
            channel.send(text, frame)
        else:
            self.send_faulty(channel, text, fault)

    def send_faulty(self, channel: FrameChannel, text: str, fault: Fault) -> None:
        """Send what a fault makes of a text."""
        channel.on_fault(text, fault)
        match fault.do:
            case "drop" | "hang" | "deaf":
                channel.on_dropped(text, fault)
            case "duplicate":
                channel.send(text, fault=fault.id)
                channel.send(text, fault=fault.id)
            case "reorder":
                channel.hold_back(text, fault.id)
            case "delay":
                channel.delay(text, fault.id, (fault.ms or 0) / 1000)
            case "garbage" | "status":
                channel.send_garbled(text, fault)
            case _:
                channel.end(self.after_request(fault).end or "abort", fault.id)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)

"""What each kind of fault does at each kind of point."""

import asyncio
from typing import Any

import pytest

from hangbot.sandbox.clock import SandboxClock
from hangbot.sandbox.faults import DEAF, FRAME_KINDS, KINDS, REQUEST_KINDS, Fault, Faults
from hangbot.sandbox.injector import After, FaultInjector
from tests.bounds import WITHIN
from tests.cases import cases

NOTHING = After()


class Channel:
    """A connection that notes what is done to it."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.is_open = is_open
        self.done: list[tuple[Any, ...]] = []

    def send(self, text: str, frame: bytes | None = None, *, fault: int | None = None) -> None:
        self.done.append(("send", text, frame, fault))

    def hold_back(self, text: str, fault: int) -> None:
        self.done.append(("hold back", text, fault))

    def delay(self, text: str, fault: int, seconds: float) -> None:
        self.done.append(("delay", text, fault, seconds))

    def send_garbled(self, text: str, fault: Fault) -> None:
        self.done.append(("garbled", text, fault.id))

    def end(self, how: str, fault: int) -> None:
        self.done.append((how, fault))

    def on_fault(self, text: str, fault: Fault) -> None:
        self.done.append(("hit", text, fault.id))

    def on_dropped(self, text: str, fault: Fault) -> None:
        self.done.append(("dropped", text, fault.id))


def injector_with(on: str, do: str, **options: Any) -> tuple[FaultInjector, Faults]:  # noqa: ANN401  passed on
    faults = Faults()
    faults.add(on, do, **options)
    return FaultInjector(faults, SandboxClock()), faults


REQUESTS = {
    "refuse": ("cut", NOTHING),
    "cut_before_store": ("cut", NOTHING),
    "hang": ("hang", NOTHING),
    "status": ("status", NOTHING),
    "garbage": ("garbage", NOTHING),
    "delay": (None, After(0.5)),
    "cut_after_store": (None, After(0.5, "abort")),
    "drop": ("hang", NOTHING),
    "duplicate": (None, NOTHING),
    "reorder": (None, NOTHING),
    "close": (None, After(0, "close")),
    "close_deliberate": (None, After(0, "close_deliberate")),
    "abort": (None, After(0, "abort")),
    "deaf": (None, NOTHING),
}
FRAMES: dict[str, list[tuple[Any, ...]]] = {
    "drop": [("dropped", "x", 1)],
    "hang": [("dropped", "x", 1)],
    "deaf": [("dropped", "x", 1)],
    "duplicate": [("send", "x", None, 1)] * 2,
    "reorder": [("hold back", "x", 1)],
    "delay": [("delay", "x", 1, 0.5)],
    "garbage": [("garbled", "x", 1)],
    "status": [("garbled", "x", 1)],
    "close": [("close", 1)],
    "close_deliberate": [("close_deliberate", 1)],
    "abort": [("abort", 1)],
    "refuse": [("abort", 1)],
    "cut_before_store": [("abort", 1)],
    "cut_after_store": [("abort", 1)],
}


def test_every_kind_stands_in_both_tables() -> None:
    assert set(REQUESTS) == set(FRAMES) == KINDS == REQUEST_KINDS | FRAME_KINDS | {DEAF}


@pytest.mark.parametrize(("do", "expected"), REQUESTS.items(), ids=REQUESTS)
def test_what_a_fault_does_to_a_request(do: str, expected: tuple[str | None, After]) -> None:
    injector, faults = injector_with("chat.ws", do, ms=500)

    before = injector.before_request("chat.ws")
    after = injector.after_request(before.fault)

    instead, later = expected
    assert (before.instead, before.fault_id) == (instead, 1)
    assert before.wait_s == (0.5 if instead in {"cut", "status", "garbage"} else 0)
    assert after == later
    assert faults.hits(1) == 1


def test_a_request_that_is_answered_by_frames_is_carried_out_and_its_frame_dropped() -> None:
    injector, _ = injector_with("room.action", "drop")

    assert injector.before_request("room.action", in_frames=True).instead is None


def test_without_a_fault_nothing_happens_before_or_after_a_request() -> None:
    injector, _ = injector_with("chat.ws", "drop")

    before = injector.before_request("chat.ws", frozenset({"refuse"}))

    assert (before.fault, before.fault_id, before.instead) == (None, None, None)
    assert injector.after_request(None) == NOTHING


@pytest.mark.parametrize(("do", "done"), FRAMES.items(), ids=FRAMES)
def test_what_a_fault_does_to_a_frame(do: str, done: list[tuple[Any, ...]]) -> None:
    injector, faults = injector_with("chat.ws", do, ms=500)
    channel = Channel()

    injector.send_frame(channel, "x", "chat.ws", b"frame")
    injector.send_frame(channel, "y", "room.message", b"frame")

    assert channel.done == [("hit", "x", 1), *done, ("send", "y", b"frame", None)]
    assert faults.hits(1) == 1


@cases(
    "on options is_open hit",
    ("its point", "chat.ws", {}, True, True),
    ("another kind", "chat.ws", {"kinds": frozenset({"drop"})}, True, False),
    ("its service", "chat.*", {"kinds": frozenset({"refuse"})}, True, True),
    ("only its very point", "chat.*", {"exact": True}, True, False),
    ("a connection that is closing", "chat.ws", {}, False, False),
)
def test_which_frames_a_fault_concerns(on: str, options: dict[str, Any], *, is_open: bool, hit: bool) -> None:
    injector, faults = injector_with(on, "refuse")

    injector.send_frame(Channel(is_open=is_open), "x", "chat.ws", **options)

    assert bool(faults.hits(1)) is hit


async def test_a_pause_ends_by_the_sandboxes_clock_and_a_hang_when_the_sandbox_closes() -> None:
    clock = SandboxClock()
    injector = FaultInjector(Faults(), clock)
    await injector.pause(0)
    pause, hang = asyncio.create_task(injector.pause(60)), asyncio.create_task(injector.hang())
    await asyncio.sleep(0)

    clock.advance(60)
    await asyncio.wait_for(pause, WITHIN)
    hung = not hang.done()
    injector.close()
    await asyncio.wait_for(hang, WITHIN)

    assert hung
    clock.close()

"""What an event of the room costs from its frame's bytes to the app, beside npm's ``ttfm-socket``.

The processor time for the same frames in both. Here: the text, the frame, the state, what is different
in it, and the app's queue, all by the client that a bot has. There: the text, the frame, its two
emitters, and ``fast-json-patch`` in place, as the package's README has it but for the copy of the state
that it makes each time. Neither reads a socket.
"""

import asyncio
import gc
import json
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import Any, Final, NoReturn, cast

from bench.figures import Figure, at_most, figure, ratio
from bench.npm import Ask, NoNpm, node
from bench.plan import Plan
from bench.room_stream import HAPPENS, room_stream
from hangbot.bot.app_forms import Hooks
from hangbot.bot.app_runner import AppRunner
from hangbot.bot.events import Event, Speaker
from hangbot.clock import SystemClock
from hangbot.hangfm.room import RoomClient
from hangbot.hangfm.wire.room_events import RoomEvents

__all__ = ["STEPS"]

_ACK_WITHIN: Final = 60.0
_LOOKS: Final = 200
Means = dict[str, float]
"""Microseconds of processor time a frame, by kind: the mean of all frames."""
Spent = Mapping[str, Sequence[float]]


def _events(plan: Plan) -> Iterator[Figure]:
    for users in (200, 2_000):
        frames = (plan.folder / f"events-{users}.json").resolve()
        frames.write_text(json.dumps(_framed(room_stream(users, plan.amount(15)))), encoding="utf-8")
        try:
            with node(Path(__file__).with_suffix(".mjs"), plan.folder / "npm") as npm:
                yield from _compared(plan, users, frames, npm)
        except NoNpm as exc:
            means = _ours(frames)
            yield from (
                Figure(f"{HAPPENS[kind]}, {users:,} users", means[kind], "µs", beside=f"alone: {exc}")
                for kind in HAPPENS
            )
        finally:
            frames.unlink()


def _framed(stream: dict[str, Any]) -> dict[str, Any]:
    """Write each message of a stream as the frame that it comes in."""
    envelope = {"room": "room", "from": "0", "context": "user", "sentAt": 1_800_000_000_000}
    return stream | {
        "batches": [
            [kind, [json.dumps({"message": message} | envelope, ensure_ascii=False) for message in messages]]
            for kind, messages in stream["batches"]
        ]
    }


def _compared(plan: Plan, users: int, frames: Path, npm: Ask) -> Iterator[Figure]:
    contenders: dict[str, Callable[[], Means]] = {
        "ours": partial(_ours, frames),
        "npm": partial(_npms, frames, npm, checked=True),
        "unchecked": partial(_npms, frames, npm, checked=False),
    }
    for run in contenders.values():
        run()  # Node compiles what it has run often enough
    rounds: dict[str, list[Means]] = {name: [] for name in contenders}
    names = list(contenders)
    for number in range(plan.rounds(5)):
        at = number % len(names)
        for name in names[at:] + names[:at]:
            rounds[name].append(contenders[name]())
    for kind, words in HAPPENS.items():
        values = {name: [means[kind] for means in each] for name, each in rounds.items()}
        took = {name: f"{median(each):.3g}" for name, each in values.items()}
        yield figure(
            f"{words}, {users:,} users, over ttfm-socket's",
            ratio(values, "ours", "npm"),
            "x",
            goal=at_most(1.0),
            beside=f"{took['ours']} µs of processor against {took['npm']} ({took['unchecked']} unchecked)",
        )


def _npms(frames: Path, npm: Ask, *, checked: bool) -> Means:
    answer = npm(frames=str(frames), checked=checked)
    _check(answer["events"], answer["spent"], json.loads(frames.read_text(encoding="utf-8")))
    return _means(answer["spent"])


def _ours(frames: Path) -> Means:
    document = json.loads(frames.read_text(encoding="utf-8"))
    heard, spent = asyncio.run(_hear(document))
    _check(heard, spent, document)
    return _means(spent)


def _means(spent: Spent) -> Means:
    return {kind: mean(spent[kind]) for kind in HAPPENS}


def _check(events: int, spent: Spent, document: dict[str, Any]) -> None:
    """See that an app heard of every frame that was measured; a song gives two events here and one there."""
    measured = sum(len(texts) for kind, texts in document["batches"] if kind in HAPPENS)
    if events < measured:
        raise RuntimeError(f"of {measured} frames the app heard {events}: {sorted(spent)}")


async def _hear(document: dict[str, Any]) -> tuple[int, Spent]:
    """Give a client its frames; return how many events the app heard, and the time a frame in each batch."""
    heard = list[Event]()

    async def on_event(event: Event) -> None:
        heard.append(event)

    runner = AppRunner(SystemClock(), Hooks(cast("Speaker", None), on_event=on_event))
    running = asyncio.create_task(runner.run(), name="bench-app")
    frames, spent = _Frames(document["state"]), defaultdict[str, list[float]](list)
    client = RoomClient(
        frames,
        "room",
        clock=SystemClock(),
        ack_timeout=_ACK_WITHIN,
        events=RoomEvents("room"),
        on_event=runner.offer_event,
    )
    gc.collect()
    gc.freeze()  # a bot does not hold the frames and the state twice, which a collector would look through
    try:
        async with client.listening():
            await client.join()
            for kind, texts in document["batches"]:
                spent[kind].append(await frames.give(texts))
                while len(runner):  # noqa: ASYNC110  the app has no event that says so, and this is not timed
                    await asyncio.sleep(0)
    finally:
        gc.unfreeze()
        await runner.drain(1.0)
        await running
    return len(heard), spent


class _Frames:
    """A connection that gives frames by the batch, a `hangbot.hangfm.socket.Connection`."""

    def __init__(self, state: dict[str, Any]) -> None:
        self._state = state
        self._batch: Iterator[bytes] = iter(())
        self._given = asyncio.Event()
        self._began = self._used = 0
        self._handled = asyncio.Event()
        self._looking = _looking_ns()

    async def give(self, texts: Sequence[str]) -> float:
        """Return the processor time that a frame of a batch took, in microseconds."""
        self._batch = iter([text.encode() for text in texts])
        self._handled.clear()
        self._given.set()
        await self._handled.wait()
        return (self._used - self._looking) / 1000 / len(texts)

    async def recv(self) -> str:
        """Return the next frame; with none left all of the batch have been handled."""
        while (frame := next(self._batch, None)) is None:
            self._used = time.process_time_ns() - self._began
            self._handled.set()
            await self._given.wait()
            self._given.clear()
            self._began = time.process_time_ns()
        return frame.decode()

    async def send(self, message: str) -> None:
        """Answer the join."""
        answer = {"context": "response", "messageId": json.loads(message)["messageId"], "serverTime": 0}
        self._batch = iter([json.dumps(answer | {"state": self._state}).encode()])
        self._given.set()

    async def ping(self) -> Awaitable[float]:
        """Not needed: the song does not end."""
        return _never()

    async def close(self) -> None:
        """Do nothing: its reader is cancelled."""


async def _never() -> NoReturn:
    await asyncio.Event().wait()
    raise AssertionError


def _looking_ns() -> float:
    """Return how long it takes to look at the clock."""
    began = time.process_time_ns()
    for _ in range(_LOOKS):
        time.process_time_ns()
    return (time.process_time_ns() - began) / _LOOKS


STEPS: Final = (_events,)
"""The measurements of this part, in the order of the table."""

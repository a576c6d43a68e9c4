"""What delivery costs: accepting, sending, a long queue, a network that loses things."""

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median
from typing import Final

from bench.accepting import accept_rate, commit_rate, loop_rate, separate_rate, slower_commits, sync_us
from bench.figures import Figure, Goal, at_least, at_most, figure, interleaved, ratio, under
from bench.plan import Plan
from bench.processes import child
from bench.rough import set_songs
from bench.sending import Sender

__all__ = ["STEPS"]

_WRITERS: Final = 64
_SLOWER: Final = 0.002
"""Seconds that a commit takes longer on an everyday disk than on a server's."""
_SEED: Final = 20_250
_MEMORY_DISK: Final = Path("/dev/shm")  # noqa: S108  a folder of our own is made in it


@contextmanager
def _folder(where: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="hangbot-bench-", dir=where) as folder:
        yield Path(folder)


def _accepting(plan: Plan) -> Iterator[Figure]:
    with _folder(plan.folder) as folder:
        sync = sync_us(folder / "block")
        yield Figure("making one block durable on this disk", sync, "µs", beside="fsync of 4 KiB")
        names = count()

        def fresh() -> Path:
            return folder / f"{next(names)}.sqlite3"

        many, few = plan.amount(3_200), plan.amount(800)
        yield from _against(
            f"{_WRITERS} writers",
            lambda: asyncio.run(accept_rate(fresh(), many, _WRITERS)),
            plan.rounds(5),
            (
                _Peer(
                    f"over {_WRITERS} writers that each commit each message",
                    "over connections of their own",
                    lambda: separate_rate(fresh(), many // 4, _WRITERS),
                    at_least(20),
                ),
                _Peer(
                    "over one thread that commits each message for all of them",
                    "nobody waits for a lock",
                    lambda: asyncio.run(commit_rate(fresh(), many // 2, _WRITERS)),
                ),
            ),
        )
        yield from _against(
            "one writer",
            lambda: asyncio.run(accept_rate(fresh(), few, 1)),
            plan.rounds(5),
            (
                _Peer(
                    "over one commit for each message, one writer",
                    "in a worker thread, as under asyncio",
                    lambda: asyncio.run(commit_rate(fresh(), few, 1)),
                    at_least(0.8),
                ),
                _Peer(
                    "over a loop that does nothing but commit", "no thread", lambda: loop_rate(fresh(), few)
                ),
            ),
        )
        with slower_commits(_SLOWER):
            yield from _slow_disk_figures(fresh, plan.amount(1_280), plan.rounds(3))


@dataclass(frozen=True, slots=True)
class _Peer:
    """Another way to make messages durable: its name, how it is done and how quickly, and the goal."""

    name: str
    how: str
    rate: Callable[[], float]
    goal: Goal | None = None


def _against(
    who: str, accept: Callable[[], float], rounds: int, peers: tuple[_Peer, ...]
) -> Iterator[Figure]:
    values = interleaved(rounds, {"accept": accept} | {peer.name: peer.rate for peer in peers}, within=45)
    yield figure(f"durable accepts a second, {who}", values["accept"], "/s")
    for peer in peers:
        rate = f"{peer.how}: {median(values[peer.name]):,.0f}/s"
        yield figure(peer.name, ratio(values, "accept", peer.name), "x", goal=peer.goal, beside=rate)


def _slow_disk_figures(fresh: Callable[[], Path], number: int, rounds: int) -> Iterator[Figure]:
    values = interleaved(
        rounds,
        {
            "accept": lambda: asyncio.run(accept_rate(fresh(), number, _WRITERS)),
            "commit": lambda: asyncio.run(commit_rate(fresh(), number // 4, _WRITERS)),
        },
        within=30,
    )
    yield figure(
        f"the same over one thread, were each commit {_SLOWER * 1000:g} ms slower",
        ratio(values, "accept", "commit"),
        "x",
        goal=at_least(20),
        beside=f"as on a disk without a write cache of its own: {median(values['commit']):,.0f}/s",
    )


def _sending(plan: Plan) -> Iterator[Figure]:
    one, many = plan.amount(200), plan.amount(1_280)
    with child("bench.servers", "sandbox") as sandbox, _folder(plan.folder) as folder:
        sender = Sender(sandbox.ask({"clients": _WRITERS}), folder)
        lone = interleaved(
            plan.rounds(7),
            {
                "path": _timed(sender.delivered, one, 1),
                "bare": _timed(sender.bare, one, 1),
            },
            within=40,
        )
        crowd = interleaved(
            plan.rounds(5),
            {
                "path": _timed(sender.delivered, many, _WRITERS),
                "bare": _timed(sender.bare, many, _WRITERS),
            },
            within=40,
        )
    extra = [(share - 1) * 100 for share in ratio(lone, "path", "bare")]
    yield figure(
        "a message through delivery, over a bare httpx POST, one at a time",
        extra,
        "%",
        goal=under(60),
        beside=f"{median(lone['path']) * 1000:.2f} ms; bare {median(lone['bare']) * 1000:.2f} ms",
    )
    yield figure(
        "rate of 64 senders to 64 receivers, over 64 bare httpx requests",
        ratio(crowd, "bare", "path"),
        "x",
        goal=at_least(2.5),
        beside=f"{1 / median(crowd['path']):,.0f}/s; bare {1 / median(crowd['bare']):,.0f}/s",
    )


def _timed(send: Callable[[int, int], object], number: int, senders: int) -> Callable[[], float]:
    return lambda: asyncio.run(send(number, senders))  # type: ignore[arg-type]  # a coroutine function


def _queue(plan: Plan) -> Iterator[Figure]:
    number = plan.amount(100_000)
    # Neither memory nor start-up hangs on fsync, and filling the queue goes faster without.
    where = _MEMORY_DISK if _MEMORY_DISK.is_dir() else plan.folder
    with _folder(where) as folder:
        outbox = str(folder / "queue.sqlite3")
        with child("bench.queued", outbox) as filler:
            filled = filler.ask({"fill": number}, within=180)
        number = filled["queued"]  # fewer than wanted where accepting is too slow for a benchmark
        starts = []
        for _ in range(plan.rounds(3)):
            with child("bench.queued", outbox) as starter:
                starts.append(starter.ask({"do": "start"}))
    beside = f"{filled['before_mb']:.0f} MB before; accepted at {filled['rate']:,.0f}/s, without a real fsync"
    yield Figure(
        f"memory of a bot that accepted {number:,} messages", filled["resident_mb"], "MB", under(200), beside
    )
    yield figure(
        f"memory of a bot that starts with {number:,} queued",
        [start["peak_mb"] for start in starts],
        "MB",
        goal=under(200),
        beside="at most",
    )
    yield figure(
        f"start-up with {number:,} queued, until the first send",
        [start["seconds"] for start in starts],
        "s",
        goal=under(2),
    )


def _faults(plan: Plan) -> Iterator[Figure]:
    number = plan.amount(2_000)
    with child("bench.servers", "sandbox") as sandbox, _folder(plan.folder) as folder:
        world = sandbox.ask({"faulty": _SEED})
        rough = asyncio.run(set_songs(world, folder / "rough.sqlite3", number))
        report = sandbox.ask({"do": "faulty"})
    lost = ", ".join(f"{count} {kind}" for kind, count in sorted(report["lost"].items()))
    ends = ", ".join(f"{count} {end}" for end, count in sorted(rough.ends.items()))
    done = report["done"].values()
    yield Figure(
        f"{number:,} songs set through a faulty network", rough.seconds, "s", beside=f"{ends}; lost: {lost}"
    )
    yield Figure("songs set twice", sum(times > 1 for times in done), "", at_most(0))
    yield Figure("actions left hanging", rough.ends.get("hanging", 0), "", at_most(0))
    missing = number - sum(times > 0 for times in done)
    told = number - rough.ends.get("delivered", 0)
    yield Figure("songs not set and not told", max(0, missing - told), "", at_most(0))


STEPS: Final = (_accepting, _sending, _queue, _faults)
"""The measurements of this part, in the order of the table."""

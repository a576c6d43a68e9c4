"""What a patch of the room's state costs, beside npm's ``fast-json-patch``, which bots in Node use.

Both apply the same stream in place, each patch once, and both check what they apply (npm's checks can
be switched off; what it takes then stands beside). The patches are the sandbox's own.
"""

import gc
import json
import random
import shutil
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import IO, Any, Final, cast

from bench.figures import Figure, at_most, figure, ratio
from bench.plan import Plan
from bench.servers import long_song
from hangbot.hangfm.wire.patch import apply_patch
from hangbot.hangfm.wire.state import RoomState
from hangbot.sandbox import RoomVariants
from hangbot.sandbox.people import People
from hangbot.sandbox.room.room import Room, RoomMessage

__all__ = ["STEPS"]

_LIBRARY: Final = "fast-json-patch@3.1.1"
_INSTALL_S: Final = 120.0
_DJS: Final = 5
_BATCH: Final = 20
"""Patches between two looks at the clock: looking takes Node a fifth of a microsecond."""
_NAMES: Final = {
    "vote": "a vote",
    "join": "a join",
    "leave": "a leave of the newest",
    "shift": "a leave out of the middle, after which the lists move up",
    "song": "a song after a song, twenty having voted",
}
Means = dict[str, float]
"""Microseconds a patch, by kind: the median of the batches."""


def _patches(plan: Plan) -> Iterator[Figure]:
    for users in (200, 2_000):
        stream = plan.folder / f"patches-{users}.json"
        stream.write_text(json.dumps(_stream(users, plan.amount(30))), encoding="utf-8")
        try:
            with _npm(plan.folder / "npm") as npm:
                yield from _compared(plan, users, stream, npm)
        except _Missing as exc:
            means = _ours(stream)
            yield from (
                Figure(f"{_NAMES[kind]}, {users:,} users", means[kind], "µs", beside=f"alone: {exc}")
                for kind in _NAMES
            )
        finally:
            stream.unlink()


def _compared(plan: Plan, users: int, stream: Path, npm: Callable[..., Means]) -> Iterator[Figure]:
    contenders: dict[str, Callable[[], Means]] = {
        "ours": partial(_ours, stream),
        "npm": partial(npm, stream, checked=True),
        "unchecked": partial(npm, stream, checked=False),
        "state": partial(_ours, stream, whole=True),
    }
    for run in contenders.values():
        run()  # Node compiles what it has run often enough
    rounds: dict[str, list[Means]] = {name: [] for name in contenders}
    names = list(contenders)
    for number in range(plan.rounds(7)):
        at = number % len(names)
        for name in names[at:] + names[:at]:
            rounds[name].append(contenders[name]())
    for kind, words in _NAMES.items():
        values = {name: [means[kind] for means in each] for name, each in rounds.items()}
        took = {name: f"{median(each):.3g}" for name, each in values.items()}
        beside = (
            f"{took['ours']} µs against {took['npm']} ({took['unchecked']} unchecked); "
            f"{took['state']} with the look at who is there twice"
        )
        yield figure(
            f"{words}, {users:,} users, over npm's",
            ratio(values, "ours", "npm"),
            "x",
            goal=at_most(1.0),
            beside=beside,
        )


def _ours(stream: Path, *, whole: bool = False) -> Means:
    document = json.loads(stream.read_text(encoding="utf-8"))
    state, late = RoomState(document["state"]), dict[str, bool]()

    def bare(patch: list[dict[str, Any]]) -> None:
        apply_patch(state.data, patch, [], late)

    apply = state.apply if whole else bare
    spent: defaultdict[str, list[float]] = defaultdict(list)
    gc.collect()
    gc.freeze()  # a bot does not hold a thousand patches that a collector would look through
    try:
        for kind, patches in document["batches"]:
            began = time.perf_counter_ns()
            for patch in patches:
                apply(patch)
            spent[kind].append((time.perf_counter_ns() - began) / 1000 / len(patches))
    finally:
        gc.unfreeze()
    return _typical(spent)


def _typical(spent: Mapping[str, Sequence[float]]) -> Means:
    """Return the median of the batches, so that a machine that is busy for a moment spoils only one."""
    return {kind: median(spent[kind]) for kind in _NAMES}


def _stream(users: int, number: int) -> dict[str, Any]:
    """Make a room of so many users, and so many batches of patches of each kind."""
    rng = random.Random(users)  # noqa: S311  a stream, not a secret
    people, room = People(lambda: 1_800_000_000.0), Room("room", "room", "Room", RoomVariants())
    room.moderation.update_settings({"roomSize": 2 * users})
    there = [people.add(f"user {at}") for at in range(users)]
    for person in there:
        room.presence.enter(person, "bench")
    for person in there[:_DJS]:
        room.stage.add_dj(person.uid, long_song("first"), 0)
    stream: dict[str, Any] = {"state": json.loads(json.dumps(room.state)), "batches": []}

    def take(kind: str, *changes: list[RoomMessage]) -> None:
        patches = [message.patch for messages in changes for message in messages if message.patch]
        stream["batches"].append([kind, json.loads(json.dumps(patches))])

    for at in range(number):
        for _ in range(4):
            take(
                "vote",
                *(
                    room.votes.cast(one.uid, {"like": rng.choice((True, False))})
                    for one in rng.sample(there, _BATCH)
                ),
            )
        guests = [people.add(f"guest {at}") for _ in range(_BATCH)]
        take("join", *(room.presence.enter(guest, "bench") for guest in guests))
        take("leave", *(room.presence.leave(guest.uid, 0) for guest in reversed(guests)))
        gone = [there.pop(rng.randrange(_DJS, len(there))) for _ in range(_BATCH)]
        take("shift", *(room.presence.leave(one.uid, 0) for one in gone))
        there += [people.add(f"newer {at}") for _ in range(_BATCH)]
        take("join", *(room.presence.enter(one, "bench") for one in there[-_BATCH:]))
        songs = [
            room.stage.update_next_song(dj["uuid"], long_song(f"song {at}"), 0) for dj in room.state["djs"]
        ]
        votes = [room.votes.cast(one.uid, {"like": True}) for one in rng.sample(there, _BATCH)]
        take("besides", *songs, *votes)
        take("song", room.stage.next_song(at))
    return stream


class _Missing(Exception):
    """There is no npm library to measure against, and why."""


@contextmanager
def _npm(folder: Path) -> Iterator[Callable[..., Means]]:
    """Start Node with the library, installed once and kept."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise _Missing("`node` and `npm` are not both on the PATH")
    if not (folder / "node_modules" / ".package-lock.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = [
            npm,
            "install",
            "--no-audit",
            "--no-fund",
            "--no-package-lock",
            "--ignore-scripts",
            _LIBRARY,
        ]
        try:
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=_INSTALL_S)  # noqa: S603  the developer's own npm
        except (subprocess.SubprocessError, OSError) as exc:
            raise _Missing(f"`npm install {_LIBRARY}` failed ({type(exc).__name__})") from exc
    process = subprocess.Popen(  # noqa: S603  our own program
        [node, str(Path(__file__).with_suffix(".mjs"))],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    sink, source = cast("IO[str]", process.stdin), cast("IO[str]", process.stdout)

    def ask(stream: Path, *, checked: bool) -> Means:
        sink.write(json.dumps({"stream": str(stream.resolve()), "checked": checked}) + "\n")
        sink.flush()
        return _typical(json.loads(source.readline()))

    with process:
        yield ask
        sink.close()


STEPS: Final = (_patches,)
"""The measurements of this part, in the order of the table."""

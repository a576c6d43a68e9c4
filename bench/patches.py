"""What a patch of the room's state costs, beside npm's ``fast-json-patch``, which bots in Node use.

Both apply the same stream in place, each patch once, and both check what they apply (npm's checks can
be switched off; what it takes then stands beside). The patches are the sandbox's own.
"""

import gc
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final

from bench.figures import Figure, at_most, figure, ratio
from bench.npm import Ask, NoNpm, node
from bench.plan import Plan
from bench.room_stream import HAPPENS, room_stream
from hangbot.hangfm.wire.patch import apply_patch
from hangbot.hangfm.wire.state import RoomState

__all__ = ["STEPS"]

Means = dict[str, float]
"""Microseconds a patch, by kind: the median of the batches."""


def _patches(plan: Plan) -> Iterator[Figure]:
    for users in (200, 2_000):
        stream = plan.folder / f"patches-{users}.json"
        stream.write_text(json.dumps(room_stream(users, plan.amount(30))), encoding="utf-8")
        try:
            with node(Path(__file__).with_suffix(".mjs"), plan.folder / "npm") as npm:
                yield from _compared(plan, users, stream, npm)
        except NoNpm as exc:
            means = _ours(stream)
            yield from (
                Figure(f"{HAPPENS[kind]}, {users:,} users", means[kind], "µs", beside=f"alone: {exc}")
                for kind in HAPPENS
            )
        finally:
            stream.unlink()


def _compared(plan: Plan, users: int, stream: Path, npm: Ask) -> Iterator[Figure]:
    contenders: dict[str, Callable[[], Means]] = {
        "ours": partial(_ours, stream),
        "npm": lambda: _typical(npm(stream=str(stream.resolve()), checked=True)),
        "unchecked": lambda: _typical(npm(stream=str(stream.resolve()), checked=False)),
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
    for kind, words in HAPPENS.items():
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
        for kind, messages in document["batches"]:
            patches = [message["statePatch"] for message in messages]
            began = time.perf_counter_ns()
            for patch in patches:
                apply(patch)
            spent[kind].append((time.perf_counter_ns() - began) / 1000 / len(patches))
    finally:
        gc.unfreeze()
    return _typical(spent)


def _typical(spent: Mapping[str, Sequence[float]]) -> Means:
    """Return the median of the batches, so that a machine that is busy for a moment spoils only one."""
    return {kind: median(spent[kind]) for kind in HAPPENS}


STEPS: Final = (_patches,)
"""The measurements of this part, in the order of the table."""

"""What trouble of one bot costs another in the same process: how soon that one answers, against calm."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from bench.bots import ask
from bench.figures import Figure, at_most, figure, interleaved, quantile, ratio
from bench.plan import Plan
from bench.processes import Child, child

__all__ = ["STEPS"]

_OPEN_WITHIN: Final = 60.0
_BEGINS: Final = 1.0
"""Seconds after which trouble is under way."""
_PASSES: Final = 3.0
"""Seconds after which both bots are well again."""
_ROUNDS_WITHIN: Final = 600.0
_AS_MUCH: Final = 1.1


def _beside(plan: Plan) -> Iterator[Figure]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="hangbot-bench-")))
        calm, troubled, elsewhere = (stack.enter_context(child("bench.servers", "sandbox")) for _ in range(3))
        worlds = [each.ask({"bots": 1, "clients": 1}, within=_OPEN_WITHIN) for each in (calm, troubled)]
        other = elsewhere.ask({"bots": 1}, within=_OPEN_WITHIN)
        for number, opened in enumerate((worlds, [other])):
            envs = [
                world["bots"][0]
                | {"HANGBOT_RATE": "0", "HANGBOT_OUTBOX": str(folder / f"{number}-{count}.sqlite3")}
                for count, world in enumerate(opened)
            ]
            bots = stack.enter_context(child("bench.bot_process"))
            bots.ask({"do": "open", "envs": envs}, within=_OPEN_WITHIN)
        frames = list[float]()

        def median(sandbox: Child | None, kind: str) -> float:
            if sandbox:
                sandbox.ask({"do": "trouble", "kind": kind})
                time.sleep(_BEGINS)
            began = time.monotonic()
            took = asyncio.run(ask(worlds[0], plan.amount(100), folder))
            seconds = time.monotonic() - began + _BEGINS
            if sandbox and (sent := sandbox.ask({"do": "trouble", "kind": "none"})):
                frames.append(sent / seconds)
            time.sleep(_PASSES)
            return quantile(took, 0.5)

        contenders: dict[str, Callable[[], float]] = {
            "calm": partial(median, None, ""),
            "hangs": partial(median, troubled, "hang"),
            "refuses": partial(median, troubled, "refuse"),
            "floods": partial(median, troubled, "flood"),
            "floods elsewhere": partial(median, elsewhere, "flood"),
        }
        values = interleaved(plan.rounds(15), contenders, within=_ROUNDS_WITHIN)
    yield figure("an answer while all is calm, median", values["calm"], "ms")
    for kind, against in (("hangs", "calm"), ("refuses", "calm"), ("floods", "floods elsewhere")):
        yield figure(
            f"beside a bot whose service {kind}, over {against}",
            ratio(values, kind, against),
            "x",
            goal=at_most(_AS_MUCH),
            beside=f"{quantile(values[kind], 0.5):.2f} ms",
        )
    yield figure(
        "beside a process in which a bot is flooded, over calm",
        ratio(values, "floods elsewhere", "calm"),
        "x",
        beside=f"what the flood costs this machine: {quantile(frames, 0.5):,.0f} frames a second",
    )


STEPS: Final = (_beside,)

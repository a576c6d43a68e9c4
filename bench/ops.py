"""What the status page costs the bot: with the port open and no page, and with one page open."""

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

from bench.bots import World, open_world
from bench.figures import Figure, figure, under
from bench.plan import Plan

__all__ = ["STEPS"]

_CROWD: Final = 199
_SETTLES: Final = 5.0
_VOTES: Final = 5.0
"""A second: the room is as busy as one with people in it."""


def _page(plan: Plan) -> Iterator[Figure]:
    seconds = plan.seconds(30.0)
    with open_world(bots=1, crowd=_CROWD) as world:
        time.sleep(_SETTLES)
        bare_mb = world.usage()["resident_mb"]
    with open_world(bots=1, crowd=_CROWD, HANGBOT_STATUS_PORT="0") as world:
        time.sleep(_SETTLES)
        closed_mb = world.usage()["resident_mb"]
        added = []
        for _ in range(plan.rounds(3)):
            closed = _busy(world, seconds)
            with _reading(world):
                added.append(_busy(world, seconds) - closed)
                open_mb = world.usage()["resident_mb"]
    beside = "of a core; a room of 200 with five votes a second"
    yield figure("one page open: processor", added, "%", goal=under(1.0), beside=beside)
    beside = f"the port itself, with its libraries: {closed_mb - bare_mb:.0f} MB"
    yield figure(
        "one page open: memory", [max(0.0, open_mb - closed_mb)], "MB", goal=under(5.0), beside=beside
    )


def _busy(world: World, seconds: float) -> float:
    return world.cpu_while(lambda: world.ask_sandbox(do="traffic", rate=_VOTES, seconds=seconds), seconds)


@contextmanager
def _reading(world: World) -> Iterator[None]:
    """Read what an open page is given, as long as the block runs."""
    address = urlsplit(world.ports[0] or "")
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60.0)
    connection.request("GET", "/events")
    answer = connection.getresponse()
    ending = threading.Event()

    def read() -> None:
        while not ending.is_set() and answer.readline():
            pass

    reader = threading.Thread(target=read, name="page")
    reader.start()
    try:
        yield
    finally:
        ending.set()
        reader.join(60.0)
        connection.close()


STEPS: Final = (_page,)

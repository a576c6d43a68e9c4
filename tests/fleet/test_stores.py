"""What a store makes of the servers' refusals, those above all that are only the moment's."""

import json

import pytest

from hangbot.config.cluster import parse_address
from hangbot.fleet.jetstream import BUSY, IN_PROCESS, Answer, StreamNames
from hangbot.fleet.link import Link
from hangbot.fleet.nats_cluster import NatsStream
from hangbot.fleet.streams import AnswerMissing, Outdated
from pytest_hangfm.manual_clock import ManualClock

OTHER = 10071


class Server(Link):
    """A server that refuses stores with these codes, one after the other; with the last for ever."""

    def __init__(self, *codes: int) -> None:
        super().__init__(parse_address("nats://127.0.0.1:9/fleet"), clock=ManualClock(auto=True), within=5.0)
        self.codes = list(codes)
        self.largest = 8

    async def ask(self, *_: object, **__: object) -> Answer:
        code = self.codes[0] if len(self.codes) == 1 else self.codes.pop(0)
        found = {"error": {"code": 400, "err_code": code, "description": "no"}} if code else {"seq": 7}
        return Answer({}, json.dumps(found).encode())


async def store(server: Server) -> int:
    return await NatsStream(server, StreamNames("S", "s.")).store("room", b"x", last=6, key="k")


@pytest.mark.parametrize("codes", [(0,), (BUSY, 0), (BUSY, BUSY, IN_PROCESS, BUSY, 0)])
async def test_a_record_that_is_just_being_stored_is_waited_for(codes: tuple[int, ...]) -> None:
    server = Server(*codes)

    assert await store(server) == 7


async def test_where_another_one_is_newest_that_is_said() -> None:
    with pytest.raises(Outdated):
        await store(Server(BUSY, OTHER))


@pytest.mark.parametrize(
    ("code", "error", "within"), [(BUSY, Outdated, 1.0), (IN_PROCESS, AnswerMissing, 6.0)]
)
async def test_it_is_not_waited_for_for_ever(code: int, error: type[Exception], within: float) -> None:
    server = Server(code)
    begun = server.clock.now()

    with pytest.raises(error):
        await store(server)

    assert server.clock.now() - begun < within

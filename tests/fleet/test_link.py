"""The connection to a cluster, where nothing but a lost one is looked at."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from math import inf

import pytest

from hangbot.clock import SystemClock
from hangbot.config.cluster import parse_address
from hangbot.fleet.jetstream import Answer
from hangbot.fleet.link import _LOOK_S, Link
from hangbot.fleet.nats_cluster import NatsStream
from hangbot.fleet.pending import PendingAnswers
from hangbot.fleet.shapes import records_names
from hangbot.fleet.streams import AnswerMissing, ClusterAway, Entry
from tests.bounds import WITHIN
from tests.fleet.pretending import pretending


async def test_a_lost_connection_is_waited_for_and_not_asked_again_and_again() -> None:
    async with pretending({"version": "2.15.1"}) as address:
        link = Link(parse_address(address), clock=SystemClock(), within=0.3)
        await link._connect_any()
        assert link._session
        await link._session.close()

        # At once, a caller that tries again would never let the loop make another connection.
        begun = SystemClock().now()
        with pytest.raises(ClusterAway, match="no NATS server answers"):
            await link.ask("anything")

        assert SystemClock().now() - begun >= 0.3
        await asyncio.gather(*link._closing)


@asynccontextmanager
async def linked_to_one_of_two() -> AsyncIterator[Link]:
    info = {"version": "2.15.1", "headers": True, "max_payload": 1_000_000}
    async with pretending(info) as one, pretending(info) as other:
        where = parse_address(f"{one},{other.removeprefix('nats://')}")
        link = Link(where, clock=SystemClock(), within=0.1)
        async with link.opened():
            yield link


async def test_a_server_through_which_nothing_is_stored_is_left_unless_something_was_meanwhile() -> None:
    async with linked_to_one_of_two() as link:
        left, begun = link.server, SystemClock().now()
        with pytest.raises(AnswerMissing):
            await NatsStream(link, records_names("f")).store("room", b"", last=0)
        async with asyncio.timeout(WITHIN):
            while link.server == left:  # noqa: ASYNC110  there is no event to wait for
                await asyncio.sleep(0.01)

        link.doubt(begun)  # what was asked of the former one says nothing of this one
        link.found_sound()
        link.doubt(SystemClock().now() - 0.1)

        assert link._doubted is None


async def test_a_server_through_which_something_is_stored_after_all_is_not_left() -> None:
    async with linked_to_one_of_two() as link:
        session = link._session
        link.doubt(SystemClock().now() + 1)  # the next look would leave it
        assert session
        assert link._doubted is session

        link.found_sound()

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(link._until_silent(session), 2 * _LOOK_S)
        assert link._session is session


class FollowerBehind(Link):
    """A connection to servers of which the one that answers directly knows nothing yet."""

    async def ask_several(
        self,
        subject: str,
        data: bytes,
        *,
        within: float | None = None,
        came: list[Answer] | None = None,
        largest: float = inf,
    ) -> list[Answer]:
        assert largest == inf
        assert came == []
        assert (subject, within) == ("$JS.API.DIRECT.GET.f-records", None)
        assert json.loads(data)["seq"] == 8
        return [Answer({"Status": "404"}, b"")]

    async def ask(
        self,
        subject: str,
        data: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        within: float | None = None,
    ) -> Answer:
        assert (subject, headers, within) == ("$JS.API.STREAM.MSG.GET.f-records", None, None)
        assert json.loads(data) == {"seq": 8, "next_by_subj": "f.records.room"}
        message = {"subject": "f.records.room", "seq": 9, "data": base64.b64encode(b"new").decode()}
        return Answer({}, json.dumps({"message": message}).encode())


async def test_what_a_follower_does_not_know_yet_the_leader_is_asked_for() -> None:
    link = FollowerBehind(parse_address("nats://a"), clock=SystemClock(), within=1)
    stream = NatsStream(link, records_names("f"))

    assert await stream.read("room", after=7) == [Entry("room", 9, b"new")]


@pytest.mark.parametrize("several", [False, True])
async def test_where_two_servers_answer_what_one_was_asked_the_first_answer_counts(*, several: bool) -> None:
    pending = PendingAnswers()
    asked = pending.expect("anything", within=1, several=several)
    pending.take(asked.word, Answer({"Status": "204"}, b"of one that leads no more"))
    pending.take(asked.word, Answer({"Status": "204"}, b"of the leader"))

    assert [answer.data for answer in await asked.done] == [b"of one that leads no more"]


async def test_whatever_is_asked_is_waited_for_as_long_as_it_says() -> None:
    pending, loop = PendingAnswers(), asyncio.get_running_loop()
    ended: dict[float, float] = {}
    begun = loop.time()

    async def ask(within: float) -> None:
        asked = pending.expect("anything", within=within)
        with pytest.raises(TimeoutError):
            await asked.done
        ended[within] = loop.time() - begun
        pending.forget(asked)

    async with asyncio.timeout(WITHIN), asyncio.TaskGroup() as asking:
        for within in (0.02, 0.06, 0.04, 0.0, 0.06):
            asking.create_task(ask(within))

    assert list(ended) == [0.0, 0.02, 0.04, 0.06]
    assert all(took >= within for within, took in ended.items())

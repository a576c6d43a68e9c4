"""The connection to a cluster, where nothing but a lost one is looked at."""

import asyncio
import base64
import json
from collections.abc import Mapping

import pytest

from hangbot.clock import SystemClock
from hangbot.config.cluster import parse_address
from hangbot.fleet.jetstream import Answer
from hangbot.fleet.link import Link
from hangbot.fleet.nats_cluster import NatsStream
from hangbot.fleet.pending import PendingAnswers
from hangbot.fleet.shapes import records_names
from hangbot.fleet.streams import ClusterAway, Entry
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


class FollowerBehind(Link):
    """A connection to servers of which the one that answers directly knows nothing yet."""

    async def ask_several(
        self, subject: str, data: bytes, *, within: float | None = None, came: list[Answer] | None = None
    ) -> list[Answer]:
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
    with pending.expected("anything", several=several) as (word, asked):
        pending.take(word, Answer({"Status": "204"}, b"of one that leads no more"))
        pending.take(word, Answer({"Status": "204"}, b"of the leader"))

        assert [answer.data for answer in await asked.done] == [b"of one that leads no more"]

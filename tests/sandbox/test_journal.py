import asyncio
from typing import Any

import pytest

from hangbot.redact import Redactor
from hangbot.sandbox.journal import KEPT_CHARS, Journal
from tests.cases import named

TOKEN = "auth_" + "s3cret-" * 7


def journal(**options: Any) -> Journal:  # noqa: ANN401  passed on
    return Journal(lambda: 1000, Redactor([TOKEN]), **options)


@pytest.fixture
def events() -> Journal:
    return journal()


def test_an_event_has_the_fields_of_the_contract(events: Journal) -> None:
    number = events.record("chat", "in", "http", fault=3, method="POST", path="/v3/messages")
    events.record("room", "out", "frame", frame="{}")
    whole, bare = events.since(0)[0]

    assert number == 1
    names = "n t_ms service dir kind fault method path"
    assert whole == named(names, 1, 1000, "chat", "in", "http", 3, "POST", "/v3/messages")
    assert "fault" not in bare


def test_the_ring_keeps_the_newest_and_says_that_older_ones_are_gone() -> None:
    events = journal(keep=3)
    for number in range(5):
        events.record("room", "in", "frame", frame=str(number))

    kept, truncated = events.since(0)
    rest, whole = events.since(3)

    assert [event["n"] for event in kept] == [3, 4, 5]
    assert truncated
    assert [event["n"] for event in rest] == [4, 5]
    assert not whole


@pytest.mark.parametrize("n", [5, 6, 10**9])
def test_there_is_nothing_after_the_last(events: Journal, n: int) -> None:
    for _ in range(5):
        events.record("room", "in", "open")

    assert events.since(n) == ([], False)


def test_secrets_are_masked_wherever_they_stand(events: Journal) -> None:
    events.record("chat", "in", "http", path=f"/x?token={TOKEN}", body={"deep": [TOKEN]}, frame=f'"{TOKEN}"')
    events.record("chat", "in", "http", path=f"/y?token={TOKEN}")

    assert TOKEN not in repr(events.since(1))
    assert TOKEN not in repr(events.since(0))
    assert "deep" in repr(events.since(0))


def test_a_container_is_copied_when_it_is_recorded(events: Journal) -> None:
    body = {"text": ["before"]}
    events.record("chat", "out", "http", body=body)

    body["text"].append("after")

    assert events.since()[0][0]["body"] == {"text": ["before"]}


def test_a_long_text_is_cut_and_its_length_told(events: Journal) -> None:
    events.record("room", "in", "frame", frame=TOKEN + "x" * 1_000_000)

    frame = events.since()[0][0]["frame"]
    assert len(frame) < KEPT_CHARS + 100
    assert f"({len(TOKEN) + 1_000_000} characters)" in frame
    assert "s3cret" not in frame


def test_a_listener_gets_each_event_masked_as_it_happens() -> None:
    heard: list[dict[str, Any]] = []
    events = journal(on_event=heard.append)

    events.record("room", "in", "frame", frame=TOKEN)

    assert len(heard) == 1
    assert TOKEN not in repr(heard)


def test_events_are_found_by_their_fields(events: Journal) -> None:
    events.record("room", "in", "open", conn=1)
    events.record("room", "out", "close", conn=1)

    assert [event["kind"] for event in events.events(dir="out")] == ["close"]


def test_a_request_that_nobody_knows_is_remembered_beyond_the_ring() -> None:
    events = journal(keep=1)

    events.record("gateway", "in", "http", method="GET", path="/api/nothing", unknown_route=True)
    events.record("room", "in", "open")

    assert len(events.unrouted) == 1
    assert "/api/nothing" in events.unrouted[0]


async def test_waiting_finds_what_has_already_come(events: Journal) -> None:
    events.record("room", "in", "open", conn=4)

    event = await events.wait_for(lambda e: e.get("conn") == 4)

    assert event["n"] == 1


async def test_waiting_finds_what_comes_later(events: Journal) -> None:
    waiting = asyncio.create_task(events.wait_for(lambda e: e["kind"] == "close", since=events.last_n))

    events.record("room", "in", "open")
    events.record("room", "in", "close", conn=9)

    assert (await waiting)["conn"] == 9


async def test_waiting_in_vain_names_what_came_instead(events: Journal) -> None:
    events.record("room", "in", "open", conn=77)

    with pytest.raises(TimeoutError, match="conn=77"):
        await events.wait_for(lambda e: e["kind"] == "close", within=0.01)


async def test_waiting_in_vain_where_nothing_came_says_so() -> None:
    with pytest.raises(TimeoutError, match="nor any other"):
        await journal().wait_for(lambda _: True, within=0.01)


def test_clearing_forgets_events_but_numbers_go_on(events: Journal) -> None:
    events.record("room", "in", "open")

    events.clear()

    assert events.since() == ([], True)
    assert events.record("room", "in", "open") == 2
    assert len(events.since(1)[0]) == 1


def test_a_frame_is_recorded_as_any_other_event() -> None:
    heard: list[dict[str, Any]] = []
    quick, thorough = journal(on_event=heard.append), journal()
    frame = f'{{"token":"{TOKEN}"}}' + "x" * KEPT_CHARS

    quick.frame("out", 7, "uid", frame, 3)
    thorough.record("room", "out", "frame", fault=3, conn=7, uid="uid", frame=frame)

    assert quick.since() == thorough.since()
    assert heard == quick.since()[0]


async def test_a_frame_wakes_who_waits_for_it(events: Journal) -> None:
    waiting = asyncio.create_task(events.wait_for(lambda e: e["kind"] == "frame", since=events.last_n))
    await asyncio.sleep(0)

    events.frame("in", 4, None, "{}")

    assert (await waiting)["conn"] == 4

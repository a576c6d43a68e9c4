# ruff: noqa: ASYNC240  a test may wait for its disk

import asyncio
import errno
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from hangbot.delivery import database, outbox_file, tables
from hangbot.delivery.message import Outgoing
from hangbot.delivery.outbox import Outbox, exclusive
from hangbot.delivery.outbox_file import OutboxFile
from hangbot.delivery.owner import Owner
from hangbot.delivery.record import MessageTiming, OutboxRow, Settlement, State, Step
from hangbot.delivery.thread_writer import ThreadWriter
from hangbot.errors import (
    OutboxDiskFull,
    OutboxFull,
    OutboxLocked,
    OutboxOfAnother,
    OutboxUnusable,
    UnknownMessage,
    UsageError,
)
from tests.bounds import WITHIN
from tests.cases import cases
from tests.delivery.builders import (
    DELIVERED,
    DROPPED,
    EXPIRED,
    FAILED,
    UNCERTAIN,
    Watched,
    message,
    no_thread_is_left,
    opened,
    run,
)


@pytest_asyncio.fixture
async def outbox(path: Path) -> AsyncIterator[Outbox]:
    """An outbox that tries a full disk again soon."""
    async with opened(path, make_writer=partial(ThreadWriter, full_again_after=0.01)) as box:
        yield box


def step(key: str, attempt: int = 1) -> Step:
    return Step(key, 5.0, "attempt", attempt, "words", 0.5)


async def settle(box: Outbox, key: str, end: Settlement, now: float = 20.0) -> None:
    await box.settle(key, end, [], now)


async def pragma(box: Outbox, text: str) -> Any:  # noqa: ANN401  of any kind
    """Ask or tell the connection, on its thread."""
    return await box.place.read(lambda file: (file.execute(f"PRAGMA {text}").fetchone() or [None])[0])


async def refusal(path: Path) -> OutboxUnusable:
    with pytest.raises(OutboxUnusable) as caught:
        async with opened(path):
            raise AssertionError
    assert str(path) in str(caught.value)
    return caught.value


OTHER = """
import asyncio, os, signal, sys
from pathlib import Path
from hangbot.delivery.message import Outgoing
from hangbot.delivery.outbox import Outbox
from hangbot.delivery.outbox_file import OutboxFile
async def main():
    sys.stdin.readline()
    box = Outbox(OutboxFile(Path(sys.argv[1])))
    await box.open()
"""
"""The beginning of a process that opens an outbox as soon as it is told to."""


async def test_what_was_accepted_is_there_after_a_restart(path: Path) -> None:
    given = message(direct=True, mentions=({"start": 0},), images=("https://h/i.png",))
    async with opened(path) as first:
        await first.put([given], 10.0)

    async with opened(path) as again:
        (row,) = await again.rows()

    assert row.message == given
    assert (row.state, row.accepted_at, row.attempts, row.in_doubt) == ("queued", 10.0, 0, False)


@pytest.mark.of_a_file
async def test_accepted_survives_a_process_that_is_killed(path: Path) -> None:
    killed = run(
        OTHER
        + """
    await box.put([Outgoing('m', 'room', 'hi')], 1.0)
    await box.put([Outgoing('n', 'room', 'hi')], 2.0)
    await box.mark_sending('m', [])
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
""",
        path,
    )
    async with opened(path) as box:
        rows = await box.rows(["queued", "sending"])
        await box.recover(20.0)
        recovered = await box.get("m")
        history = await box.history("m")
        waiting = [await box.claim("room"), await box.claim("room")]

    assert killed.returncode == -9
    states = [(row.message.id, row.state, row.in_doubt) for row in rows]
    assert states == [("m", "sending", True), ("n", "queued", False)]
    assert (recovered.state, recovered.in_doubt, recovered.attempts) == ("queued", True, 1)
    assert [(step.kind, step.attempt, step.at) for step in history][1:] == [("attempt", 1, 20.0)]
    assert [row and (row.message.id, row.in_doubt) for row in waiting] == [("m", True), ("n", False)]


async def test_the_same_id_with_the_same_content_is_the_same_message(outbox: Outbox) -> None:
    await outbox.put([message()], 10.0)
    await settle(outbox, "m", DELIVERED)

    again = await outbox.put([message()], 30.0)

    assert [(row.state, row.accepted_at) for row in again] == [("delivered", 10.0)]
    assert len(await outbox.rows()) == 1
    assert [each.kind for each in await outbox.history("m")] == ["accepted"]


@cases(
    "first second",
    ("text", [message()], [message(text="other")]),
    ("receiver", [message()], [message(to="elsewhere")]),
    ("direct", [message()], [message(direct=True)]),
    ("mentions", [message()], [message(mentions=({"start": 1},))]),
    ("images", [message()], [message(images=("i",))]),
    ("a longer text that begins the same", [message()], [message(), message("m.2", text="more")]),
    ("the start of a longer text", [message(), message("m.2", text="more")], [message()]),
    ("the id among other parts", [message()], [message("x"), message()]),
)
async def test_the_same_id_with_other_content_is_refused_and_nothing_written(
    outbox: Outbox, first: list[Outgoing], second: list[Outgoing]
) -> None:
    await outbox.put(first, 10.0)

    with pytest.raises(UsageError, match="the id m was used for another message; nothing was accepted"):
        await outbox.put(second, 11.0)

    assert [row.message for row in await outbox.rows()] == first


TWO = [message(), message("m.2", text="more")]
THREE = [*TWO[:1], message("m.2", text="much"), message("m.3", text="more")]


@cases(
    "first second",
    ("other text", [message()], [message(text="other")]),
    ("another receiver", [message()], [message(to="elsewhere")]),
    ("more parts", [message()], THREE),
    ("yet more parts", TWO, THREE),
    ("fewer parts", THREE, TWO),
    ("one part", THREE, [message(text="other")]),
    ("the same", TWO, TWO),
)
@pytest.mark.parametrize("together", [False, True], ids=["later", "at once"])
async def test_the_first_text_under_an_id_stands_for_all_that_follow(
    outbox: Outbox, first: list[Outgoing], second: list[Outgoing], *, together: bool
) -> None:
    putting = outbox.put(first, 10.0, first_wins=True)
    if not together:
        await putting
    after = await outbox.put(second, 11.0, first_wins=True)

    before = await putting
    assert [row.message for row in before] == first
    assert after == before == await outbox.rows()


async def test_the_first_text_stands_however_it_ended(outbox: Outbox) -> None:
    await outbox.put(TWO, 10.0, first_wins=True)
    await settle(outbox, "m", FAILED)

    again = await outbox.put([message(text="other")], 30.0, first_wins=True)

    assert [(row.message.id, row.state) for row in again] == [("m", "failed"), ("m.2", "failed")]
    assert again == await outbox.rows()


async def test_where_the_first_wins_what_is_put_beside_it_is_not_touched(outbox: Outbox) -> None:
    await outbox.put([message("known", text="before")], 1.0)
    await outbox.put([message("plain", text="before")], 1.0)
    texts = [("a", True), ("known", True), ("plain", False), ("b", False), ("a", True)]

    put = await asyncio.gather(
        *(
            outbox.put([message(key, text=f"{number}")], 2.0, first_wins=first_wins)
            for number, (key, first_wins) in enumerate(texts)
        ),
        return_exceptions=True,
    )

    assert isinstance(put[2], UsageError)
    assert [
        (rows[0].message.id, rows[0].message.text) for rows in put if not isinstance(rows, BaseException)
    ] == [
        ("a", "0"),
        ("known", "before"),
        ("b", "3"),
        ("a", "0"),
    ]
    assert [row.message.id for row in await outbox.rows()] == ["known", "plain", "a", "b"]


async def test_where_the_first_wins_a_part_that_is_another_message_is_refused(outbox: Outbox) -> None:
    await outbox.put([message("m.2", text="another")], 1.0)

    with pytest.raises(UsageError, match=r"the id m\.2 was used for another message"):
        await outbox.put(TWO, 2.0, first_wins=True)

    assert [row.message.id for row in await outbox.rows()] == ["m.2"]


@pytest.mark.of_a_file
async def test_a_copy_is_in_doubt_about_its_answers_for_an_hour_from_the_first_on(
    outbox: Outbox, tmp_path: Path
) -> None:
    await outbox.put([message("known")], 1.0, first_wins=True)
    await outbox.back_up(tmp_path / "copy")

    async with opened(tmp_path / "copy") as copy:
        for box in (outbox, copy):
            for key, at in {"known": 100.0, "first": 100.0, "late": 3699.0, "later": 3700.0}.items():
                (row,) = await box.put([message(key)], at, first_wins=True)
                assert row == await box.get(key)
            await box.put([message("by-hand")], 100.0)
        doubts = [[row.in_doubt for row in await box.rows()] for box in (outbox, copy)]

    assert doubts == [[False] * 5, [True, True, True, False, False]]


async def test_a_full_queue_knows_what_is_in_it(path: Path) -> None:
    async with opened(path, queue=1) as box:
        await box.put([message()], 1.0, first_wins=True)

        again = await box.put(THREE, 2.0, first_wins=True)

        with pytest.raises(OutboxFull):
            await box.put([message("n")], 2.0, first_wins=True)
        assert again == await box.rows()


async def test_two_processes_put_one_id_and_one_of_them_is_first(outbox: Outbox, elsewhere: Outbox) -> None:
    texts = {n: ([message(f"m{n}")], [message(f"m{n}", text="o"), message(f"m{n}.2")]) for n in range(20)}

    put = await asyncio.gather(
        *(
            box.put(text, 10.0, first_wins=True)
            for both in texts.values()
            for box, text in zip((outbox, elsewhere), both, strict=True)
        )
    )

    assert put[::2] == put[1::2]
    assert sum(put[::2], start=list[OutboxRow]()) == await outbox.rows()


async def test_what_waits_comes_oldest_first_without_the_receivers_named(outbox: Outbox) -> None:
    for number, to in enumerate(["b", "c", "b", "a", "d"]):
        await outbox.put([message(f"m{number}", to=to)], 100.0 - number)
    await settle(outbox, "m0", DELIVERED)
    await outbox.mark_sending("m4", [])

    everyone = await outbox.receivers()
    without = await outbox.receivers(without={"a", "b"})

    assert everyone == ["c", "b", "a"]
    assert without == ["c"]
    assert await outbox.count_waiting() == 4


async def test_a_claim_takes_the_oldest_and_only_once(outbox: Outbox) -> None:
    for number in range(6):
        await outbox.put([message(f"m{number}", to="a" if number % 2 else "b")], 100.0 - number)
    await settle(outbox, "m1", DELIVERED)

    seen = [await outbox.claim("a") for _ in range(3)]

    row = await outbox.get("m3")
    assert [claimed and claimed.message.id for claimed in seen] == ["m3", "m5", None]
    assert (row.state, row.in_doubt, row.attempts) == ("sending", True, 0)
    assert seen[0] == row._replace(in_doubt=False)  # as it was: nothing to ask about
    assert await outbox.receivers() == ["b"]


async def test_a_look_takes_nothing(outbox: Outbox) -> None:
    await outbox.put([message()], 10.0)

    seen = [await outbox.claim("room", only_look=True) for _ in range(2)]

    assert seen == [await outbox.get("m")] * 2
    assert await outbox.claim("nobody", only_look=True) is None


ENDS = {"delivered": DELIVERED, "failed": FAILED, "uncertain": UNCERTAIN, "expired": EXPIRED}


async def do(box: Outbox, action: str) -> None:
    """Have one thing happen to the message, and to the part behind it."""
    if action in ENDS:
        await settle(box, "m", ENDS[action])
    elif action == "claim":
        await box.claim("room")
    elif action == "release":  # as it was when it was queued
        await box.release((await box.get("m"))._replace(in_doubt=False))
    elif action.startswith("attempt"):
        await box.mark_sending("m", [step("m", int(action.split()[1]))])
    elif action == "recover":
        await box.recover(20.0)
    else:
        what, key = action.split()
        await (box.drop([key], 15.0) if what == "drop" else box.requeue([key], 30.0))


@cases(
    "actions first second",
    ("accepted", [], ("queued", False, 0), "queued"),
    ("claimed: it may be there from here on", ["claim"], ("sending", True, 0), "queued"),
    ("not sent: as it was", ["claim", "release"], ("queued", False, 0), "queued"),
    ("sent", ["attempt 1", "attempt 2"], ("sending", True, 2), "queued"),
    ("cut off, in doubt", ["attempt 1", "recover"], ("queued", True, 1), "queued"),
    ("cut off before it was noted", ["claim", "recover"], ("queued", True, 1), "queued"),
    ("there: not sent", ["delivered", "attempt 9"], ("delivered", False, 1), "queued"),
    ("failed: not sent", ["failed", "attempt 9"], ("failed", False, 3), "failed"),
    ("unknown: not sent", ["uncertain", "attempt 9"], ("uncertain", True, 1), "failed"),
    ("an end undoes no other", ["drop m", "failed"], ("dropped", False, 0), "failed"),
    ("dropped, and arrived", ["drop m", "delivered"], ("delivered", False, 1), "failed"),
    ("stays dropped", ["claim", "drop m", "release"], ("dropped", True, 0), "failed"),
    ("never sent: no doubt", ["drop m", "requeue m"], ("queued", False, 0), "failed"),
    ("perhaps sent", ["claim", "drop m", "requeue m"], ("queued", True, 1), "failed"),
    ("asked about", ["attempt 1", "failed", "requeue m"], ("queued", True, 3), "failed"),
    ("too", ["attempt 1", "uncertain", "requeue m"], ("queued", True, 1), "failed"),
    ("queued already", ["requeue m"], ("queued", False, 0), "queued"),
    ("on its way already", ["attempt 1", "requeue m"], ("sending", True, 1), "queued"),
    ("there already", ["delivered", "requeue m"], ("delivered", False, 1), "queued"),
    ("both dropped", ["drop m", "drop m.2"], ("dropped", False, 0), "dropped"),
    ("only one", ["failed", "requeue m.2", "drop m"], ("dropped", False, 3), "queued"),
)
async def test_what_happens_to_a_message_and_the_part_behind_it(
    outbox: Outbox, actions: list[str], first: tuple[State, bool, int], second: State
) -> None:
    await outbox.put([message(), message("m.2")], 10.0, expires_at=99.0)

    for action in actions:
        await do(outbox, action)

    row, behind = await outbox.rows()
    assert (row.state, row.in_doubt, row.attempts) == first
    assert behind.state == second
    assert (row.expires_at is None) == ("requeue m" in actions and row.state == "queued" and len(actions) > 1)


async def test_a_message_queued_again_is_as_if_new(outbox: Outbox) -> None:
    await outbox.put([message()], 10.0)
    await settle(outbox, "m", FAILED)

    (row,) = await outbox.requeue(["m"], 30.0)

    assert (row.accepted_at, row.tier, row.reason, row.remedy, row.settled_at) == (10.0, None, "", "", None)
    last = (await outbox.history("m"))[-1]
    assert (last.kind, last.detail) == ("accepted", "queued again by hand")


@pytest.mark.parametrize("end", [DELIVERED, FAILED, UNCERTAIN], ids=lambda end: end.state)
async def test_an_end_is_written_with_all_that_is_known(outbox: Outbox, end: Settlement) -> None:
    await outbox.put([message()], 10.0)
    await outbox.mark_sending("m", [])

    await outbox.settle("m", end, [step("m", 3)], 20.0)

    row = await outbox.get("m")
    assert Settlement(row.state, row.tier, row.attempts, row.reason, row.remedy) == end
    assert (row.settled_at, row.in_doubt) == (20.0, end == UNCERTAIN)
    assert (await outbox.history("m"))[-1] == step("m", 3)


async def test_dropping_ends_what_is_not_delivered(outbox: Outbox) -> None:
    for key, end in [("queued", None), ("failed", FAILED), ("uncertain", UNCERTAIN), ("there", DELIVERED)]:
        await outbox.put([message(key)], 10.0)
        if end:
            await settle(outbox, key, end)

    rows = await outbox.drop(["queued", "failed", "uncertain", "there"], 30.0)
    again = await outbox.drop(["queued"], 40.0)

    assert [row.state for row in rows] == ["dropped", "dropped", "dropped", "delivered"]
    assert (rows[0].reason, rows[0].settled_at) == ("dropped by hand", 30.0)
    assert again[0].settled_at == 30.0
    assert [each.kind for each in await outbox.history("queued")] == ["accepted", "settled"]


async def test_an_unknown_id_is_named_and_the_known_ones_beside_it_stay(outbox: Outbox) -> None:
    await outbox.put([message()], 10.0)
    await settle(outbox, "m", FAILED)

    for question in (
        *(outbox.requeue(["m", "ghost"], 30.0), outbox.drop(["m", "ghost"], 30.0)),
        *(outbox.get("ghost"), outbox.history("ghost"), outbox.append_steps("ghost", [])),
    ):
        with pytest.raises(UnknownMessage, match="no message ghost"):
            await question

    assert (await outbox.get("m")).state == "failed"


async def test_notes_keep_the_number_of_attempts_and_never_lower_it(outbox: Outbox) -> None:
    await outbox.put([message()], 10.0)

    await outbox.append_steps("m", [step("m", 2)])
    await outbox.append_steps("m", [step("m", 1)])
    await outbox.append_steps("m", [])

    assert (await outbox.get("m")).attempts == 2
    assert len(await outbox.history("m")) == 3


@pytest.mark.of_a_file
async def test_the_version_changes_when_another_connection_writes(outbox: Outbox, elsewhere: Outbox) -> None:
    first = (await outbox.place.look())[0]
    await outbox.put([message("mine")], 10.0)
    own = (await outbox.place.look())[0]

    await elsewhere.put([message("theirs")], 10.0)

    assert own == first
    assert (await outbox.place.look())[0] != first


async def test_of_messages_put_at_once_the_one_that_is_refused_is_alone(outbox: Outbox) -> None:
    await outbox.put([message("known", text="before")], 1.0)
    texts = [message("a"), message("known", text="another"), message("b"), message("b")]

    put = await asyncio.gather(*(outbox.put([text], 2.0) for text in texts), return_exceptions=True)

    assert isinstance(put[1], UsageError)
    taken = [row.message.id for rows in put if not isinstance(rows, BaseException) for row in rows]
    assert taken == ["a", "b", "b"]
    there = [(row.message.id, row.message.text) for row in await outbox.rows()]
    assert there == [("known", "before"), ("a", "hi"), ("b", "hi")]


async def test_two_connections_put_the_same_message_once(outbox: Outbox, elsewhere: Outbox) -> None:
    texts = [[message(f"m{n}"), message(f"m{n}.2")] for n in range(20)]

    await asyncio.gather(*(box.put(text, 10.0) for text in texts for box in (outbox, elsewhere)))

    rows = await outbox.rows()
    assert len(rows) == 40
    assert [row.message.id for row in rows] == [row.message.id for row in await elsewhere.rows()]


@pytest.mark.of_a_file
async def test_many_processes_can_make_the_same_outbox_at_the_same_time(path: Path) -> None:
    put = "    await box.put([Outgoing(sys.argv[2], 'room', 'hi')], 1.0)\n"
    close = "    await box.close()\nasyncio.run(main())\n"
    pipes = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    makers = [
        subprocess.Popen([sys.executable, "-c", OTHER + put + close, str(path), f"m{n}"], **pipes)  # type: ignore[call-overload]  # noqa: S603, ASYNC220  as many at once as can be
        for n in range(4)
    ]

    ends = [maker.communicate("go\n", timeout=WITHIN) for maker in makers]

    assert [(maker.returncode, end[1]) for maker, end in zip(makers, ends, strict=True)] == [(0, "")] * 4
    async with opened(path) as box:
        assert len(await box.rows()) == 4


@pytest.mark.of_a_file
async def test_an_outbox_that_is_made_at_the_moment_is_not_another_programs(path: Path) -> None:
    boxes = [Outbox(OutboxFile(path)) for _ in range(12)]

    await asyncio.gather(*(box.open() for box in boxes))

    assert [await box.rows() for box in boxes] == [[]] * 12
    for box in boxes:
        await box.close()


async def test_what_is_queued_again_by_hand_counts_as_waiting(path: Path) -> None:
    async with opened(path, queue=3) as box:
        dropped = ["a", "b", "c"]
        await box.put([message(key) for key in dropped], 10.0)
        await box.drop(dropped, 11.0)
        await box.put([message("d")], 12.0)

        await box.requeue(dropped, 13.0)

        with pytest.raises(OutboxFull, match="4 messages wait"):
            await box.put([message("e")], 14.0)


async def test_a_queue_that_is_full_takes_nothing_more_and_loses_nothing(path: Path) -> None:
    async with opened(path, queue=3) as box:
        await box.put([message("a"), message("a.2")], 10.0)

        with pytest.raises(OutboxFull, match=r"2 messages wait in the outbox .* already"):
            await box.put([message("b"), message("b.2")], 11.0)
        await box.put([message("c")], 12.0)
        again = await box.put([message("c")], 12.5)  # the same message takes no more room
        with pytest.raises(OutboxFull, match="3 messages wait"):
            await box.put([message("d")], 13.0)
        await settle(box, "c", DELIVERED)
        await box.put([message("e")], 14.0)

        assert [row.message.id for row in await box.rows()] == ["a", "a.2", "c", "e"]
        assert [row.accepted_at for row in again] == [12.0]


async def test_another_process_fills_the_same_queue(path: Path) -> None:
    limits: dict[str, Any] = {"queue": 10, "count_every": 2}
    async with opened(path, **limits) as mine, opened(path, **limits) as theirs:
        await mine.put([message("m")], 10.0)
        for number in range(9):
            await theirs.put([message(f"t{number}")], 10.0)

        await mine.put([message("n")], 10.0)  # at most so many more as it had counted
        with pytest.raises(OutboxFull):
            await mine.put([message("o")], 10.0)


async def test_delivered_messages_are_kept_for_a_time_and_the_others_until_somebody_acts(path: Path) -> None:
    async with opened(path, keep_for=10_000.0) as box:
        ends = [DELIVERED, FAILED, UNCERTAIN, DROPPED, DELIVERED]
        for number, end in enumerate(ends):
            await box.put([message(f"m{number}")], 10.0)
            await box.settle(f"m{number}", end, [step(f"m{number}")], 20.0 + number)
        await box.put([message("waits")], 10.0)

        gone = await box.prune(10_022.0)

        assert gone == 1
        assert [row.message.id for row in await box.rows()] == ["m1", "m2", "m3", "m4", "waits"]
        steps = await box.place.read(lambda rows: rows.execute("SELECT count(*) FROM step").fetchone())
        assert steps == (4,)


async def test_the_newest_delivered_messages_are_kept_and_the_others_go_now_and_then(path: Path) -> None:
    async with opened(path, keep_most=2, prune_every=3) as box:
        kept = []
        for number in range(7):
            await box.put([message(f"m{number}")], 10.0)
            await settle(box, f"m{number}", DELIVERED, 5000.0 * number)
            kept.append([row.message.id for row in await box.rows()])

        assert [len(keys) for keys in kept] == [1, 2, 2, 3, 4, 2, 3]
        assert (kept[2], kept[5]) == (["m1", "m2"], ["m4", "m5"])


@cases("keep", ("by their age", {"keep_for": 1.0}), ("by their number", {"keep_most": 0}))
async def test_an_answer_is_kept_as_long_as_its_line_may_be_heard_again(
    path: Path, keep: dict[str, Any]
) -> None:
    async with opened(path, catch_up=400.0, **keep) as box:
        await box.put([message()], 10.0)
        await settle(box, "m", DELIVERED, 20.0)

        gone = [await box.prune(20.0 + 400.0 + 3600.0), await box.prune(20.1 + 400.0 + 3600.0)]

        assert gone == [0, 1]


async def test_what_ended_before_a_moment_can_be_left_out(outbox: Outbox) -> None:
    for key, end, at in [("a", DELIVERED, 20.0), ("b", FAILED, 30.0), ("c", DELIVERED, 40.0)]:
        await outbox.put([message(key)], 10.0)
        await settle(outbox, key, end, at)
    await outbox.put([message("d")], 15.0)

    rows = await outbox.rows(since=30.0)
    failed = await outbox.rows(["failed", "queued"], since=35.0)
    lives = await outbox.timings(since=30.0)

    assert [row.message.id for row in rows] == ["b", "c", "d"]
    assert [row.message.id for row in failed] == ["d"]
    assert lives == [
        MessageTiming("failed", 3, 10.0, 30.0),
        MessageTiming("delivered", 1, 10.0, 40.0),
        MessageTiming("queued", None, 15.0, None),
    ]
    assert len(await outbox.timings()) == 4


async def test_an_end_that_is_no_delivery_ends_the_parts_behind_it_too(outbox: Outbox) -> None:
    for key in ("x", "m", "y"):
        await outbox.put([message(f"{key}{part}") for part in ("", ".2", ".3")], 10.0, expires_at=99.0)
    await settle(outbox, "m", DELIVERED)

    given_up = await outbox.settle("m.2", UNCERTAIN, [step("m.2")], 20.0)

    assert given_up == ["m.3"]
    row = await outbox.get("m.3")
    assert (row.state, row.tier, row.settled_at) == ("failed", 3, 20.0)
    assert row.reason == "not sent: part m.2 of the same text did not arrive"
    assert "m.2" in row.remedy
    states = {row.message.id: row.state for row in await outbox.rows() if row.message.id[0] != "m"}
    assert set(states.values()) == {"queued"}
    assert {(row.group_id, row.expires_at) for row in await outbox.rows()} == {(key, 99.0) for key in "xmy"}


async def test_a_bot_sees_what_waits_for_its_own_rooms_and_its_direct_messages(path: Path) -> None:
    lounge, attic = Owner("bot", "lounge", frozenset({"lounge-chat"})), Owner("bot", "attic")
    async with opened(path, attic) as in_attic:
        await in_attic.put([message("a", to="attic")], 1.0)
        await in_attic.put([message("d", to="alice", direct=True)], 2.0)
        await in_attic.put([message("e", to="alice")], 3.0)

    async with opened(path, lounge) as box:
        await box.put([message("l", to="lounge-chat")], 4.0)
        await box.put([message("m", to="alice", direct=True)], 5.0)
        claimed = [await box.claim("alice"), await box.claim("alice"), await box.claim("alice")]
        waiting = (await box.receivers(), await box.count_waiting(), await box.count_others())
        seen = (await box.claim("attic"), *waiting)
        rooms = [row.room for row in await box.rows()]

    assert [row and row.message.id for row in claimed] == ["d", "m", None]
    assert seen == (None, ["lounge-chat"], 3, 2)
    assert rooms == ["attic", "", "attic", "lounge", ""]


async def test_what_is_accepted_while_others_are_counted_is_not_taken_off_them(path: Path) -> None:
    async with opened(path, Owner("bot", "lounge")) as box:
        counting = asyncio.create_task(box.count_others(), name="counting")
        await asyncio.sleep(0)  # it has asked
        await box.put([message("l", to="lounge")], 1.0)
        others = await counting

    assert others == 0


async def test_who_names_no_bot_sees_all_rooms_oldest_first(path: Path) -> None:
    for number, room in enumerate(("b", "a", "c")):
        async with opened(path, Owner("bot", room)) as box:
            await box.put([message(room, to=f"to-{room}")], float(number))
            await box.put([message(f"{room}2", to="all")], float(number))

    async with opened(path, None) as box:
        receivers = await box.receivers()
        firsts = [await box.claim("all") for _ in range(4)]

    assert receivers == ["to-b", "all", "to-a", "to-c"]
    assert [row and row.message.id for row in firsts] == ["b2", "a2", "c2", None]


async def test_a_file_stays_the_bots_that_opened_it_first(path: Path) -> None:
    async with opened(path, Owner("looks", "room", binds=False)):
        pass
    async with opened(path, Owner("one", "room")) as box:
        with pytest.raises(OutboxOfAnother):
            await box.bind("three")
        await box.bind("one")

    with pytest.raises(OutboxOfAnother, match=r"the bot one's; this configuration is for the bot two"):
        async with opened(path, Owner("two", "room")):
            pass

    async with opened(path):
        pass


@pytest.mark.of_a_file
async def test_what_is_no_database_is_refused_and_left_alone(path: Path) -> None:
    path.write_bytes(b"shopping list\n" * 100)

    error = await refusal(path)

    assert "not a database" in str(error)
    assert path.read_bytes() == b"shopping list\n" * 100


@pytest.mark.of_a_file
async def test_an_outbox_of_a_later_version_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as later:
        later.executescript("PRAGMA application_id = 0x48414E47; PRAGMA user_version = 99")

    error = await refusal(path)

    assert f"version 99, this hangbot knows up to {tables.VERSION}" in str(error)
    assert "newer" in error.remedy


@pytest.mark.of_a_file
async def test_an_empty_file_is_an_outbox_that_is_not_made_yet(path: Path) -> None:
    path.touch()

    async with opened(path) as box:
        await box.put([message()], 1.0)

    assert path.stat().st_size > 0


@pytest.mark.parametrize("name", ["no/such/folder/outbox", ".", "file/outbox"])
@pytest.mark.of_a_file
async def test_a_place_where_no_file_can_be_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()

    error = await refusal(tmp_path / name)

    assert "cannot be" in str(error)


@pytest.mark.of_a_file
async def test_a_folder_that_may_not_be_read_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "is_dir", denied)  # root may look everywhere

    error = await refusal(path)

    assert "Permission denied" in str(error)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_folder_that_is_read_only_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o500)

    error = await refusal(folder / "outbox.sqlite3")

    assert "cannot be used" in str(error)


@pytest.mark.of_a_file
async def test_a_name_that_means_memory_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async with opened(Path(":memory:")):
        pass

    assert (tmp_path / ":memory:").is_file()


async def fill(box: Outbox) -> None:
    """Let the file grow no more, as on a disk without room."""
    await pragma(box, f"max_page_count = {await pragma(box, 'page_count')}")


async def make_room(box: Outbox) -> None:
    await pragma(box, "max_page_count = 1000000")


async def told(box: Outbox, *, red: bool) -> None:
    async with asyncio.timeout(WITHIN):
        while bool(box.place.conditions.all()) != red:  # noqa: ASYNC110  told from a thread
            await asyncio.sleep(0.005)


@pytest_asyncio.fixture
async def full(outbox: Outbox) -> Outbox:
    await fill(outbox)
    return outbox


@pytest.mark.of_a_file
async def test_a_full_disk_accepts_nothing_until_there_is_room(full: Outbox) -> None:
    with pytest.raises(OutboxUnusable, match="full"):
        await full.put([message(), message("m.2", text="x" * 50_000)], 10.0)
    refused = (await full.rows(), await full.place.read(lambda database: database.in_transaction))
    await make_room(full)

    await full.put([message(text="x" * 50_000)], 11.0)

    assert refused == ([], False)
    assert len(await full.rows()) == 1


@pytest.mark.of_a_file
async def test_on_a_full_disk_an_end_waits_and_the_rest_goes_on(outbox: Outbox) -> None:
    await outbox.put([message()], 1.0)
    await outbox.claim("room")
    await fill(outbox)
    steps = [Step("m", 5.0, "answer", 1, "x" * 50_000)]

    settling = asyncio.ensure_future(outbox.settle("m", DELIVERED, steps, 20.0))
    reading = await asyncio.gather(*(outbox.rows() for _ in range(3)))
    with pytest.raises(OutboxDiskFull, match="is full"):
        await outbox.put([message("n", text="x" * 50_000)], 21.0)
    red = [condition.sentence for condition in outbox.place.conditions.all()]
    still = await outbox.get("m")
    await make_room(outbox)
    async with asyncio.timeout(WITHIN):
        await settling

    assert [row.message.id for rows in reading for row in rows] == ["m"] * 3
    assert still.state == "sending"
    assert len(red) == 1
    assert "is full: nothing is accepted" in red[0]
    assert (await outbox.get("m")).state == "delivered"
    assert outbox.place.conditions.all() == ()


@pytest.mark.of_a_file
async def test_a_full_disk_that_has_room_again_is_found_out_without_anything_to_write(full: Outbox) -> None:
    with pytest.raises(OutboxDiskFull):
        await full.put([message(text="x" * 50_000)], 10.0)

    await told(full, red=False)

    assert await full.rows() == []


@pytest.mark.of_a_file
async def test_what_fills_the_disk_fails_alone_of_all_that_is_written_with_it(full: Outbox) -> None:
    puts = [full.put([message(f"m{n}", text="x" * (50_000 if n == 1 else 1))], 10.0) for n in range(3)]

    ends = await asyncio.gather(*puts, return_exceptions=True)

    refused = [n for n, end in enumerate(ends) if isinstance(end, OutboxUnusable)]
    assert 1 in refused
    assert [row.message.id for row in await full.rows()] == [f"m{n}" for n in range(3) if n not in refused]


@pytest.mark.of_a_file
async def test_a_failed_commit_leaves_no_transaction(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Watched] = []
    connect = database.connect

    def watched(*args: Any, **more: Any) -> Watched:  # noqa: ANN401  passed on as they are
        made.append(Watched(connect(*args, **more)))
        return made[-1]

    monkeypatch.setattr(outbox_file, "connect", watched)
    async with opened(path) as box:
        made[0].fails_at = {"COMMIT"}
        with pytest.raises(OutboxUnusable, match="disk I/O error"):
            await box.put([message()], 10.0)
        made[0].fails_at = set()

        await box.put([message("n")], 11.0)

        assert [row.message.id for row in await box.rows()] == ["n"]


@contextmanager
def locked(path: Path, how: str = "IMMEDIATE") -> Iterator[sqlite3.Connection]:
    """Lock the file as another program."""
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as rival:
        rival.execute(f"BEGIN {how}")
        yield rival


@pytest.mark.of_a_file
async def test_a_writer_that_does_not_let_go_is_waited_for_and_no_longer_than_told(path: Path) -> None:
    async with opened(path, patience=0.01) as box:
        with locked(path), pytest.raises(OutboxLocked, match="another program; nothing was written"):
            await box.put([message()], 10.0)

        assert await box.rows() == []


@pytest.mark.of_a_file
async def test_an_outbox_that_another_process_locks_is_not_opened_and_left_alone(path: Path) -> None:
    with locked(path, "EXCLUSIVE"), pytest.raises(OutboxLocked, match="locked"):
        async with opened(path, patience=0.01):
            raise AssertionError

    assert path.exists()


@pytest.mark.of_a_file
async def test_a_locked_outbox_is_told_once_and_what_was_asked_meanwhile_is_done_in_its_order(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(database, "_BUSY_TIMEOUT", 0.01)
    async with opened(path, make_writer=partial(ThreadWriter, shown_after=0.05)) as box:
        with locked(path) as rival:
            puts = [asyncio.ensure_future(box.put([message(f"m{number}")], 10.0)) for number in range(3)]
            await told(box, red=True)
            (red,) = map(str, box.place.conditions.all())
            assert not any(put.done() for put in puts)

            rival.execute("ROLLBACK")
            await asyncio.gather(*puts)

        assert "another program has the outbox" in red
        assert [row.message.id for row in await box.rows()] == ["m0", "m1", "m2"]
        assert box.place.conditions.all() == ()
    assert [record.levelname for record in caplog.records].count("ERROR") == 1


@pytest.mark.of_a_file
async def test_a_locked_outbox_keeps_nobody_from_closing_it(path: Path) -> None:
    async with opened(path) as box:
        with locked(path):
            put = asyncio.ensure_future(box.put([message()], 10.0))
            await asyncio.sleep(0)

            async with asyncio.timeout(WITHIN):
                await box.close()

    with pytest.raises(OutboxLocked):
        await put


@pytest_asyncio.fixture
async def damaged(path: Path) -> Path:
    """An outbox of which only the head is left."""
    async with opened(path) as box:
        await box.put([message(text="x" * 900)], 10.0)
    path.write_bytes(path.read_bytes()[:100] + b"\xff" * (path.stat().st_size - 100))
    return path


@pytest.mark.of_a_file
async def test_an_outbox_that_went_bad_is_an_error_and_quarantined_as_it_is(damaged: Path) -> None:
    content = damaged.read_bytes()

    error = await refusal(damaged)

    assert "is damaged; it was put aside as outbox.sqlite3.damaged-" in str(error)
    assert not damaged.exists()
    assert [each.read_bytes() for each in damaged.parent.glob("*.damaged-*")] == [content]


@pytest_asyncio.fixture
async def spoilt(path: Path) -> Path:
    """An outbox that opens, but whose pages do not fit together."""
    async with opened(path) as box:
        for number in range(50):
            await box.put([message(f"m{number}", text="x" * 900)], 10.0)
    whole = bytearray(path.read_bytes())
    whole[6 * 4096 : 7 * 4096] = b"\xff" * 4096
    path.write_bytes(whole)
    return path


@pytest.mark.of_a_file
async def test_damage_inside_is_found_by_a_check_and_a_new_outbox_takes_its_place(spoilt: Path) -> None:
    content = spoilt.read_bytes()

    with exclusive(spoilt), pytest.raises(OutboxUnusable, match=r"is damaged; it was put aside as"):
        await checked(spoilt)
    there = spoilt.exists()
    await checked(spoilt)

    assert not there
    assert [each.read_bytes() for each in spoilt.parent.glob("*.damaged-*")] == [content]


async def checked(path: Path) -> None:
    box = Outbox(OutboxFile(path))
    try:
        await box.open(check=True)
        await box.put([message()], 10.0)
    finally:
        await box.close()


@pytest.mark.of_a_file
async def test_damage_does_not_replace_earlier_damage(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "strftime", lambda *_: "now")
    for number in range(3):
        async with opened(path):
            pass
        path.write_bytes(path.read_bytes()[:100] + b"%d" % number * 5_000)
        await refusal(path)

    aside = sorted(each.name for each in path.parent.glob("*.damaged-*"))
    assert aside == [f"{path.name}.damaged-now{more}" for more in ("", "-too", "-too-too")]


@pytest.mark.of_a_file
async def test_damage_is_left_to_the_bot_that_works_on_it(damaged: Path) -> None:
    content = damaged.read_bytes()

    with exclusive(damaged):
        error = await refusal(damaged)

    assert "it was left to the bot that uses it" in str(error)
    assert damaged.read_bytes() == content


@pytest.mark.parametrize("new", [b"new", None], ids=["a new file", "no file"])
@pytest.mark.of_a_file
async def test_what_took_the_place_of_damage_meanwhile_is_left_alone(
    damaged: Path, monkeypatch: pytest.MonkeyPatch, new: bytes | None
) -> None:
    is_outbox = tables.is_outbox

    def meanwhile(head: bytes) -> bool:
        damaged.rename(damaged.with_name("elsewhere"))
        if new is not None:
            damaged.write_bytes(new)
        return is_outbox(head)

    monkeypatch.setattr(tables, "is_outbox", meanwhile)

    error = await refusal(damaged)

    assert "was damaged" in str(error)
    assert damaged.read_bytes() == (new or b"")  # to be locked, a file is made where there is none


@pytest.mark.of_a_file
async def test_an_outbox_that_is_not_open_says_so_and_closes_twice(path: Path) -> None:
    box = Outbox(OutboxFile(path))
    with pytest.raises(OutboxUnusable, match="is closed"):
        await box.rows()
    await box.close()
    made = path.exists()
    async with opened(path) as box:
        await box.close()

    with pytest.raises(OutboxUnusable, match="is closed"):
        await box.put([message()], 10.0)
    assert not made


async def test_a_write_whose_caller_went_away_is_written_all_the_same(outbox: Outbox) -> None:
    async def put() -> None:
        await outbox.put([message()], 10.0)

    putting = asyncio.create_task(put(), name="put")
    await asyncio.sleep(0)  # one turn: it has begun

    putting.cancel()
    await asyncio.wait([putting])

    assert putting.cancelled()
    assert [row.message.id for row in await outbox.rows()] == ["m"]


@pytest.mark.of_a_file
async def test_an_opening_that_is_given_up_leaves_no_connection_open(path: Path) -> None:
    box = Outbox(OutboxFile(path))
    opening = asyncio.create_task(box.open(), name="opening")
    await asyncio.sleep(0)  # one turn: it has begun

    opening.cancel()
    await asyncio.wait([opening])
    await box.close()

    assert no_thread_is_left()
    assert not path.with_name(path.name + "-wal").exists()  # SQLite removes it with the last connection


@cases(
    "claimed what left",
    ("a claim takes nothing", False, "claim", ("queued", False)),
    ("a mark marks nothing", False, "sending", ("queued", False)),
    ("a release leaves it in doubt", True, "release", ("sending", True)),
)
@pytest.mark.of_a_file
async def test_what_is_given_up_before_it_began_changes_nothing_for_what_delivers_next(
    *, outbox: Outbox, claimed: bool, what: str, left: tuple[str, bool]
) -> None:
    await outbox.put([message()], 1.0)
    row = await outbox.get("m")
    if claimed:
        await outbox.claim("room")
    ask: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {
        "claim": lambda: outbox.claim("room"),
        "sending": lambda: outbox.mark_sending("m", []),
        "release": lambda: outbox.release(row),
    }
    asking = asyncio.create_task(ask[what](), name="ask")
    await asyncio.sleep(0)  # one turn: it has asked, and the thread has not heard of it

    asking.cancel()
    await asyncio.wait([asking])

    row = await outbox.get("m")
    assert (row.state, row.in_doubt) == left

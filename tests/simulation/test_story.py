from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangbot.text import printable
from pytest_hangfm.simulation import history as h
from pytest_hangfm.simulation.checker import Violation
from pytest_hangfm.simulation.plan import Fault, Plan
from pytest_hangfm.simulation.story import tell

NAMES = {"u-1": "alice", "u-2": "bob"}
OUTAGE = frozenset({"send", "chat"})
EVENTS: tuple[h.Event, ...] = (
    h.Started(0.0, 1),
    h.Opened(0.2, "room", 1),
    h.Presence(0.4, present=True),
    h.HealthSeen(1.0, 1, live=True, ready=True, red=()),
    h.Said(3.0, 1, "u-1", "group", direct=False, text="/ping"),
    h.HandlerBegan(3.1, 1, 1),
    h.Accepted(3.2, "a-1", "group", direct=False, text="pong", answer_to=1),
    h.Attempted(3.2, "a-1", 1),
    h.Requested(3.3, "a-1", 7),
    h.MessageStored(3.3, "a-1", 2, "group", direct=False, text="pong"),
    h.Settled(3.4, "a-1", "delivered", 1),
    h.Handled(3.5, 1, 1, "returned"),
    h.FaultBegan(10.0, 0, "outage", OUTAGE),
    h.Said(11.0, 3, "u-2", "bot", direct=True, text="/secret"),
    h.Accepted(11.2, "a-3", "u-2", direct=True, text="psst"),
    h.FaultFired(11.3, 0, "outage"),
    h.Tried(12.0, "room", ok=False),
    h.Tried(13.0, "room", ok=False),
    h.Tried(15.0, "room", ok=False),
    h.HealthSeen(16.0, 1, live=True, ready=False, red=("room", "chat")),
    h.Logged(16.5, "WARNING", "the chat is down"),
    h.FaultEnded(70.0, 0, "outage"),
    h.Attempted(71.0, "a-3", 2),
    h.Asked(71.1, "a-3", found=None),
    h.MessageStored(71.2, "a-3", 4, "u-2", direct=True, text="psst"),
    h.MessageStored(71.3, "a-3", 5, "u-2", direct=True, text="psst"),
    h.Crashed(80.0, 1),
    h.Left(3700.0, ("task bot is pending",)),
)
HISTORY = h.History(EVENTS, bot="bot", names=NAMES)
TWICE = Violation("once", 71.3, "message a-3 stands twice in the chat, as rows 4 and 5: " + "really " * 20)


def test_a_story_is_a_conversation_with_the_faults_in_it() -> None:
    story = tell(HISTORY, [TWICE], Plan(7, users=2, seconds=90.0, faults=(Fault("outage", 10.0, 60.0),)))

    assert story.splitlines() == [
        "seed 7: 2 other users for 01:30, something every 4 s",
        "  fault 1: outage at 00:10 for 60 s",
        "! a fault   * the bot's process, health and connections   X a rule that is broken",
        "*  00:00  the bot     starts, process 1",
        "*  00:00  the bot     is connected to the room",
        "*  00:00  the bot     is in the room",
        "*  00:01  the bot     says of itself: ready",
        "   00:03  alice       /ping",
        "   00:03  the bot     says pong [a-1]",
        "!  00:10  fault 1     outage begins, impairs chat, send",
        "   00:11  bob         to the bot: /secret",
        '   00:11  the bot     is to say "psst" [a-3]',
        "!  00:11  fault 1     outage has an effect",
        "*  00:12  the bot     cannot connect to the room  (x 3, until 00:15)",
        "*  00:16  the bot     says of itself: not ready, red: room, chat",
        "   00:16  log         WARNING the chat is down",
        "!  01:10  fault 1     outage ends",
        '   01:11  the bot     sends for the 2nd time "psst" [a-3]',
        '   01:11  the bot     asks the chat whether it has "psst" [a-3]: no answer',
        "   01:11  the bot     says to bob: psst [a-3]",
        "*  01:11  the bot     says once more to bob: psst [a-3]",
        f"X  01:11  once: message a-3 stands twice in the chat, as rows 4 and 5:{' really' * 4}",
        f"{'':9}{' really' * 13}",
        f"{'':9}{' really' * 3}",
        "*  01:20  the bot     CRASHES, process 1",
        "*  61:40  at the end  is left: task bot is pending",
    ]


@pytest.mark.parametrize(
    ("event", "text"),
    [
        pytest.param(h.Closed(1.0, "chat", 4), "is no longer connected to the chat's push", id="closed"),
        pytest.param(h.Presence(1.0, present=False), "is no longer in the room", id="out of the room"),
        pytest.param(h.Settled(1.0, "a-1", "failed", None, "no such user"), "as failed", id="failed"),
        pytest.param(h.Settled(1.0, "a-1", "failed", None, "no such user"), "(no such user)", id="why"),
        pytest.param(h.Dropped(1.0, "a-1"), 'operator    drops "pong" [a-1]', id="dropped"),
        pytest.param(h.Late(1.0, "a-9", 3), "lets a request through that was given up: [a-9]", id="late"),
        pytest.param(h.HandlerBegan(9.0, 1, 1), 'is given once more "/ping"', id="given twice"),
        pytest.param(h.Handled(9.0, 1, 1, "timed_out"), 'timed out on "/ping"', id="a handler that hangs"),
        pytest.param(h.Handled(9.0, 99, 1, "raised"), "raised on row 99", id="an unknown row"),
        pytest.param(h.PassedOver(9.0, 3), "passes over 3 lines", id="passed over"),
        pytest.param(h.Heard(9.0, "SongStarted", 1, catch_up=True), "(it catches up)", id="event"),
        pytest.param(h.StopAsked(9.0, 1), "is asked to stop", id="to stop"),
        pytest.param(h.Stopped(9.0, 1, "RoomKicked"), "ends, process 1 with RoomKicked", id="ended"),
        pytest.param(h.RowAtEnd(9.0, "a-1", "sending"), 'still has as sending "pong"', id="in between"),
        pytest.param(h.HealthSeen(9.0, 1, live=False, ready=False, red=()), "not live, not ready", id="dead"),
    ],
)
def test_every_event_out_of_the_ordinary_has_a_line(event: h.Event, text: str) -> None:
    assert text in tell(replace(HISTORY, events=(*EVENTS[:12], event)))


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(h.Requested(9.0, "a-9", 1), id="a request"),
        pytest.param(h.Logged(9.0, "INFO", "it goes well"), id="a line that is no warning"),
        pytest.param(h.RowAtEnd(9.0, "a-1", "delivered"), id="a row that has ended"),
        pytest.param(h.Tried(9.0, "room", ok=True), id="a connection that is made"),
    ],
)
def test_what_went_as_it_should_have_has_no_line(event: h.Event) -> None:
    before = tell(replace(HISTORY, events=EVENTS[:12]))

    assert tell(replace(HISTORY, events=(*EVENTS[:12], event))) == before


def test_of_a_long_story_what_is_near_a_violation_and_the_faults_stay() -> None:
    talk = [h.Said(float(at), at, "u-1", "group", direct=False, text=f"line {at}") for at in range(1000)]
    fault = h.FaultBegan(100.5, 0, "outage")
    events: tuple[h.Event, ...] = (*talk[:101], fault, *talk[101:])

    story = tell(
        h.History(events, names=NAMES), [Violation("heard", 500.0, "line 500 was not handled")], most=14
    )

    assert [line.split("  ")[-1].strip() for line in story.splitlines()[1:]] == [
        "… 101 more lines …",
        "outage begins",
        "… 394 more lines …",
        *(f"line {at}" for at in range(495, 501)),
        "heard: line 500 was not handled",
        *(f"line {at}" for at in range(501, 507)),
        "… 493 more lines …",
    ]


@given(text=st.text(max_size=300), width=st.integers(40, 140))
def test_no_text_breaks_a_line_or_leaves_the_width(text: str, width: int) -> None:
    events = (
        h.Said(1.0, 1, text, "group", direct=False, text=text),
        h.Logged(2.0, "ERROR", text),
        h.MessageStored(3.0, text, 2, "group", direct=False, text=text),
    )

    story = tell(h.History(events, names={"x": text}), [Violation(text, 9.0, text)], width=width)

    lines = story.split("\n")
    assert lines == [printable(line) for line in lines]
    assert [line for line in lines if len(line) > width] == []


def test_no_secret_stands_in_a_story() -> None:
    events = (
        h.Said(1.0, 1, "u-1", "group", direct=False, text="it is hunter2-hunter2"),
        h.Said(1.5, 2, "u-1", "group", direct=False, text="x" * 40 + " hunter2-hunter2"),
        h.Logged(2.0, "ERROR", "x" * 60 + " refused hunter2-hunter2"),
    )
    history = h.History(events, names=NAMES, secrets=("hunter2-hunter2",))
    plan = Plan(1, env={"BOT_USER_TOKEN": "hunter2-hunter2"})

    story = tell(history, [Violation("secrets", 3.0, "hunter2-hunter2 is shown")], plan, width=90)

    assert "hunter2" not in story
    assert story.count("<masked>") == 3  # the others are cut


def test_long_ids_are_short_and_uids_are_names() -> None:
    id_, uid = "0123456789abcdef", "c0ffee00-0000-4000-8000-000000000001"
    history = h.History(
        (h.MessageStored(1.0, id_, 1, uid, direct=True, text=f"hi {uid}{'!' * 60}"),),
        bot="b" * 36,
        names={uid: "alice"},
    )

    story = tell(history, [Violation("once", 2.0, f"{id_} of {'b' * 36} came to {uid}")])

    assert [line.split("  ")[-1].strip() for line in story.splitlines()[1:]] == [
        f"says to alice: hi alice{'!' * 39}… [01234567…]",
        "once: 01234567… of the bot came to alice",
    ]


def test_a_plan_that_was_written_down_has_the_same_story() -> None:
    plan = Plan(1, faults=(Fault("crash", 10.0, 0.0, {"when": "before", "away": 0.0, "sockets": "fin"}),))

    assert tell(h.History(()), (), Plan.from_json(plan.as_json())) == tell(h.History(()), (), plan)


def test_a_history_without_events_has_a_story() -> None:
    assert tell(h.History(())).count("\n") == 0

from __future__ import annotations

from random import Random

import pytest

from hangbot import Bot
from pytest_hangfm.simulation.drawing import draw
from pytest_hangfm.simulation.faults import FAULTS, FaultKind
from pytest_hangfm.simulation.history import (
    FaultBegan,
    FaultEnded,
    FaultFired,
    Handled,
    HealthSeen,
    Hearing,
    Opened,
    Said,
    StopAsked,
    Stopped,
    journal_hash,
)
from pytest_hangfm.simulation.plan import Fault, Plan
from pytest_hangfm.simulation.world import play

QUIET = Plan(3, seconds=150.0, pace=2.0)


def test_a_plan_has_the_same_history_twice_and_another_seed_another() -> None:
    plan = draw(11)

    first, second, other = play(plan), play(plan), play(draw(12))

    assert first.events == second.events
    assert journal_hash(first) == journal_hash(second) != journal_hash(other)


def test_a_bot_that_ends_over_its_file_does_so_with_the_same_words_each_time() -> None:
    plan = QUIET.with_faults((Fault("disk read-only", 20.0, 30.0),))

    first, second = play(plan), play(plan)

    assert any("OutboxUnusable" in stopped.error for stopped in first.of(Stopped))
    assert first.events == second.events


def test_in_calm_every_line_is_handled() -> None:
    history = play(QUIET)

    (hearing,) = history.of(Hearing)
    (stop,) = history.of(StopAsked)
    said = [line.row for line in history.of(Said) if hearing.at < line.at < stop.at]
    assert len(said) > 10
    assert sorted(line.row for line in history.of(Handled)) == said


@pytest.mark.parametrize("kind", FAULTS.values(), ids=lambda kind: kind.name)
def test_a_fault_begins_has_an_effect_and_ends(kind: FaultKind) -> None:
    drawn = kind.draw(Random(1))  # noqa: S311  to be repeatable
    fault = Fault(kind.name, 20.0, max(30.0, kind.lasts[0]), drawn)

    history = play(QUIET.with_faults((fault,)))

    assert [type(event) for event in history.of(FaultBegan, FaultFired, FaultEnded)] == [
        FaultBegan,
        FaultFired,
        FaultEnded,
    ]


def test_a_service_that_is_restarted_in_an_outage_stays_away_until_its_end() -> None:
    outage = Fault("outage", 20.0, 100.0, {"services": ["room", "chat", "gateway"]})
    restart = Fault("restart", 40.0, 10.0, {"services": ["room"]})

    history = play(QUIET.with_faults((outage, restart)))

    opened = [event.at for event in history.of(Opened) if event.at > 20.0]
    assert opened
    assert min(opened) >= 120.0


def test_a_connection_is_seen_whose_request_comes_in_pieces() -> None:
    slow = Fault("slow reader", 20.0, 60.0, {"service": "room", "rate": 85})
    ends = Fault("room reset", 30.0, 0.0)

    history = play(QUIET.with_faults((slow, ends)))

    assert [event.at for event in history.of(Opened) if event.service == "room" and event.at > 30.0]


def test_a_fault_that_is_not_known_is_named() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        play(QUIET.with_faults((Fault("earthquake", 1.0),)))

    assert "there is no fault 'earthquake'" in repr(caught.value.exceptions)


def test_in_the_hours_of_an_outage_health_is_asked_for_seldom_and_seen_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, hours = [0], 3.0
    health = Bot.health

    def counted(bot: Bot) -> object:
        asked[0] += 1
        return health(bot)

    monkeypatch.setattr(Bot, "health", counted)
    outage = Fault("outage", 20.0, hours * 3600.0, {"services": ["room", "chat", "gateway"]})

    history = play(QUIET.with_faults((outage,)))

    seen = [(round(event.at), event.ready) for event in history.of(HealthSeen)]
    assert asked[0] < hours * 3600.0 / 4
    assert any(20 < at < 200 and not ready for at, ready in seen)
    assert seen[-1][1]

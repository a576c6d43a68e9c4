import json
from typing import Any

from hangbot.health import PARTS, Conditions, Health
from hangbot.status.report import Identity, lines, summary, to_row

WHO = Identity("1.0", 42, "room-1", "Bot", 1000.0)


def row_of(**trouble: tuple[float, str]) -> dict[str, Any]:
    """The row of a bot in which parts have been in trouble for so long."""
    at = 0.0
    conditions = Conditions(lambda: at, PARTS)
    for part in ("loop", "room", "chat", "chat agreement"):
        conditions.good(part)
    at = 600.0
    for part in ("loop", "chat agreement"):
        conditions.clear(part)
    for name, (seconds, sentence) in trouble.items():
        conditions.bad(name, sentence, "Wait.", since=at - seconds)
    health = Health.of(conditions, in_room=True, reads_chat=True)
    return to_row(health, WHO, wall=2000.0, hide=lambda text: text.replace("s3cret", "<masked>"))


def test_a_bot_that_is_well_is_one_line_a_part() -> None:
    row = row_of()

    assert (row["live"], row["ready"], summary(row)) == (True, True, "ready")
    assert lines(row)[0] == "Bot (pid 42) in room-1: ready"
    assert all(line.startswith("[OK]") for line in lines(row)[1:])


def test_what_is_red_has_its_remedy_and_what_comes_from_it_below_it() -> None:
    row = row_of(chat=(45.0, "history answers 503"), sending=(44.0, "the chat is down"))

    shown = lines(row)

    assert summary(row) == "not ready: chat: history answers 503"
    at = shown.index("[RED]   chat: history answers 503, for 45 s")
    assert shown[at + 1 : at + 3] == ["        Wait.", "  [BELOW] sending: the chat is down, for 44 s"]
    assert row["red"] == ["chat"]


def test_trouble_that_has_not_lasted_is_shown_and_the_bot_ready() -> None:
    row = row_of(chat=(5.0, "history answers 503"))

    assert row["ready"]
    assert "[WAIT]  chat: history answers 503, for 5 s" in lines(row)


def test_a_warning_is_shown_and_the_bot_ready() -> None:
    row = row_of(token=(5.0, "BOT_USER_TOKEN expires in 5.0 days"))

    assert row["ready"]
    assert "[WARN]  token: BOT_USER_TOKEN expires in 5.0 days, for 5 s" in lines(row)


def test_no_secret_is_in_it_and_times_are_those_of_the_wall_clock() -> None:
    row = row_of(chat=(45.0, "refused s3cret"))

    chat = next(part for part in row["parts"] if part["part"] == "chat")
    assert "s3cret" not in json.dumps(row)
    assert (row["at"], row["started_at"]) == ("1970-01-01T00:33:20.000Z", "1970-01-01T00:16:40.000Z")
    assert (chat["since"], chat["for_s"]) == ("1970-01-01T00:32:35.000Z", 45.0)

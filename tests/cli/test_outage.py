"""What an outage, a page or a ban costs whoever runs the commands: time, and no message."""

from __future__ import annotations

import re
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from hangbot.cli import main
from tests.bounds import WITHIN

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Call, Live, Start

PAGE: dict[str, Any] = {
    "status": 403,
    "headers": {"Content-Type": "text/html"},
    "body": "<html>blocked</html>",
}
AWAY: dict[str, dict[str, Any]] = {
    "in trouble": {"do": "status", "status": 503},
    "a firewall's page": {"do": "status", **PAGE},
    "a log-in page": {"do": "status", "status": 401, "body": "<html>log in</html>"},
    "cut off": {"do": "cut_before_store"},
}
SHORT = {"STAGE_RETRY_TOTAL_MS": "300", "SOCKET_TIMEOUT_MS": "2000"}


def go_away(live: Live, how: str) -> Callable[[], object]:
    fault = live.sandbox.faults.add("chat.*", **AWAY[how], times=0)
    return lambda: live.sandbox.faults.remove(fault.id)


@pytest.mark.slow
@pytest.mark.parametrize("how", list(AWAY))
def test_ten_messages_outlive_an_outage_longer_than_a_message_is_tried_and_are_said_once(
    how: str, configured: Live, start: Start, call: Call
) -> None:
    configured.configure(**SHORT)
    bot = start("run", "--log-level", "debug")
    configured.wait_for(lambda row: "messages" in row.get("path", "") and row.get("method") == "GET")
    come_back = go_away(configured, how)
    for number in range(10):
        assert main(["send", f"line {number}", "--id", f"m{number}"]) == 0

    time.sleep(2.0)  # an outage is a time: nothing is to happen in it
    during = set(call.states())
    come_back()
    configured.wait_for(
        lambda _: [each for each in configured.muids if each.startswith("m")] == [f"m{n}" for n in range(10)],
        within=3 * WITHIN,
    )
    bot.send(signal.SIGTERM)

    assert bot.wait() == 0
    assert during <= {"queued", "sending"}
    assert call.states() == ["delivered"] * 10
    assert bot.err.count("the chat is down") == 1


@pytest.mark.slow
@pytest.mark.parametrize(("wait", "code"), [([], 0), (["--wait", "0.5"], 3)])
def test_a_send_does_not_wait_for_a_service_for_ever_and_says_in_one_line_that_it_left(
    wait: list[str], code: int, configured: Live, call: Call
) -> None:
    configured.configure(**SHORT)
    come_back = go_away(configured, "in trouble")
    begun = time.monotonic()

    said = call("send", "hello", "--id", "m", "--log-level", "error", *wait)

    assert said.code == code
    assert time.monotonic() - begun < WITHIN
    assert said.out == "m\n"
    assert [line for line in said.err.splitlines() if "ERROR" not in line] == [said.err.splitlines()[-1]]
    assert re.search(r"1 message\(s\) stay queued, the chat is down \(.*503.*\): a bot or the next", said.err)
    assert call.states() == ["queued"]
    come_back()
    assert main(["send", "and this", "--id", "n"]) == 0
    assert configured.muids == ["m", "n"]


def test_a_message_that_alone_is_answered_by_a_page_ends_and_the_next_goes(
    configured: Live, call: Call
) -> None:
    configured.sandbox.faults.add("chat.send", "status", **PAGE, times=3)

    code = main(["send", "hello", "--id", "m"])

    (row,) = call.json("outbox", "list")
    assert code == 1
    assert (row["state"], row["attempts"]) == ("failed", 3)
    assert "status 403 and `<html>blocked</html>`" in row["reason"]
    assert main(["send", "hello", "--id", "n"]) == 0


def test_who_is_told_to_stop_while_the_service_is_down_does_so_at_once(
    configured: Live, start: Start, call: Call
) -> None:
    bot = start("run", env={"HANGBOT_DRAIN_MS": str(int(10 * WITHIN * 1000))})
    configured.wait_for(lambda row: "messages" in row.get("path", "") and row.get("method") == "GET")
    go_away(configured, "in trouble")
    assert main(["send", "hello", "--id", "m"]) == 0
    configured.wait_for(lambda row: row.get("status") == 503)  # of the message, or of a look before it

    bot.send(signal.SIGTERM)

    assert bot.wait() == 0
    assert call.states() == ["queued"]


@pytest.mark.slow
def test_a_bot_that_is_held_up_says_by_what_and_so_does_the_history(
    configured: Live, start: Start, call: Call
) -> None:
    bot = start("run")
    configured.wait_for(lambda row: "messages" in row.get("path", "") and row.get("method") == "GET")
    go_away(configured, "in trouble")
    assert main(["send", "hello", "--id", "m"]) == 0
    assert main(["send", "and more", "--id", "behind"]) == 0
    deadline = time.monotonic() + 2 * WITHIN

    while "held up by" not in bot.err and time.monotonic() < deadline:
        time.sleep(0.1)

    held = [event for event in call.json("outbox", "show", "m")["history"] if "held up" in event["detail"]]
    assert [event["event"] for event in held] == ["waiting"]
    assert held[0]["detail"].startswith("held up by the service, which is down: ")
    assert bot.err.count("held up by") == 1
    behind = call.json("outbox", "show", "behind")["history"]
    assert [event["event"] for event in behind] == ["accepted", "waiting"]
    assert behind[1]["detail"].startswith("behind m: held up by the service, which is down: ")


def test_a_retry_after_that_cannot_be_kept_is_told_and_capped(configured: Live, call: Call) -> None:
    configured.sandbox.faults.add(
        "chat.send", "status", status=429, headers={"Retry-After": "999999999"}, times=1
    )

    assert main(["send", "hello", "--id", "m"]) == 0

    told = " ".join(event["detail"] for event in call.json("outbox", "show", "m")["history"])
    assert "its Retry-After (999999999) is over an hour or no time at all, and is not kept" in told


@pytest.mark.slow
def test_a_ban_ends_what_is_queued_for_the_group_in_the_chats_words_and_nothing_else(
    configured: Live, call: Call
) -> None:
    user = configured.sandbox.users.add("alice").uid
    configured.configure(**SHORT)
    come_back = go_away(configured, "in trouble")
    for number in range(3):
        assert main(["send", f"line {number}", "--id", f"m{number}", "--log-level", "error"]) == 0
    come_back()
    configured.do(lambda sandbox: sandbox.chat.ban(sandbox.bot.uid, sandbox.room_uuid))

    code = main(["send", "psst", "--to", user, "--id", "dm"])

    rows = {row["id"]: row for row in call.json("outbox", "list")}
    assert code == 0
    assert {key: row["state"] for key, row in rows.items()} == {
        "m0": "failed", "m1": "failed", "m2": "failed", "dm": "delivered",
    }  # fmt: skip
    assert all("banned" in rows[key]["reason"] for key in ("m0", "m1", "m2"))

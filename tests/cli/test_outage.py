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

    from tests.cli.conftest import Bench

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


def go_away(bare: Bench, how: str) -> Callable[[], object]:
    fault = bare.fault("chat.*", **AWAY[how], times=0)
    return lambda: bare.sandbox.faults.remove(fault.id)


@pytest.mark.slow
@pytest.mark.parametrize("how", list(AWAY))
def test_ten_messages_outlive_an_outage_longer_than_a_message_and_are_said_once(
    how: str, bench: Bench
) -> None:
    bench.configure(**SHORT)
    bot = bench.start("run", "--log-level", "debug")
    bench.wait_for(lambda row: "messages" in row.get("path", "") and row.get("method") == "GET")
    come_back = go_away(bench, how)
    for number in range(10):
        assert main(["send", f"line {number}", "--id", f"m{number}"]) == 0

    time.sleep(2.0)  # an outage is a time: nothing is to happen in it
    during = set(bench.call.states())
    come_back()
    bench.wait_for(
        lambda _: [each for each in bench.muids if each.startswith("m")] == [f"m{n}" for n in range(10)],
        within=3 * WITHIN,
    )
    bot.send(signal.SIGTERM)

    assert bot.wait() == 0
    assert during <= {"queued", "sending"}
    assert bench.call.states() == ["delivered"] * 10
    assert bot.err.count("the chat is down") == 1


@pytest.mark.slow
@pytest.mark.parametrize(("wait", "code"), [([], 0), (["--wait", "0.5"], 3)])
def test_a_send_does_not_wait_for_a_service_for_ever_and_says_in_one_line_that_it_left(
    wait: list[str], code: int, bench: Bench
) -> None:
    bench.configure(**SHORT)
    come_back = go_away(bench, "in trouble")
    begun = time.monotonic()

    said = bench.call("send", "hello", "--id", "m", "--log-level", "error", *wait)

    assert said.code == code
    assert time.monotonic() - begun < WITHIN
    assert said.out == "m\n"
    assert [line for line in said.err.splitlines() if "ERROR" not in line] == [said.err.splitlines()[-1]]
    assert re.search(r"1 message\(s\) stay queued, the chat is down \(.*503.*\): a bot or the next", said.err)
    assert bench.call.states() == ["queued"]
    come_back()
    assert main(["send", "and this", "--id", "n"]) == 0
    assert bench.muids == ["m", "n"]


def test_a_message_that_alone_is_answered_by_a_page_ends_and_the_next_goes(bench: Bench) -> None:
    bench.fault("chat.send", "status", **PAGE, times=3)

    code = main(["send", "hello", "--id", "m"])

    (row,) = bench.call.json("outbox", "list")
    assert code == 1
    assert (row["state"], row["attempts"]) == ("failed", 3)
    assert "status 403 and `<html>blocked</html>`" in row["reason"]
    assert main(["send", "hello", "--id", "n"]) == 0


def test_who_is_told_to_stop_while_the_service_is_down_does_so_at_once(bench: Bench) -> None:
    bot = bench.start("run", env={"HANGBOT_DRAIN_MS": str(int(10 * WITHIN * 1000))})
    bench.wait_for(lambda row: "messages" in row.get("path", "") and row.get("method") == "GET")
    go_away(bench, "in trouble")
    assert main(["send", "hello", "--id", "m"]) == 0
    bench.wait_for(lambda row: row.get("status") == 503)  # of the message, or of a look before it

    bot.send(signal.SIGTERM)

    assert (bot.wait(), bench.call.states()) == (0, ["queued"])


@pytest.mark.slow
def test_a_bot_that_is_held_up_says_by_what_and_so_does_the_history(bench: Bench) -> None:
    bot = bench.start("run")
    bench.wait_for(lambda row: "messages" in row.get("path", "") and row.get("method") == "GET")
    go_away(bench, "in trouble")
    assert main(["send", "hello", "--id", "m"]) == 0
    assert main(["send", "and more", "--id", "behind"]) == 0
    deadline = time.monotonic() + 2 * WITHIN

    while "held up by" not in bot.err and time.monotonic() < deadline:
        time.sleep(0.1)

    held = [
        event for event in bench.call.json("outbox", "show", "m")["history"] if "held up" in event["detail"]
    ]
    assert [event["event"] for event in held] == ["waiting"]
    assert held[0]["detail"].startswith("held up by the service, which is down: ")
    assert bot.err.count("held up by") == 1
    behind = bench.call.json("outbox", "show", "behind")["history"]
    assert [event["event"] for event in behind] == ["accepted", "waiting"]
    assert behind[1]["detail"].startswith("behind m: held up by the service, which is down: ")


def test_a_retry_after_that_cannot_be_kept_is_told_and_capped(bench: Bench) -> None:
    bench.fault("chat.send", "status", status=429, headers={"Retry-After": "999999999"}, times=1)

    assert main(["send", "hello", "--id", "m"]) == 0

    told = " ".join(event["detail"] for event in bench.call.json("outbox", "show", "m")["history"])
    assert "its Retry-After (999999999) is over an hour or no time at all, and is not kept" in told


@pytest.mark.slow
def test_a_ban_ends_what_is_queued_for_the_group_in_the_chats_words_and_nothing_else(bench: Bench) -> None:
    user = bench.sandbox.users.add("alice").uid
    bench.configure(**SHORT)
    come_back = go_away(bench, "in trouble")
    for number in range(3):
        assert main(["send", f"line {number}", "--id", f"m{number}", "--log-level", "error"]) == 0
    come_back()
    bench.do(lambda sandbox: sandbox.chat.ban(sandbox.bot.uid, sandbox.room_uuid))

    code = main(["send", "psst", "--to", user, "--id", "dm"])

    rows = {row["id"]: row for row in bench.call.json("outbox", "list")}
    assert code == 0
    assert {key: row["state"] for key, row in rows.items()} == {
        "m0": "failed", "m1": "failed", "m2": "failed", "dm": "delivered",
    }  # fmt: skip
    assert all("banned" in rows[key]["reason"] for key in ("m0", "m1", "m2"))

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

import pytest

from hangbot.cli import main, send_delivery
from hangbot.delivery.courier import Courier
from hangbot.delivery.message import Outgoing
from hangbot.delivery.outbox import exclusive
from hangbot.errors import OutboxBusy
from tests.bounds import WITHIN
from tests.cli.stories import is_a_send

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cli.conftest import Bench

    Feed = Callable[[bytes], None]

REFUSED = {"error": {"code": "ERR_BAD_REQUEST", "message": "No."}}
ROW = {
    "id", "to", "state", "tier", "attempts", "text", "accepted_at", "settled_at", "reason", "remedy",
}  # fmt: skip


@pytest.fixture
def feed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes], None]]:
    """Put bytes where a command reads its standard input."""
    with (folder / "input").open("w+b", buffering=0) as file:

        def write(raw: bytes) -> None:
            file.write(raw)
            file.seek(0)

        monkeypatch.setattr(sys, "stdin", file)
        yield write


def test_without_a_bot_it_delivers_and_prints_the_id(bench: Bench) -> None:
    said = bench.call("send", "hello")

    (key,) = said.out.split()
    assert (said.code, bench.muids) == (0, [key])


@pytest.mark.parametrize("faulty", [False, True])
def test_on_success_only_the_id_is_printed_so_that_cron_mails_nothing(bench: Bench, *, faulty: bool) -> None:
    if faulty:
        bench.fault("chat.send", "cut_after_store", times=1)

    command = bench.start("send", "good", "evening")

    assert command.wait() == 0
    (key,) = bench.muids
    assert (command.out, command.err) == (f"{key}\n", "")
    assert [row["data"]["text"] for row in bench.sandbox.messages] == ["good evening"]


def test_what_is_queued_is_delivered_first_and_oldest_first(bench: Bench) -> None:
    with exclusive(bench.outbox):  # as a running bot does
        assert [main(["send", "a", "--id", f"m-{number}"]) for number in (1, 2, 3)] == [0, 0, 0]
    assert bench.muids == []
    assert set(bench.call.states()) == {"queued"}

    code = main(["send", "b", "--id", "m-4"])

    assert (code, bench.muids) == (0, ["m-1", "m-2", "m-3", "m-4"])


def test_a_long_text_is_cut_where_a_reader_would(bench: Bench) -> None:
    code = main(["send", "A list:\n" + "\U0001f1e9\U0001f1ea" * 500, "--id", "m-1"])

    said = [row["data"]["text"] for row in bench.sandbox.messages]
    assert code == 0
    assert said == ["A list:", "\U0001f1e9\U0001f1ea" * 450, "\U0001f1e9\U0001f1ea" * 50]


def test_as_json_it_prints_the_contracts_row_for_each_part(bench: Bench) -> None:
    said = bench.call("send", "word " * 300, "--id", "m-1", "--json")

    rows = [json.loads(line) for line in said.out.splitlines()]
    assert said.code == 0
    assert [row["id"] for row in rows] == ["m-1", "m-1.2"] == bench.muids
    assert all(set(row) == ROW for row in rows)
    assert [(row["state"], row["tier"], row["attempts"]) for row in rows] == [("delivered", 1, 1)] * 2


@pytest.mark.parametrize(
    ("fault", "code", "state"),
    [
        pytest.param(None, 0, "delivered", id="delivered"),
        pytest.param({"do": "status", "status": 400, "body": REFUSED}, 1, "failed", id="refused"),
        pytest.param({"do": "status", "status": 503, "times": 0}, 1, "failed", id="given up"),
        pytest.param({"do": "cut_after_store"}, 0, "delivered", id="the answer lost"),
    ],
)
@pytest.mark.parametrize("wait", [[], ["--wait", "50"]])
def test_the_exit_code_is_what_became_of_it(
    fault: dict[str, Any] | None, code: int, state: str, wait: list[str], bench: Bench
) -> None:
    if fault:
        bench.fault("chat.send", **fault)

    returned = main(["send", "hello", *wait])

    assert (returned, bench.call.states()) == (code, [state])


def test_what_cannot_be_told_is_3(bench: Bench) -> None:
    bench.configure(STAGE_RETRY_TOTAL_MS="200")
    bench.fault("chat.send", "cut_after_store")
    bench.fault("chat.lookup", "status", status=503, times=0)

    code = main(["send", "hello"])

    assert (code, bench.call.states()) == (3, ["uncertain"])


@pytest.mark.slow
def test_waiting_has_an_end_and_says_that_it_cannot_tell(bench: Bench) -> None:
    bench.configure(SOCKET_TIMEOUT_MS="60000")
    bench.fault("chat.send", "hang")

    code = main(["send", "hello", "--wait", "1.5"])

    assert code == 3
    (row,) = bench.call.listed()
    assert (row["state"], row["attempts"]) == ("sending", 1)


def test_while_a_bot_runs_waiting_for_it_has_an_end_too(bench: Bench) -> None:
    with exclusive(bench.outbox):
        code = main(["send", "hello", "--wait", "0.1"])

    assert (code, bench.muids) == (3, [])
    assert bench.call.states() == ["queued"]


def test_a_command_that_only_looks_whether_a_bot_runs_is_not_taken_for_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send_delivery, "_HOLD", 30)
    looking = ExitStack()
    looking.enter_context(exclusive(bench.outbox, brief=True))
    soon = threading.Timer(0.05, looking.close)
    soon.start()

    code = main(["send", "hello", "--id", "m-1"])

    soon.join()
    assert (code, bench.muids) == (0, ["m-1"])


def test_the_same_id_with_the_same_text_is_the_same_message_and_with_another_is_refused(bench: Bench) -> None:
    assert main(["send", "hello", "--id", "m-1"]) == 0
    assert main(["send", "hello", "--id", "m-1"]) == 0

    said = bench.call("send", "goodbye", "--id", "m-1")

    assert said.code == 2
    assert "m-1 was used for another message" in said.err
    assert (said.out, bench.muids) == ("", ["m-1"])


def test_to_a_user_it_is_a_direct_message_and_to_another_group_a_message_there(bench: Bench) -> None:
    alice = bench.sandbox.users.add("alice")
    bench.do(lambda _: alice.join())
    other = bench.sandbox.add_room("other")

    codes = [main(["send", "psst", "--to", alice.uid]), main(["send", "hi", "--to", other.uuid])]

    sent = [(row["receiver"], row["receiverType"]) for row in bench.sandbox.messages if row.get("muid")]
    assert codes == [0, 0]
    assert sent == [(alice.uid, "user"), (other.uuid, "group")]


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        pytest.param(["   "], "the text is empty", id="empty"),
        pytest.param(["x" * 9_100], "more than 10 messages", id="too long"),
        pytest.param(["a\0b"], "NUL", id="NUL"),
        pytest.param(["caf\udce9"], "half a character", id="bytes that are no text"),
        pytest.param(["hi", "--id", "a b"], "an id is", id="id"),
        pytest.param(["hi", "--id", ""], "an id is", id="an id that is empty"),
        pytest.param(["hi", "--to", "a/b"], "a receiver is", id="receiver"),
        pytest.param(["hi", "--to", ""], "a receiver is", id="a receiver that is empty"),
    ],
)
def test_what_cannot_be_sent_is_refused_at_once_on_one_line(argv: list[str], says: str, bench: Bench) -> None:
    said = bench.call("send", *argv)

    assert says in said.line(2)
    assert bench.muids == []


def test_a_line_of_standard_input_is_a_message(bench: Bench, feed: Feed) -> None:
    feed(b"one\n two \nthr\xc3\xa9\xc3\xa9")

    said = bench.call("send", "--stdin")

    assert (said.code, said.out.split()) == (0, bench.muids)
    assert bench.texts == ["one", " two ", "thréé"]


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        pytest.param(b"x" * 9_100, "more than 10 messages", id="a line too long"),
        pytest.param(b"x" * 200_000, "longer than 65536 bytes", id="a line without an end"),
        pytest.param(b"caf\xe9", "no UTF-8", id="no text"),
        pytest.param(b"a\0b", "NUL", id="NUL"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_a_bad_line_is_told_with_its_number_an_empty_one_passed_over_and_the_others_go_on(
    raw: bytes,
    says: str,
    as_json: bool,  # noqa: FBT001  a column of the table
    bench: Bench,
    feed: Feed,
) -> None:
    feed(b"one\n\n" + raw + b"\n  \r\nfour\r\n" + raw)

    said = bench.call("send", "--stdin", *(["--json"] if as_json else []), "--log-level", "error")

    assert said.code == 1
    bad = [line.partition(" was not accepted: ")[0] for line in said.err.splitlines()]
    assert bad == ["hangbot: line 3", "hangbot: line 6"]
    assert said.err.count(says) == 2
    assert bench.texts == ["one", "four"]
    assert all(key in said.out for key in bench.muids)


def test_a_receiver_that_is_none_is_a_wrong_call_and_not_told_line_by_line(bench: Bench, feed: Feed) -> None:
    feed(b"one\ntwo\n")

    assert bench.call("send", "--stdin", "--to", "a/b").line(2)
    assert bench.muids == []
    assert not bench.outbox.exists()


@pytest.mark.slow
def test_each_line_is_delivered_as_it_comes_and_a_bot_may_have_the_outbox_between_two(bench: Bench) -> None:
    sending = bench.start("send", "--stdin", "--log-level", "error", env={"STAGE_RETRY_TOTAL_MS": "2000"})
    pipe = sending.process.stdin
    assert pipe is not None

    for number in (1, 2):
        since = bench.sandbox.journal.last_n
        pipe.write(b"number %d\n" % number)
        pipe.flush()
        bench.wait_for(is_a_send, since=since)
    with as_a_bot(bench.outbox):
        pipe.write(b"number 3, without an end")
        pipe.close()
        code = sending.wait()

    assert code == 0
    assert len(sending.out.split()) == 3
    assert bench.muids == sending.out.split()[:2]


def as_a_bot(path: Path) -> ExitStack:
    """Hold an outbox as a bot does, as soon as the command that delivers just now has given it back."""
    held = ExitStack()
    for _ in range(int(WITHIN / 0.05)):
        with suppress(OutboxBusy):
            held.enter_context(exclusive(path))
            return held
        time.sleep(0.05)
    raise TimeoutError


@pytest.mark.slow
def test_a_reader_that_hangs_up_loses_nothing_that_was_accepted(bench: Bench) -> None:
    shell = f"yes line | head -200 | {sys.executable} -m hangbot send --stdin --log-level error | head -1"
    ended = subprocess.run(  # noqa: S603  our own command
        ["bash", "-c", f"{shell}; exit ${{PIPESTATUS[2]}}"],  # noqa: S607  found on the path like everywhere
        cwd=bench.folder, capture_output=True, text=True, timeout=WITHIN, check=False,
    )  # fmt: skip
    (first,) = ended.stdout.split()

    assert ended.returncode in {0, 1}
    assert ended.stderr == ""
    assert first in [row["id"] for row in bench.call.listed()]
    assert bench.start("send", "the last").wait() == 0
    assert set(bench.call.states()) == {"delivered"}
    assert len(bench.muids) == len(set(bench.muids)) == len(bench.call.listed())


def test_what_another_send_accepts_at_the_last_moment_is_delivered_too(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver = Courier.run_until_empty
    late = [Outgoing("m-2", bench.sandbox.room_uuid, "left to the one that delivers")]

    async def deliver_and_then_another(self: Courier) -> None:
        await deliver(self)
        while late:
            await self.accept(late.pop())

    monkeypatch.setattr(Courier, "run_until_empty", deliver_and_then_another)

    code = main(["send", "first", "--id", "m-1"])

    assert (code, bench.muids) == (0, ["m-1", "m-2"])


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_sends_in_parallel_lose_and_double_nothing(bench: Bench) -> None:
    commands = [bench.start("send", f"number {number}", "--id", f"m-{number}") for number in range(8)]

    codes = [command.wait(4 * WITHIN) for command in commands]

    assert codes == [0] * 8
    assert sorted(bench.muids) == sorted(f"m-{number}" for number in range(8))
    assert set(bench.call.states()) == {"delivered"}

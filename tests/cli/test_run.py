from __future__ import annotations

import re
import shlex
import signal
import sqlite3
import subprocess
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import pytest

from hangbot.cli import main
from hangbot.delivery.outbox import exclusive
from tests.addresses import unanswering
from tests.bounds import WITHIN
from tests.cli.stories import Heard, is_a_send, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from hangbot.sandbox import Sandbox
    from tests.cli.conftest import Bench, Call, Start


# -- the main job


def test_a_bot_from_its_file_answers_and_delivers_and_ends_with_its_report(bench: Bench) -> None:
    async def ask(sandbox: Sandbox) -> None:
        alice = sandbox.users.add("alice")
        await alice.join()
        await alice.say("/uptime")

    def said() -> list[str]:
        return [str(row["data"].get("text")) for row in bench.sandbox.messages]

    def story() -> None:
        listening.wait()
        bench.do(ask)
        bench.wait_for(lambda _: any("has been up" in text for text in said()))
        bench.wait_for(lambda _: "good evening" in said())

    bench.configure(BOOT_MESSAGE="good evening")
    with Heard("reading the chat") as listening:
        printed = bench.call.beside(story, "run")

    assert printed.code == 0
    assert printed.out.startswith("delivered 2 (first try 100.0%), retried 0, failed 0, uncertain 0")
    assert "good evening" in said()
    assert printed.err.count("[OK] ") > 10
    assert bench.sandbox.bot.token not in printed.err + printed.out
    assert not re.search(r"Traceback|\[FAIL\]|ERROR", printed.err)


def test_a_bot_on_a_sandbox_of_its_own_needs_no_configuration(folder: Path, call: Call) -> None:
    printed = call.until("[SOCKET] joined", "run", "--sandbox")

    assert printed.code == 0
    assert printed.out.startswith("delivered 0")
    assert list(folder.iterdir()) == []


def test_a_bot_on_a_sandbox_of_its_own_has_of_the_environment_how_it_is_run_and_not_where(
    folder: Path, call: Call, start: Start
) -> None:
    live = dict.fromkeys(
        ("SOCKET_SERVER_URL", "OPENCHAT_BASE_URL", "TTFM_GATEWAY_BASE_URL"), "http://127.0.0.1:9"
    )
    mine = {"COMETCHAT_RECEIVER": "another-room", "HANGBOT_OUTBOX": str(folder / "mine.sqlite3")}

    bot = start("run", "--sandbox", env={**live, **mine, "BOOT_MESSAGE": "from the environment"})
    until(bot, lambda: "[SAID] from the environment" in bot.err)
    bot.send(signal.SIGTERM)
    refused = call("run", "--sandbox", "--env-file", "mine.env")

    assert bot.wait() == 0
    assert not (folder / "mine.sqlite3").exists()
    assert refused.code == 2
    assert "--sandbox runs on a sandbox of its own" in refused.err


@pytest.mark.slow
def test_a_bot_says_that_it_runs_and_shows_what_it_hears_and_says_but_no_direct_message(bench: Bench) -> None:
    async def join(sandbox: Sandbox) -> None:
        await sandbox.users.add("alice", uid="alice").join()

    async def speak(sandbox: Sandbox) -> None:
        await sandbox.users.get("alice").say("/uptime")

    bench.do(join)
    with exclusive(Path(bench.env["HANGBOT_OUTBOX"])):
        assert bench.start("send", "for your eyes only", "--to", "alice", "--id", "secret").wait() == 0
    bot = bench.start("run")
    until(bot, lambda: "running: in " in bot.err)
    bench.do(speak)
    until(bot, lambda: "has been up" in bot.err and "to alice" in bot.err)
    bot.send(signal.SIGTERM)
    bot.wait()

    shown = [line.split(" | ")[-1] for line in bot.err.splitlines()]
    assert any(re.fullmatch(r"running: in Sandbox, reading the chat, [01] queued", line) for line in shown)
    assert "[SAID] to alice: 18 characters" in shown
    assert "[HEARD] alice: /uptime" in shown
    assert any(line.startswith("[SAID] ") and "has been up" in line for line in shown)
    assert "for your eyes only" not in bot.err


@pytest.mark.slow
def test_a_bot_on_a_sandbox_tells_how_to_talk_to_it_from_a_second_terminal(start: Start) -> None:
    bot = start("run", "--sandbox")
    until(bot, lambda: "second terminal" in bot.err)
    checks, _, below = bot.err.partition("running: in ")
    assert "is a page" not in checks, "it would be scrolled away by the checks"
    assert "is a page" in below
    (pasted,) = re.findall(r"second terminal: (curl .*)", bot.err)
    (page,) = re.findall(r"is a page: (http://127\.0\.0\.1:[0-9]+/)", bot.err)
    _, _, url, _, body = shlex.split(pasted)

    with urllib.request.urlopen(url, body.encode(), timeout=WITHIN) as answer:  # noqa: S310  loopback
        said = answer.status
    with urllib.request.urlopen(page, timeout=WITHIN) as answer:  # noqa: S310  loopback
        shown = answer.read().decode()
    until(bot, lambda: "[SAID] " in bot.err)

    assert said == 200
    assert "<html" in shown
    assert "[HEARD] you: /uptime" in bot.err


def test_services_that_are_down_are_waited_for(bare: Bench) -> None:
    nowhere = "http://127.0.0.1:9"
    bare.configure(
        OPENCHAT_BASE_URL=nowhere,
        TTFM_GATEWAY_BASE_URL=nowhere,
        SOCKET_SERVER_URL=nowhere,
        HANGBOT_DRAIN_MS="100",
    )

    code, _, said = bare.call.until("not in the room", "run")

    assert code == 0
    assert "starting all the same" in said
    assert "not in the room" in said


def test_a_join_that_is_refused_at_the_start_keeps_the_bot_from_starting(bench: Bench) -> None:
    bench.fault("room.joinRoom", "status", body="the room is full", times=0)

    code, _, said = bench.call("run")

    assert code == 1
    assert "[FAIL] Bot is in the room: the room refused joinRoom (the room is full); these are" in said
    assert re.search(r"\| NOT READY: .+; the bot was not started$", said.splitlines()[-1])


def test_a_join_that_is_refused_to_a_running_bot_is_tried_on_and_said_once_with_its_remedy(
    bench: Bench,
) -> None:
    def story() -> None:
        joined.wait()
        bench.fault("room.joinRoom", "status", body="the room is full", times=3)
        bench.do(lambda sandbox: sandbox.restart(services=["room"]))
        with Heard("[SOCKET] joined") as again:
            again.wait()

    with Heard("[SOCKET] joined") as joined:
        said = bench.call.beside(story, "run")

    assert said.code == 0
    assert said.logged("[SOCKET] not in the room (lost, the room refused joinRoom (the room is full))") == 3
    assert said.logged("[ERROR] the room refused joinRoom (the room is full). Check ROOM_UUID") == 1
    assert said.logged("[OK] room admission: in order again") == 1


A_RESOLVER: Final = """
import socket

_ask = socket.getaddrinfo


def getaddrinfo(host, *args, **more):
    known = ["127.0.0.9", "127.0.0.1"] if host == "hang.example" else [host]
    return [row for address in known for row in _ask(address, *args, **more)]


socket.getaddrinfo = getaddrinfo
"""


@pytest.mark.slow
def test_a_host_with_a_dead_and_a_live_address_is_a_host_like_any_other(bare: Bench) -> None:
    names = ("SOCKET_SERVER_URL", "OPENCHAT_BASE_URL", "TTFM_GATEWAY_BASE_URL")
    ports = {name: urlsplit(bare.env[name]).port or 0 for name in names}
    bare.configure(**{name: f"http://hang.example:{port}" for name, port in ports.items()})
    (bare.folder / "sitecustomize.py").write_text(A_RESOLVER)

    with ExitStack() as dead:
        for port in set(ports.values()):
            dead.enter_context(unanswering(port))
        bot = bare.start("run", env={"PYTHONPATH": str(bare.folder)})
        while "[SOCKET] joined" not in bot.err:  # soon, or never
            assert bot.process.poll() is None
            time.sleep(0.05)
        bot.send(signal.SIGTERM)

        assert bot.wait() == 0
    assert "[????]" not in bot.err
    assert "[OK]   Bot is in the room" in bot.err


A_LOGIN_PAGE: Final[dict[str, Any]] = {"status": 302, "headers": {"Location": "https://login.example/"}}


def test_a_login_page_at_the_rooms_address_leaves_it_open_and_the_bot_starts(bench: Bench) -> None:
    bench.fault("room.connect", "status", times=2, **A_LOGIN_PAGE)

    code, _, said = bench.call.until("[SOCKET] joined", "run")

    assert code == 0
    assert "[????] Room socket connects: " in said
    assert "status 302, a redirect to login.example -> Check SOCKET_SERVER_URL; if it is right, some" in said


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(A_LOGIN_PAGE, id="a redirect"),
        pytest.param({"status": 200, "headers": {"Content-Type": "text/html"}}, id="a page"),
        pytest.param({"status": 403, "body": "<html>Forbidden</html>"}, id="a firewall"),
        pytest.param({"status": 503}, id="trouble"),
    ],
)
def test_nothing_that_answers_for_the_room_ends_a_bot_that_runs(answer: dict[str, Any], bench: Bench) -> None:
    def story() -> None:
        joined.wait()
        bench.fault("room.connect", "status", times=3, **answer)
        bench.do(lambda sandbox: sandbox.restart(services=["room"]))
        with Heard("[SOCKET] joined") as again:
            again.wait()

    with Heard("[SOCKET] joined") as joined:
        said = bench.call.beside(story, "run")

    assert said.code == 0
    assert said.logged(f"answered the connection with status {answer['status']}") == 3


@pytest.mark.parametrize("how", ["kick", "ban"])
def test_a_kick_ends_the_bot_with_4_and_one_line_after_its_drain_and_the_rest_stays(
    how: str, bench: Bench
) -> None:
    def story() -> None:
        listening.wait()
        for number in range(2):
            main(["send", f"line {number}"])
        bench.wait_for(is_a_send)
        bench.do(lambda sandbox: getattr(sandbox, how)(sandbox.bot.uid))

    bench.fault("chat.send", "delay", ms=500)
    with Heard("reading the chat") as listening:
        code, _, said = bench.call.beside(story, "run", stop=False)

    assert code == 4
    assert said.splitlines()[-1] == (
        "hangbot: a moderator put the bot out of the room. "
        "Ask the room's moderators; start the bot again when they agree."
    )
    assert bench.texts == ["line 0"]
    assert [row["text"] for row in bench.call.listed("--queued")] == ["line 1"]


@pytest.mark.slow
def test_a_bot_that_is_put_out_of_the_chat_group_joins_it_again_and_runs_on(bench: Bench) -> None:
    async def put_out(sandbox: Sandbox) -> None:
        await sandbox.chat.kick(sandbox.bot.uid, sandbox.room.uuid)

    async def ask(sandbox: Sandbox) -> None:
        alice = sandbox.users.add("alice")
        await alice.join()
        await alice.say("/uptime")

    def story() -> None:
        listening.wait()
        bench.do(put_out)
        bench.do(ask)
        bench.wait_for(is_a_send)

    with Heard("reading the chat") as listening:
        said = bench.call.beside(story, "run")

    assert said.code == 0, said.err
    assert "has been up for" in bench.sandbox.messages[-1]["data"]["text"]


def test_a_kick_that_comes_during_the_checks_is_4_as_well(bench: Bench) -> None:
    def story() -> None:
        bench.wait_for(lambda row: "joinRoom" in row.get("frame", ""))
        bench.do(push)

    async def push(sandbox: Sandbox) -> None:
        sandbox.server.connections[-1].send('{"context":"user","message":{"name":"kickedFromRoom"}}')

    bench.fault("room.joinRoom", "hang")
    said = bench.call.beside(story, "run", stop=False)

    assert said.code == 4, said.err


# -- bad input


def test_without_a_configuration_it_says_what_to_make(call: Call) -> None:
    assert "hang-fm-config.env" in call("run").line(2)


def test_one_fault_of_the_configuration_is_one_line(bare: Bench) -> None:
    bare.configure(SOCKET_TIMEOUT_MS="soon")

    said = bare.call("run").line(2)

    assert "SOCKET_TIMEOUT_MS (hang-fm-config.env line" in said
    assert "'soon'. Correct that in" in said


def test_every_fault_of_a_configuration_is_told_at_once_and_no_secret(folder: Path, call: Call) -> None:
    (folder / "hang-fm-config.env").write_text(
        "BOT_USER_TOKN=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln\n"
        "SOCKET_TIMEOUT_MS=1\nSOCKET_TIMEOUT_MS=2\n"
        "what is this\nHANGBOT_RATE=-1\n"
    )

    code, _, said = call("run")

    assert code == 2
    for words in ("did you mean BOT_USER_TOKEN?", "ROOM_UUID", "SOCKET_TIMEOUT_MS", "line 4", "HANGBOT_RATE"):
        assert words in said
    assert "eyJ" not in said
    assert all(line.startswith("hangbot: ") for line in said.splitlines())


def test_what_preflight_rejects_does_not_start_and_says_so_on_one_line_with_its_remedy(bench: Bench) -> None:
    body = {"statusCode": 401, "message": "No."}
    bench.fault("gateway.token", "status", times=0, status=401, body=body)

    said = bench.call("run", "--log-level", "error").line(1)

    assert re.search(r"ERROR \| \[FAIL\] Gateway accepts the bot token: .* -> \S", said)


def no_database(path: Path) -> None:
    path.write_text("a shopping list\n" * 100)


def another_programs(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE shopping (item TEXT)")
    database.close()


def a_folder(path: Path) -> None:
    path.mkdir()


def later_version(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA application_id = 1212239431")
        database.execute("PRAGMA user_version = 99")
    database.close()


@pytest.mark.parametrize("command", [["run"], ["send", "hi"], ["outbox", "list"], ["outbox", "stats"]])
@pytest.mark.parametrize("spoil", [no_database, another_programs, a_folder, later_version])
def test_an_outbox_that_cannot_be_used_is_one_line_and_left_as_it_is(
    spoil: Callable[[Path], None], command: list[str], bench: Bench
) -> None:
    path = bench.outbox
    spoil(path)
    before = path.read_bytes() if path.is_file() else b""

    said = bench.call(*command, "--log-level", "error").line(1)

    assert str(path) in said
    assert (path.read_bytes() if path.is_file() else b"") == before
    assert bench.muids == []


def test_an_outbox_without_a_folder_is_one_line(bare: Bench) -> None:
    bare.configure(HANGBOT_OUTBOX=str(bare.folder / "no" / "such.sqlite3"))

    assert "HANGBOT_OUTBOX: its folder must exist" in bare.call("run").line(1)


def test_a_second_bot_on_one_outbox_is_one_line(bench: Bench) -> None:
    with exclusive(bench.outbox):
        said = bench.call("run").line(1)

    assert "another bot delivers" in said
    assert "HANGBOT_OUTBOX" in said
    assert bench.sandbox.journal.events() == []


# -- processes and signals


@pytest.mark.slow
def test_a_second_signal_stops_at_once_and_what_was_on_its_way_stays_in_doubt(bench: Bench) -> None:
    bench.fault("chat.send", "hang", times=0)
    env = {"BOOT_MESSAGE": "never answered", "HANGBOT_DRAIN_MS": "60000", "SOCKET_TIMEOUT_MS": "60000"}
    bot = bench.start("run", env=env)
    bench.wait_for(is_a_send)

    bot.send(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):  # it drains, with a minute's patience
        bot.wait(1.2)
    bot.send(signal.SIGINT)

    assert bot.wait() == 1
    assert "stopped at once" in bot.err
    assert "Traceback" not in bot.err
    assert [row["text"] for row in bench.call.listed("--queued")] == ["never answered"]


@pytest.mark.slow
def test_a_killed_bot_loses_and_doubles_nothing(bench: Bench) -> None:
    bench.fault("chat.send", "delay", ms=3_600_000)
    bot = bench.start("run", env={"BOOT_MESSAGE": "once", "SOCKET_TIMEOUT_MS": "60000"})
    bench.wait_for(is_a_send)
    bot.send(signal.SIGKILL)
    bot.wait()

    again = bench.start("send", "after it", "--wait", "50")

    assert again.wait() == 0, again.err
    texts = bench.texts
    assert texts == ["once", "after it"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_bot_that_is_killed_again_and_again_loses_and_doubles_nothing(bench: Bench) -> None:
    for number in range(8):
        kind = ("delay", "cut_after_store", "hang", "cut_before_store")[number % 4]
        bench.fault("chat.send", kind, ms=3_600_000 if kind == "delay" else None)
        since = bench.sandbox.journal.last_n
        bot = bench.start("run", env={"BOOT_MESSAGE": f"start {number}", "SOCKET_TIMEOUT_MS": "60000"})
        bench.wait_for(is_a_send, since=since)
        bot.send(signal.SIGKILL)
        bot.wait()
        bench.sandbox.faults.clear()

    last = bench.start("send", "the end", "--wait", "50")

    assert last.wait() == 0, last.err
    texts = bench.texts
    assert texts == [*(f"start {number}" for number in range(8)), "the end"]

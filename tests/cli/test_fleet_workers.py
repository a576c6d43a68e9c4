"""``hangbot fleet run``, ``status``, ``drain`` and ``move``: workers of their own, on real servers."""

from __future__ import annotations

import json
import re
import signal
import socket
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.cli.stories import until, until_so

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Bench, Call, Command

ROOMS = ("blue", "green", "red", "white")


class Fleet:
    """A folder of rooms in a sandbox, a cluster, and the commands."""

    def __init__(self, bench: Bench, address: str, folder: Path) -> None:
        self.bench, self.address, self.folder = bench, address, folder
        self.call: Call = bench.call
        self.rooms = {name: bench.sandbox.add_room(name) for name in ROOMS}
        for name, room in self.rooms.items():
            self.configure(name, room.uuid)

    def configure(self, name: str, uuid: str, **changes: str) -> Path:
        env = self.bench.env | {"HANGBOT_OUTBOX": self.address, "ROOM_UUID": uuid} | changes
        path = self.folder / f"{name}.env"
        path.write_text("".join(f"{key}={value}\n" for key, value in env.items()), encoding="utf-8")
        path.chmod(0o600)
        return path

    def worker(self, name: str, *more: str) -> Command:
        return self.bench.start("fleet", "run", "--rooms", str(self.folder), "--worker", name, *more)

    def status(self) -> dict[str, Any]:
        ended = self.call("fleet", "status", "--json")
        if ended.code == 3:  # the servers have only begun
            return {"rooms": [], "workers": []}
        assert ended.code in {0, 1}, ended.err
        row: dict[str, Any] = json.loads(ended.out)
        return row

    def owners(self) -> dict[str, str]:
        """The owners' names, by the rooms'."""
        return {row["room"]: row["owner"]["worker"] for row in self.status()["rooms"] if row["owner"]}

    def until_owned(self, *workers: str) -> dict[str, str]:
        """Wait until all rooms are ready, and owned by all of these workers and by no other."""
        until_so(lambda: self.is_owned(*workers))
        return self.owners()

    def is_owned(self, *workers: str) -> bool:
        rows = self.status()["rooms"]
        owned = [row["owner"]["worker"] for row in rows if row["owner"] and row["ready"]]
        return len(owned) == len(ROOMS) and set(owned) == set(workers)

    def send_to_all(self) -> None:
        """Accept a message for each room."""
        for name in ROOMS:
            ended = self.call("send", f"hello {name}", "--env-file", str(self.folder / f"{name}.env"))
            assert ended.code == 0, ended.err

    def until_said(self) -> None:
        """Wait until each room has its message, once."""
        until_so(lambda: len(self.bench.texts) >= len(ROOMS))
        assert sorted(self.bench.texts) == [f"hello {name}" for name in ROOMS]


@pytest.fixture
def fleet(bare: Bench, tmp_path: Path, nats_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    assert nats_server
    servers = bare.start("fleet", "dev")
    ready = json.loads(until(servers, lambda: "\n" in servers.out and servers.out.splitlines()[0]))
    folder = tmp_path / "rooms"
    folder.mkdir()
    monkeypatch.setenv("HANGBOT_OUTBOX", ready["outbox"])
    yield Fleet(bare, ready["outbox"], folder)
    servers.send(signal.SIGTERM)
    assert servers.wait() == 0


def test_workers_share_the_rooms_and_give_them_to_each_other(fleet: Fleet) -> None:
    north, south = fleet.worker("north"), fleet.worker("south", "--most", "3")
    until_so(lambda: len(fleet.status()["workers"]) == 2)
    moved = fleet.call("fleet", "move", "red", "south")
    shown = fleet.status()
    fleet.send_to_all()
    asked = fleet.call.json("status", "--env-file", str(fleet.folder / "red.env"))
    drained = fleet.call.printed("fleet", "drain", "south")

    assert (moved.code, moved.out) == (0, "red is with worker south\n")
    fleet.until_said()
    (row,) = [row for row in shown["rooms"] if row["room"] == "red"]
    assert set(row) >= {"room", "owner", "ready", "queued", "since"}
    assert set(row["owner"]) == {"worker", "host", "pid"}
    assert (row["owner"]["worker"], row["owner"]["pid"]) == ("south", south.process.pid)
    assert {each["worker"]: each["most"] for each in shown["workers"]} == {"north": None, "south": 3}
    assert asked["state"] == "ready"
    assert "given up its" in drained
    assert south.wait() == 0
    fleet.until_owned("north")
    north.send(signal.SIGTERM)
    assert north.wait() == 0
    assert fleet.owners() == {}
    empty = fleet.call("fleet", "status")
    assert empty.code == 1
    assert empty.out.count("[DOWN]") == len(ROOMS)


def test_a_killed_workers_rooms_are_taken_and_what_was_accepted_is_delivered_once(fleet: Fleet) -> None:
    north = fleet.worker("north")
    fleet.until_owned("north")
    fleet.worker("south")
    until_so(lambda: len(fleet.status()["workers"]) == 2)

    north.process.kill()
    fleet.send_to_all()
    fleet.until_owned("south")

    fleet.until_said()


def test_a_bot_that_a_moderator_puts_out_is_kept_out_of_its_room(fleet: Fleet) -> None:
    fleet.worker("north")
    fleet.until_owned("north")
    sandbox = fleet.bench.sandbox
    fleet.bench.do(lambda _: sandbox.kick(sandbox.bot.uid, fleet.rooms["red"]))
    until_so(lambda: "red" not in fleet.owners())
    (row,) = [row for row in fleet.status()["rooms"] if row["room"] == "red"]
    moved = fleet.call("fleet", "move", "red", "north")

    assert "put the bot out" in row["why"]
    assert moved.code == 0
    assert fleet.until_owned("north")


def test_a_worker_has_one_port_which_shows_each_of_its_rooms(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.configure("red", fleet.rooms["red"].uuid, HANGBOT_STATUS_PORT="1")
    monkeypatch.setenv("HANGBOT_STATUS_PORT", "0")
    north = fleet.worker("north")
    fleet.until_owned("north")
    [url] = re.findall(r"how the worker is: (\S+)/healthz", north.err)

    until_so(lambda: httpx.get(f"{url}/readyz", trust_env=False).status_code == 200)
    text = httpx.get(f"{url}/metrics", trust_env=False).text

    for figure in ("ready", "queue_length", "fleet_owner"):
        names = re.findall(rf'^hangbot_{figure}{{.*bot="(\w+)".*}} ', text, re.MULTILINE)
        assert sorted(names) == list(ROOMS)
    assert "how the bot is" not in north.err
    assert "is passed over" not in north.err


def test_a_port_that_a_rooms_file_names_is_passed_over_and_that_is_said(fleet: Fleet) -> None:
    fleet.configure("red", fleet.rooms["red"].uuid, HANGBOT_STATUS_PORT="0")
    north = fleet.worker("north")
    fleet.until_owned("north")

    assert "HANGBOT_STATUS_PORT in red.env is passed over" in north.err
    assert "healthz" not in north.err


def test_a_file_with_a_fault_is_named_and_the_other_rooms_run(fleet: Fleet) -> None:
    (fleet.folder / "broken.env").write_text("ROOM_UUID=nothing\n", encoding="utf-8")
    fleet.configure("elsewhere", "0e3bd4b8-2d5f-4c0a-9d0a-5f3b1f6a7c11")
    north = fleet.worker("north")
    until_so(lambda: len(fleet.owners()) >= len(ROOMS))
    rows = {row["room"]: row for row in fleet.status()["rooms"]}

    assert "broken.env cannot be used" in north.err
    assert "BOT_USER_TOKEN" in rows["broken"]["why"]
    assert rows["broken"]["owner"] is None
    assert fleet.bench.env["BOT_USER_TOKEN"] not in north.err


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        pytest.param(["run", "--rooms", "nowhere"], 2, "the folder nowhere cannot be read", id="no folder"),
        pytest.param(["run", "--rooms", "."], 2, "has no *.env file", id="no room"),
        pytest.param(["run", "--rooms", ".", "--worker", "a b"], 2, "is no name", id="no name"),
        pytest.param(["run", "--rooms", ".", "--most", "0"], 2, "no number from 1 on", id="no place"),
        pytest.param(["run", "--rooms", ".", "--env-file", "a.env"], 2, "names one bot", id="a file"),
        pytest.param(["status"], 2, "names no cluster", id="no cluster is named"),
        pytest.param(["drain"], 2, "names no cluster", id="nor to drain"),
    ],
)
def test_what_is_called_wrongly_is_one_line(call: Call, argv: list[str], code: int, words: str) -> None:
    try:
        ended = call("fleet", *argv)
    except SystemExit as exc:
        assert exc.code == code  # noqa: PT017  as argparse ends a process
        return

    assert ended.code == code
    assert words in ended.err


def test_a_folder_whose_files_cannot_be_used_says_of_each_why(call: Call, tmp_path: Path) -> None:
    (tmp_path / "lounge.env").write_text("BOT_USER_TOKEN=a-token\nROOM_UUID=room\n", encoding="utf-8")

    ended = call("fleet", "run", "--rooms", str(tmp_path))

    assert "lounge.env: its HANGBOT_OUTBOX names no cluster" in ended.line(2)


def test_an_operator_is_told_what_there_is(fleet: Fleet) -> None:
    fleet.worker("north")
    fleet.until_owned("north")

    shown = fleet.call.printed("fleet", "status")
    unknown_room = fleet.call("fleet", "move", "pink", "north")
    unknown_worker = fleet.call("fleet", "move", "red", "west")
    nobody = fleet.call("fleet", "drain", "west")
    twice = fleet.worker("north")

    assert shown.count("[OK]   ") == len(ROOMS)
    assert f"worker north on {socket.gethostname()}" in shown
    assert "rooms: 4, since" in shown
    assert "no room pink. There is: blue, green, red, white" in unknown_room.line(1)
    assert "no worker west. There is: north" in unknown_worker.line(1)
    assert "no worker west" in nobody.line(1)
    assert twice.wait() == 1
    assert "a worker called north runs already" in twice.err or "another worker called north" in twice.err


COMMANDS = (
    ("status", 0, ": ready"),
    ("preflight", 0, "was read from the cluster"),
    ("send hello --id said --wait 60", 0, "said"),
    ("outbox list", 0, "hello"),
    ("outbox show said", 0, "settled"),
    ("outbox retry said", 0, "nothing to retry"),
    ("outbox drop said", 1, "delivered"),
    ("outbox stats", 0, "delivered"),
    ("outbox backup copy.sqlite3", 0, "1 messages"),
    ("bundle kept.zip", 0, "journal.jsonl"),
    ("run", 2, "fleet run --rooms DIR"),
)
"""What is said of one bot, the exit code, and what it says."""


def test_every_command_about_one_bot_works_on_a_room_of_a_fleet(fleet: Fleet) -> None:
    fleet.worker("north")
    fleet.until_owned("north")

    for command, code, words in COMMANDS:
        ended = fleet.call(*command.split(), "--env-file", str(fleet.folder / "red.env"))

        assert ended.code == code, f"{command}: {ended.err}"
        assert words in ended.out + ended.err, command


def test_a_bundle_of_a_room_whose_workers_are_gone_has_all_but_their_memory(fleet: Fleet) -> None:
    fleet.send_to_all()
    waited = fleet.call("send", "hello", "--wait", "0.1", "--env-file", str(fleet.folder / "red.env"))
    assert waited.code == 3
    assert "1 message(s) stay queued, not delivered in time: the room's worker delivers them" in waited.err

    ended = fleet.call("bundle", "kept.zip", "--env-file", str(fleet.folder / "red.env"))

    assert ended.code == 0, ended.err
    assert "config.json, versions.json, outbox.json, preflight.json" in ended.out
    assert "not in it: journal.jsonl" in ended.out


def test_a_cluster_that_is_away_is_one_line(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANGBOT_OUTBOX", "nats://127.0.0.1:9")

    ended = call("fleet", "status")

    assert "127.0.0.1:9" in ended.line(3)

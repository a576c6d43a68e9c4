"""Several bots in one process: each by itself, whatever becomes of the others."""

import json
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.bounds import WITHIN
from tests.processes import Process, until


class Room:
    """A sandbox of its own, with alice in it."""

    def __init__(self, folder: Path, number: int, name: str) -> None:
        self.name = name
        self.process = Process(folder, number, "sandbox", "--env-out", f"{name}.env")
        until(lambda: self.process.out)
        self.ready = json.loads(self.process.out[0])
        self.http = httpx.Client(base_url=self.ready["control_url"], trust_env=False, timeout=WITHIN)
        self.alice = self.post("/users", nickname="alice")["uid"]
        self.post(f"/users/{self.alice}/join")

    def post(self, path: str, **body: object) -> Any:  # noqa: ANN401  any JSON value
        return self.http.post(path, json=body).raise_for_status().json()

    def ask(self) -> None:
        self.post(f"/users/{self.alice}/say", text="/uptime")

    def answers(self) -> int:
        rows = self.http.get("/messages").json()["messages"]
        return sum("has been up for" in str(row["data"].get("text")) for row in rows)

    def close(self) -> None:
        self.http.close()
        self.process.close()


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[], tuple[Room, Room, Process]]]:
    opened: list[Room | Process] = []

    def open_all() -> tuple[Room, Room, Process]:
        lounge, cellar = (Room(tmp_path, number, name) for number, name in enumerate(("lounge", "cellar")))
        opened.extend((lounge, cellar))
        files = ("--env-file", "lounge.env", "--env-file", "cellar.env")
        bots = Process(tmp_path, 9, "run", *files, env={"HANGBOT_STATUS_PORT": "0"})
        opened.insert(0, bots)
        until(lambda: bots.err.count("running: in ") == 2)
        return lounge, cellar, bots

    yield open_all
    for each in opened:
        each.close()


def test_each_answers_in_its_room_and_the_end_of_a_service_is_no_matter_of_the_other(
    opened: Callable[[], tuple[Room, Room, Process]],
) -> None:
    lounge, cellar, bots = opened()

    for room in (lounge, cellar):
        room.ask()
        until(room.answers)
    lounge.process.close()
    cellar.ask()
    until(lambda: cellar.answers() == 2)
    bots.process.send_signal(signal.SIGTERM)
    bots.process.wait(WITHIN)

    assert bots.process.returncode == 0
    assert " | cellar | hangbot" in bots.err
    assert not {lounge.ready["bot_token"], cellar.ready["bot_token"]} & set(bots.err.split())


def test_a_kick_of_one_ends_that_one_only(opened: Callable[[], tuple[Room, Room, Process]]) -> None:
    lounge, cellar, bots = opened()

    lounge.post("/room/kick", uid=lounge.ready["bot_uid"])
    until(lambda: "this bot has ended with 4" in bots.err)
    cellar.ask()
    until(cellar.answers)
    cellar.post("/room/kick", uid=cellar.ready["bot_uid"])
    bots.process.wait(WITHIN)

    assert bots.process.returncode == 4


def test_the_metrics_of_each_have_its_name(opened: Callable[[], tuple[Room, Room, Process]]) -> None:
    *_, bots = opened()

    pages = {
        name: httpx.get(f"{url}/metrics", trust_env=False, timeout=WITHIN).text
        for name, url in re.findall(r"\| (\w+) \|.*(http://127\.0\.0\.1:\d+)/healthz", bots.err)
    }

    assert pages.keys() == {"lounge", "cellar"}
    for name, page in pages.items():
        (ready,) = re.findall(r"^hangbot_ready(.*)$", page, re.MULTILINE)
        assert f'{{bot="{name}",room="' in ready


@pytest.mark.parametrize(
    ("own", "files", "says"),
    [
        ("HANGBOT_OUTBOX=one.sqlite3", ("a.env", "b.env"), "the bots a and b have one outbox"),
        ("HANGBOT_OUTBOX=one.sqlite3", ("a.env", "more/a.env"), "the bots a and more/a have one outbox"),
        ("", ("a.env", "a.env"), "the bots a and a have one outbox"),
        (
            "",
            ("a.env", "b.env"),
            "the bots a and b are one bot in one room, and would answer each line twice",
        ),
        ("", ("a.env", "more/a.env"), "the bots a and more/a are one bot in one room"),
    ],
)
def test_two_bots_that_share_what_one_bot_has_are_refused(
    tmp_path: Path, own: str, files: tuple[str, str], says: str
) -> None:
    (tmp_path / "more").mkdir()
    own = own.replace("one", str(tmp_path / "one"))
    written = f"BOT_USER_TOKEN=x.y.z\nROOM_UUID=00000000-0000-4000-8000-000000000000\n{own}\n"
    for name in files:
        (tmp_path / name).write_text(written, encoding="utf-8")
    with closing(Process(tmp_path, 1, "run", "--env-file", files[0], "--env-file", files[1])) as bots:
        bots.process.wait(WITHIN)

    assert bots.process.returncode == 2
    assert says in bots.err

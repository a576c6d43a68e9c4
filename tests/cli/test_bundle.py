"""``hangbot bundle`` and ``hangbot replay``: a bot's incident in a file, and what is wrong with files."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import socket
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from hangbot.cli import bundle
from hangbot.errors import HangbotError
from hangbot.incident.bundle import MANIFEST, write_bundle
from hangbot.status import socket_path
from tests.cases import cases
from tests.cli.stories import until
from tests.incident.incidents import INCIDENTS, QUICK
from tests.incident.recorded import recorded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Bench, Call

SAID = "Ottokar ate my sandwich"


def unzipped(place: Path) -> dict[str, str]:
    with zipfile.ZipFile(place) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


@pytest.fixture
def made(bench: Bench) -> Path:
    """The bundle of a bot that runs, and heard something."""
    bench.configure(BOT_NAME="Ottokar the Bot")
    bot = bench.start("run")
    until(bot, lambda: "running: in " in bot.err)
    bench.hear("/uptime")
    bench.do(lambda sandbox: sandbox.users.get(next(iter(sandbox.users)).uid).say(SAID))
    until(bot, lambda: "settled" in bot.err)
    done = bench.call("bundle", "it.zip")
    bot.send(signal.SIGTERM)
    bot.wait()
    assert done.code == 0, done.err
    assert "not in it" not in done.out
    return bench.folder / "it.zip"


def test_the_bundle_of_a_running_bot_is_whole_and_safe_and_its_replay_alike(bench: Bench, made: Path) -> None:
    files = unzipped(made)

    refused = bench.call("replay", "it.zip", "--as-test", "it.py", "--json")
    replayed = bench.call("replay", "it.zip", "--as-test", "test_it.py", "--json")

    assert (refused.code, refused.out) == (2, "")
    assert set(files) == {
        *(MANIFEST, "config.json", "health.json", "journal.jsonl", "log.jsonl", "outbox.json"),
        *("preflight.json", "versions.json"),
    }
    written = "".join(files.values())
    secrets = [bench.sandbox.bot.token, bench.sandbox.bot.chat_token]
    persons = ["Ottokar", "sandwich", "alice", bench.sandbox.bot.uid, bench.sandbox.room_uuid]
    assert [each for each in secrets + persons if each in written] == []
    assert "/uptime" in files["journal.jsonl"]
    assert json.loads(files[MANIFEST])["missing"] == []
    assert json.loads(files["health.json"])["ready"] is True
    assert replayed.code == 0, replayed.out
    facts = json.loads(replayed.out)["facts"]
    assert {"chat connection 1, open", "chat connection 1: open"} & {
        f"{f['about']}: {f['what']}" for f in facts
    }
    assert not any(fact["differs"] for fact in facts)
    namespace: dict[str, Any] = {"__file__": str(bench.folder / "test_it.py")}
    exec((bench.folder / "test_it.py").read_text(), namespace)  # noqa: S102  what was just written
    namespace["test_it"]()


def test_for_oneself_everything_but_secrets_stays(bench: Bench) -> None:
    bench.configure(BOT_NAME="Ottokar the Bot")

    done = bench.call("bundle", "it.zip", "--plain")
    replayed = bench.call("replay", "it.zip")

    files = unzipped(bench.folder / "it.zip")
    assert done.code == 0
    assert "for yourself alone" in done.out
    assert "not in it: journal.jsonl: no bot runs on the outbox" in done.out
    assert [gap["what"] for gap in json.loads(files[MANIFEST])["missing"]] == [
        *("journal.jsonl", "log.jsonl", "health.json", "outbox.json")
    ]
    assert "Ottokar the Bot" in files["config.json"]
    assert bench.sandbox.bot.token not in "".join(files.values())
    assert replayed.code == 2
    assert replayed.err.count("\n") == 1
    assert "the bundle has no journal" in replayed.err


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle."""
    place: Path = tmp_path_factory.mktemp("sound") / "it.zip"
    recorded(place, INCIDENTS["lost answer"].happen, env=QUICK)
    return place


def _cut(place: Path) -> None:
    place.write_bytes(place.read_bytes()[:-200])


def _pipe(place: Path) -> None:
    place.unlink()
    os.mkfifo(place)


def _swap(name: str, change: Callable[[str], str]) -> Callable[[Path], None]:
    def swap(place: Path) -> None:
        files = unzipped(place)
        files[name] = change(files[name])
        with zipfile.ZipFile(place, "w") as archive:
            for each, text in files.items():
                archive.writestr(each, text)

    return swap


@cases(
    "spoil says",
    ("cut", _cut, "no zip file, or was cut"),
    ("no zip", lambda place: place.write_text("hello"), "no zip file, or was cut"),
    ("not there", lambda place: place.unlink(), "cannot be read"),
    ("a pipe", _pipe, "no file that can be read from its end"),
    ("foreign", _swap(MANIFEST, lambda _: '{"kind": "photos"}'), "is no bundle of hangbot"),
    ("newer", _swap(MANIFEST, lambda text: text.replace('"schema": 1', '"schema": 9')), "of a newer hangbot"),
    (
        "no version",
        _swap(MANIFEST, lambda text: text.replace('"schema": 1', '"schema": "x"')),
        "which version",
    ),
    ("not JSON", _swap("journal.jsonl", lambda text: text + "{"), "journal.jsonl that cannot be read"),
    (
        "odd rows",
        _swap("journal.jsonl", lambda text: text.replace('"kind": "out"', '"kid": 1')),
        "has no kind that it can have",
    ),
    (
        "odd settings",
        _swap("config.json", lambda text: text.replace('"20000"', '"many"')),
        "STAGE_RETRY_TOTAL_MS",
    ),
)
def test_what_is_no_bundle_is_one_clear_line(
    spoil: Callable[[Path], None], says: str, call: Call, sound: Path, tmp_path: Path
) -> None:
    place = tmp_path / "spoilt.zip"
    shutil.copy(sound, place)
    spoil(place)

    done = call("replay", str(place))

    assert done.code == 2, done.out
    assert done.err.count("\n") == 1, done.err
    assert says in done.err


def test_nothing_is_written_where_something_is_or_nothing_can_be(bench: Bench, tmp_path: Path) -> None:
    there = tmp_path / "there.zip"
    there.write_text("mine")

    taken = bench.call("bundle", str(there))
    nowhere = bench.call("bundle", str(tmp_path / "no" / "folder.zip"))

    assert (taken.code, nowhere.code) == (2, 1)
    assert "exists; it was left as it is" in taken.err
    assert "No such file or directory" in nowhere.err
    assert there.read_text() == "mine"
    assert [each.name for each in tmp_path.iterdir() if each.suffix in {".part", ".zip"}] == ["there.zip"]


def test_a_bot_that_hangs_is_asked_once_and_the_rest_is_in_the_bundle(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "_WITHIN", 0.2)
    bench.configure()
    with socket.socket(socket.AF_UNIX) as hanging:
        hanging.bind(str(socket_path(bench.outbox)))
        hanging.listen()

        done = bench.call("bundle", "it.zip")

    assert done.code == 0
    assert done.out.count("does not answer within 0.2 s") == 3
    assert "preflight.json" in unzipped(bench.folder / "it.zip")


def test_on_a_full_disk_nothing_is_left_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)

    with pytest.raises(HangbotError, match=r"it\.zip cannot be written: No space left") as refused:
        write_bundle(tmp_path / "it.zip", {"config.json": b"{}"}, {}, ())

    assert "Make room" in refused.value.remedy
    assert list(tmp_path.iterdir()) == []

"""The folder of a fleet's rooms: what can be used, what cannot, and what has changed."""

import errno
import os
from pathlib import Path

import pytest

from hangbot.errors import ConfigError
from hangbot.fleet.entries import Folder
from hangbot.fleet.folder import RoomFolder
from hangbot.fleet.keys import room_key, written_name
from tests.config.test_settings import REQUIRED, ROOM

CLUSTER = "nats://127.0.0.1:4222"
OTHER = "7f0c6a55-9b0c-4d1f-8f57-8f7a3f0d9a10"


def put(folder: Path, name: str, **changes: str) -> Path:
    path = folder / f"{name}.env"
    values = REQUIRED | {"HANGBOT_OUTBOX": CLUSTER} | changes
    path.write_text("".join(f"{key}={value}\n" for key, value in values.items() if value), encoding="utf-8")
    path.chmod(0o600)
    return path


def refused(*_: object, **__: object) -> int:
    raise PermissionError(errno.EACCES, "Permission denied")


@pytest.fixture
def folder(tmp_path: Path) -> RoomFolder:
    return RoomFolder(tmp_path, {})


async def test_each_file_is_a_room(folder: RoomFolder) -> None:
    put(folder.path, "red")
    put(folder.path, "blue", ROOM_UUID=OTHER)
    (folder.path / "notes.txt").write_text("no room", encoding="utf-8")

    changed = await folder.look()

    assert changed
    assert {room.name: room.settings.room_uuid for room in folder.rooms.values()} == {
        "red": ROOM,
        "blue": OTHER,
    }
    assert all(key == room_key(room.settings) for key, room in folder.rooms.items())
    assert folder.faulty == {}
    assert {file.name for file in folder.entry.rooms.values()} == {"red", "blue"}


async def test_a_file_says_the_same_whatever_its_comments_and_order(
    folder: RoomFolder, tmp_path: Path
) -> None:
    path = put(folder.path, "red")
    await folder.look()
    other = tmp_path / "elsewhere"
    other.mkdir()
    lines = path.read_text(encoding="utf-8").splitlines()
    (other / "red.env").write_text(
        "# another machine\n" + "\n".join(reversed(lines)) + "\n", encoding="utf-8"
    )
    there = RoomFolder(other, {})
    await there.look()

    assert there.entry == folder.entry
    put(other, "red", BOT_NAME="Other")
    await there.look()
    assert there.entry != folder.entry


async def test_only_what_has_changed_is_read_again(folder: RoomFolder) -> None:
    put(folder.path, "red")
    blue = put(folder.path, "blue", ROOM_UUID=OTHER)
    await folder.look()
    before = {room.name: room for room in folder.rooms.values()}
    known: list[str | None] = []
    folder.known = lambda settings: known.append(settings.bot_name)

    unchanged = await folder.look()
    put(folder.path, "red", BOT_NAME="Hal")
    changed = await folder.look()
    after = {room.name: room for room in folder.rooms.values()}
    blue.unlink()
    gone = await folder.look()

    assert (unchanged, changed, gone) == (False, True, True)
    assert after["blue"] is before["blue"]
    assert after["red"].settings.bot_name == "Hal"
    assert after["red"].digest != before["red"].digest
    assert known == ["Hal"]
    assert [room.name for room in folder.rooms.values()] == ["red"]


async def test_what_cannot_be_used_is_named_without_a_secret(folder: RoomFolder) -> None:
    put(folder.path, "red")
    put(folder.path, "same")
    put(folder.path, "broken", BOT_USER_TOKEN="", ROOM_UUID=OTHER)
    put(folder.path, "alone", HANGBOT_OUTBOX="outbox.sqlite3", ROOM_UUID=OTHER)
    put(folder.path, "elsewhere", HANGBOT_OUTBOX="nats://127.0.0.1:4333", ROOM_UUID=OTHER)

    await folder.look()

    assert [room.name for room in folder.rooms.values()] == ["red"]
    assert folder.faulty["elsewhere"] == f"it names another cluster than the worker's ({CLUSTER}/hangbot)"
    assert "BOT_USER_TOKEN" in folder.faulty["broken"]
    assert "no cluster of a fleet" in folder.faulty["alone"]
    assert REQUIRED["BOT_USER_TOKEN"] not in str(folder.faulty)


async def test_a_file_that_comes_later_does_not_change_the_cluster(folder: RoomFolder) -> None:
    put(folder.path, "red")
    await folder.look()

    put(folder.path, "another", HANGBOT_OUTBOX="nats://127.0.0.1:4333", ROOM_UUID=OTHER)
    put(folder.path, "login", HANGBOT_OUTBOX="nats://me:secret@127.0.0.1:4222", ROOM_UUID=OTHER)
    await folder.look()

    assert [room.name for room in folder.rooms.values()] == ["red"]
    assert folder.faulty == {
        "another": f"it names another cluster than the worker's ({CLUSTER}/hangbot)",
        "login": f"it names another login than this worker has ({CLUSTER}/hangbot): start the worker again",
    }


async def test_a_folder_that_is_empty_all_at_once_ends_no_room(folder: RoomFolder) -> None:
    path = put(folder.path, "red")
    await folder.look()

    path.unlink()
    with pytest.raises(ConfigError, match=r"no \*\.env file any more"):
        await folder.look()

    assert [room.name for room in folder.rooms.values()] == ["red"]
    put(folder.path, "blue", ROOM_UUID=OTHER)
    assert await folder.look()
    assert [room.name for room in folder.rooms.values()] == ["blue"]


async def test_hidden_files_are_no_rooms(folder: RoomFolder) -> None:
    put(folder.path, "red")
    put(folder.path, ".red")
    (folder.path / ".#red.env").symlink_to("somebody@somewhere.4711")  # as an editor marks a file as open

    await folder.look()

    assert [room.name for room in folder.rooms.values()] == ["red"]
    assert folder.faulty == {}


async def test_what_is_no_file_is_named_and_the_others_are_rooms(folder: RoomFolder) -> None:
    put(folder.path, "red")
    (folder.path / "gone.env").symlink_to("nowhere")
    (folder.path / "folder.env").mkdir()
    os.mkfifo(folder.path / "pipe.env")

    await folder.look()

    assert [room.name for room in folder.rooms.values()] == ["red"]
    assert folder.faulty == {
        "folder": "it is no file",
        "gone": "it leads to no file",
        "pipe": "it is no file",
    }


async def test_what_could_not_be_read_is_tried_again(
    folder: RoomFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(folder.path, "red")
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refused)
        await folder.look()
        before = dict(folder.faulty)

    changed = await folder.look()

    assert before == {"red": f"{path} cannot be read: Permission denied"}
    assert changed
    assert [room.name for room in folder.rooms.values()] == ["red"]
    assert not await folder.look()


async def test_two_files_of_one_bot_in_one_room_are_one_too_many(folder: RoomFolder) -> None:
    put(folder.path, "blue")
    put(folder.path, "red")

    await folder.look()

    assert [room.name for room in folder.rooms.values()] == ["blue"]
    assert folder.faulty == {"red": "it is the same bot in the same room as blue.env"}


async def test_the_environment_wins(tmp_path: Path) -> None:
    put(tmp_path, "red", HANGBOT_OUTBOX="")
    folder = RoomFolder(tmp_path, {"HANGBOT_OUTBOX": CLUSTER})

    await folder.look()

    assert [str(room.settings.cluster) for room in folder.rooms.values()] == [f"{CLUSTER}/hangbot"]


async def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere cannot be read: No such file"):
        await RoomFolder(tmp_path / "nowhere", dict(os.environ)).look()


async def test_a_name_that_is_no_text_is_a_fault_of_its_file_and_of_no_other(folder: RoomFolder) -> None:
    put(folder.path, "red")
    (folder.path / os.fsdecode(b"caf\xe9.env")).write_bytes((folder.path / "red.env").read_bytes())
    half = Folder({}, {"half": "its text has half a character: \ud800"})

    await folder.look()
    told = Folder.from_bytes(folder.entry.to_bytes())

    assert told == folder.entry
    assert [room.name for room in folder.rooms.values()] == ["red"]
    assert "rename it" in folder.faulty[r"caf\xe9"]
    assert Folder.from_bytes(half.to_bytes()) == half


async def test_a_name_is_the_same_however_a_file_system_stores_it(folder: RoomFolder) -> None:
    put(folder.path, "Ra\u0308ume")

    await folder.look()

    assert [room.name for room in folder.rooms.values()] == ["R\u00e4ume"]
    assert written_name("rooms/Ra\u0308ume.env") == "R\u00e4ume"
    assert written_name("R\udcc3\udca4ume") == "R\u00e4ume", "as Python has it in a C locale"


async def test_what_is_said_of_a_file_has_an_end(folder: RoomFolder) -> None:
    (folder.path / "notes.env").write_text("no setting\n" * 3000, encoding="utf-8")

    await folder.look()

    assert len(folder.faulty["notes"]) < 1100


@pytest.mark.parametrize(
    ("own", "said", "fault"),
    [
        pytest.param(CLUSTER, CLUSTER, "", id="the same"),
        pytest.param("nats://me:word@127.0.0.1:4222", CLUSTER, "", id="another login"),
        pytest.param("nats://127.0.0.1:4222,127.0.0.1:4223", CLUSTER, "", id="one server more"),
        pytest.param(f"{CLUSTER}/other", CLUSTER, "two fleets would run the room", id="another fleet"),
        pytest.param("nats://127.0.0.1:4333", CLUSTER, "two fleets would run the room", id="other servers"),
        pytest.param("here.sqlite3", CLUSTER, "of the worker's environment names no cluster", id="a file"),
    ],
)
async def test_an_environment_that_names_another_fleet_than_a_file_runs_no_room_of_it(
    tmp_path: Path, own: str, said: str, fault: str
) -> None:
    put(tmp_path, "red", HANGBOT_OUTBOX=said)
    folder = RoomFolder(tmp_path, {"HANGBOT_OUTBOX": own})

    await folder.look()

    assert [room.overruled for room in folder.rooms.values()] == (
        [] if fault else [("HANGBOT_OUTBOX",) if own != said else ()]
    )
    assert fault in "".join(folder.faulty.values())

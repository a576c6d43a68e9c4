"""What workers write into the register is read by other versions, and what is no entry is none."""

import json
import zlib
from dataclasses import replace
from typing import Any

import pytest

from hangbot.fleet.assignment import RoomFile
from hangbot.fleet.claim import Claim, Holder
from hangbot.fleet.entries import DrainWish, Folder, RoomWish, WorkerEntry, digest_of
from hangbot.fleet.picture import picture_of
from hangbot.fleet.streams import Entry

SINCE = 1_800_000_000.0
WORKER = WorkerEntry(
    "run", "host", 7, "1.0", 1, SINCE, 5, rooms=2, folder="0123456789abcdef", refuses={"key": "newer"}
)
MANY = Folder(
    {f"key-{n}": RoomFile(f"room-{n}", "0123456789abcdef") for n in range(500)}, {"broken": "a fault"}
)


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(WORKER, id="worker"),
        pytest.param(replace(WORKER, most=None, draining=True), id="draining worker"),
        pytest.param(MANY, id="large folder"),
        pytest.param(Folder(), id="empty folder"),
        pytest.param(RoomWish("north"), id="move"),
        pytest.param(RoomWish(off="kicked"), id="off"),
        pytest.param(DrainWish("run"), id="drain"),
    ],
)
def test_an_entry_is_read_as_it_was_written_and_with_what_a_later_version_adds(entry: Any) -> None:  # noqa: ANN401  any
    data = entry.to_bytes()

    assert type(entry).from_bytes(data) == entry
    if data.startswith(b"{"):
        later = json.loads(data) | {"later": [1]}
        assert type(entry).from_bytes(json.dumps(later).encode()) == entry


@pytest.mark.parametrize("kind", [WorkerEntry, Folder, RoomWish, DrainWish, Claim])
@pytest.mark.parametrize("data", [b"", b"?", b"[]", b"\x78nothing", b'"text"', b"[" * 100_000])
def test_what_is_no_entry_is_none(kind: Any, data: bytes) -> None:  # noqa: ANN401  any
    assert kind.from_bytes(data) is None


@pytest.mark.parametrize("kind", [WorkerEntry, Folder, DrainWish, Claim])
def test_an_entry_that_lacks_something_is_none(kind: Any) -> None:  # noqa: ANN401  any
    assert kind.from_bytes(b'{"rooms":[1]}') is None


ODD = ("1e999", "-1e999", "NaN", "-5", "1e300", '"x"', '"\\ud800"', "null", "true", "[]", "[[]]", '{"a":1}')


@pytest.mark.parametrize(
    ("subject", "entry"),
    [
        pytest.param("worker.north", WORKER, id="worker"),
        pytest.param("folder.north", Folder({"k": RoomFile("red", "d")}, {"b": "f"}), id="folder"),
        pytest.param("wish.k", RoomWish("north"), id="wish"),
        pytest.param("lease.k", Claim("k", "red", Holder("north", "r", "h", 7), "id", 1.0), id="lease"),
    ],
)
def test_whoever_wrote_an_entry_it_ends_nobody_who_reads_it(subject: str, entry: Any) -> None:  # noqa: ANN401  any
    others = [
        Entry("worker.south", 1, WORKER.to_bytes()),
        Entry("folder.south", 2, Folder({"k": RoomFile("red", "d")}).to_bytes()),
    ]
    fields = json.loads(entry.to_bytes())

    for name in fields:
        for odd in ODD:
            data = json.dumps(fields | {name: "HERE"}).replace('"HERE"', odd).encode()

            shown = picture_of([*others, Entry(subject, 3, data)]).to_json()

            assert json.dumps(shown)


@pytest.mark.parametrize("size", [80_000_000, 100])
def test_what_is_compressed_without_measure_or_end_is_none(size: int) -> None:
    packing = zlib.compressobj(9)
    piece = min(size, 10_000_000)
    data = b"".join(packing.compress(b" " * piece) for _ in range(min(size // piece, 8)))

    assert Folder.from_bytes(data + packing.flush(zlib.Z_SYNC_FLUSH)) is None


def test_a_large_folder_takes_little_room() -> None:
    assert len(MANY.to_bytes()) < 10_000


def test_a_picture_shows_rooms_without_workers_by_the_folders_that_are_left() -> None:
    folder = Folder({"key": RoomFile("red", "d")})
    picture = picture_of([Entry("folder.north", 1, folder.to_bytes()), Entry("worker.north", 2, None)])

    assert picture.to_json() == {
        "rooms": [
            {
                "room": "red",
                "owner": None,
                "ready": False,
                "queued": None,
                "since": None,
                "why": "no worker runs",
            }
        ],
        "workers": [],
    }


def test_a_room_without_an_owner_says_what_keeps_workers_from_it() -> None:
    folder = Entry("folder.north", 2, Folder({"k1": RoomFile("red", "d")}).to_bytes())

    def why(*workers: WorkerEntry) -> str:
        entries = [Entry("worker.north", 1, worker.to_bytes()) for worker in workers]
        return picture_of([*entries, folder]).rooms["k1"].why

    assert why() == "no worker runs"
    assert why(replace(WORKER, draining=True)) == "every worker drains"
    assert why(replace(WORKER, draining=False)) == "no worker has taken it yet"


def test_a_picture_shows_owners_and_what_is_wrong() -> None:
    north = Holder("north", "run", "host", 7)
    folder = Folder({"k1": RoomFile("red", "d"), "k2": RoomFile("blue", "d")}, {"broken": "a fault"})
    entries = [
        Entry("worker.north", 1, WORKER.to_bytes()),
        Entry("folder.north", 2, folder.to_bytes()),
        Entry(
            "lease.k1", 3, Claim("k1", "red", north, "id", 1_800_000_000.0, ready=True, queued=4).to_bytes()
        ),
        Entry("lease.k2", 4, Claim("k2", "blue", north, "id", 1_800_000_000.0).given_up().to_bytes()),
        Entry("lease.k3", 5, Claim("k3", "gone", north, "id", 1_800_000_000.0, why="slow").to_bytes()),
        Entry("wish.k2", 6, RoomWish(off="kicked").to_bytes()),
    ]

    shown = picture_of(entries).to_json()

    rows = {row["room"]: row for row in shown["rooms"]}
    assert rows["red"] == {
        "room": "red",
        "owner": {"worker": "north", "host": "host", "pid": 7},
        "ready": True,
        "queued": 4,
        "since": "2027-01-15T08:00:00Z",
        "why": None,
    }
    assert (rows["blue"]["owner"], rows["blue"]["why"]) == (None, "kicked")
    assert rows["gone"]["why"] == "slow"
    assert (rows["broken"]["owner"], rows["broken"]["why"]) == (None, "a fault")
    assert shown["workers"] == [
        {
            "worker": "north",
            "host": "host",
            "pid": 7,
            "version": "1.0",
            "since": "2027-01-15T08:00:00Z",
            "rooms": 2,
            "most": 5,
            "draining": False,
        }
    ]


def test_a_picture_shares_the_rooms_out_as_the_workers_do() -> None:
    folder = Folder({"k1": RoomFile("red", "d"), "k2": RoomFile("blue", "d")})
    worker = replace(WORKER, most=1, folder=digest_of(folder.to_bytes()))

    def crowded(*wishes: Entry, refuses: dict[str, str] | None = None) -> set[str]:
        entries = [
            Entry("worker.north", 1, replace(worker, refuses=refuses or {}).to_bytes()),
            Entry("folder.north", 2, folder.to_bytes()),
        ]
        rows = picture_of([*entries, *wishes]).rooms.values()
        return {row.name for row in rows if row.why == "no worker has a place for it"}

    first, second = (Entry(f"wish.{key}", 3, RoomWish("north").to_bytes()) for key in ("k1", "k2"))
    off = Entry("wish.k1", 3, RoomWish(off="kicked").to_bytes())

    assert (crowded(first), crowded(second)) == ({"blue"}, {"red"})
    assert crowded(off) == set()
    assert crowded(refuses={"k1": "a newer hangbot wrote it"}) == set()

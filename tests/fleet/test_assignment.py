"""Every room has at most one worker, places are kept to, and only what has to moves."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangbot.fleet.assignment import Member, RoomFile, assign

NAMES = st.text("abcdef-0123456789", min_size=1, max_size=8)


def folder(rooms: int, digest: str = "d") -> dict[str, RoomFile]:
    return {f"key-{n}": RoomFile(f"room-{n}", digest) for n in range(rooms)}


def workers(*names: str, rooms: int, most: int | None = None) -> list[Member]:
    return [Member(name, folder(rooms), most) for name in names]


def moved(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, tuple[str | None, str | None]]:
    rooms = before.keys() | after.keys()
    return {
        room: (before.get(room), after.get(room)) for room in rooms if before.get(room) != after.get(room)
    }


@st.composite
def fleets(draw: st.DrawFn) -> list[Member]:
    names = draw(st.lists(NAMES, min_size=1, max_size=6, unique=True))
    rooms = draw(st.integers(0, 25))
    return [
        Member(
            name,
            folder(rooms),
            draw(st.none() | st.integers(0, 12)),
            draining=draw(st.integers(0, 4)) == 0,
            refuses=draw(st.frozensets(st.sampled_from([*folder(rooms)]), max_size=3))
            if rooms
            else frozenset(),
        )
        for name in names
    ]


@given(fleets())
def test_places_are_kept_to_and_none_is_free_while_a_room_has_none(members: list[Member]) -> None:
    plan = assign(members)

    load = Counter(plan.owners.values())
    by_name = {member.name: member for member in members}
    for room, owner in plan.owners.items():
        assert not by_name[owner].draining
        assert room not in by_name[owner].refuses
    for member in members:
        assert member.most is None or load[member.name] <= member.most
    for room in plan.crowded:
        assert room not in plan.owners
        for member in members:
            if not member.draining and room not in member.refuses:
                assert member.most is not None
                assert load[member.name] == member.most
    takers = [member for member in members if not member.draining]
    every = [*plan.owners, *plan.crowded, *plan.refused]
    assert sorted(every) == sorted(takers[0].folder if takers else ())


@given(fleets().flatmap(lambda members: st.tuples(st.just(members), st.permutations(members))))
def test_every_worker_comes_to_the_same(both: tuple[list[Member], list[Member]]) -> None:
    members, shuffled = both

    assert assign(shuffled) == assign(members)


@given(st.lists(NAMES, min_size=2, max_size=6, unique=True), st.integers(0, 60))
def test_of_a_worker_that_goes_only_its_rooms_move(names: list[str], rooms: int) -> None:
    before = assign(workers(*names, rooms=rooms)).owners
    after = assign(workers(*names[1:], rooms=rooms)).owners

    assert all(owner == names[0] for owner, _ in moved(before, after).values())


@given(st.lists(NAMES, min_size=2, max_size=6, unique=True), st.integers(0, 60))
def test_to_a_worker_that_comes_rooms_move_and_nowhere_else(names: list[str], rooms: int) -> None:
    before = assign(workers(*names[1:], rooms=rooms)).owners
    after = assign(workers(*names, rooms=rooms)).owners

    assert all(owner == names[0] for _, owner in moved(before, after).values())


def test_rooms_are_spread_evenly() -> None:
    load = Counter(assign(workers("north", "south", "east", "west", rooms=2000)).owners.values())

    assert len(load) == 4
    assert all(430 < rooms < 570 for rooms in load.values())


def test_a_wish_is_obeyed_before_everything_and_while_its_worker_is_there() -> None:
    members = workers("north", "south", rooms=10, most=5)
    before = assign(members).owners
    room = next(room for room, owner in before.items() if owner == "north")

    wished = assign(members, {room: "south"}).owners
    without = assign(
        [replace(members[1], draining=True), replace(members[0], most=None)], {room: "south"}
    ).owners

    assert wished[room] == "south"
    assert Counter(wished.values()) == {"north": 5, "south": 5}
    assert without[room] == "north"


def test_with_more_rooms_than_places_the_rest_is_named() -> None:
    plan = assign(workers("north", "south", rooms=10, most=3))

    assert Counter(plan.owners.values()) == {"north": 3, "south": 3}
    assert len(plan.crowded) == 4


def test_a_room_that_no_worker_can_read_is_named_with_what_is_to_be_done() -> None:
    members = [replace(member, refuses=frozenset({"key-0"})) for member in workers("north", "south", rooms=2)]
    members.append(Member("gone", {}, draining=True))

    plan = assign(members)

    assert [*plan.owners] == ["key-1"]
    assert "a newer hangbot wrote its records" in plan.refused["key-0"]
    assert plan.crowded == ()


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        pytest.param(
            {}, "room-0.env is in the folder of worker north and not in that of south", id="lacking"
        ),
        pytest.param(
            folder(1, "e"), "room-0.env differs between the folders of workers north and south", id="content"
        ),
        pytest.param(
            {"key-0": RoomFile("blue", "d")},
            "workers north and south have files of other names for one room: room-0.env, and blue.env",
            id="name",
        ),
    ],
)
def test_a_room_whose_files_differ_is_named_by_both_and_not_taken(
    other: dict[str, RoomFile], sentence: str
) -> None:
    plan = assign([Member("south", other), Member("north", folder(1))])

    assert plan.refused == {"key-0": sentence}
    assert plan.owners == {}


def test_the_folder_of_a_worker_that_drains_is_not_looked_at() -> None:
    plan = assign([Member("south", {}, draining=True), Member("north", folder(1))])

    assert plan.owners == {"key-0": "north"}


def test_without_workers_nothing_has_an_owner() -> None:
    assert assign([]).owners == {}


def test_a_fleet_of_a_hundred_workers_is_spread_as_evenly_and_with_ten_gone_only_their_rooms_move() -> None:
    names = [f"worker-{n}" for n in range(100)]

    before = assign(workers(*names, rooms=2000)).owners
    after = assign(workers(*names[10:], rooms=2000)).owners

    load = Counter(before.values())
    assert len(load) == 100
    assert all(5 < rooms < 40 for rooms in load.values())
    assert {owner for owner, _ in moved(before, after).values()} == set(names[:10])


def test_the_weights_stay_what_they_were_so_that_workers_of_two_versions_agree() -> None:
    plan = assign(workers("north", "south", "east", "west", rooms=8))

    expected = ["east", "south", "east", "west", "west", "south", "south", "east"]
    assert [plan.owners[f"key-{n}"] for n in range(8)] == expected

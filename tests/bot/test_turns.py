from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from hangbot.bot.turns import Turns


def put_all(turns: Turns[int], lines: str) -> str:
    """Queue a line of each user named by a letter; return who was refused."""
    return "".join(user for number, user in enumerate(lines) if not turns.put(user, number))


def take(turns: Turns[int]) -> tuple[str, int]:
    turn = turns.begin()
    assert turn is not None
    return turn


def test_a_users_lines_come_in_order_one_at_a_time_and_users_in_turn() -> None:
    turns = Turns[int](100)
    put_all(turns, "aaab")

    first, second = take(turns), take(turns)
    nothing = turns.begin()
    turns.done("a")
    third = take(turns)

    assert (first, second, nothing, third) == (("a", 0), ("b", 3), None, ("a", 1))


def test_a_user_who_floods_leaves_places_for_every_other_one() -> None:
    turns = Turns[int](12)

    assert put_all(turns, "a" * 20) == "a" * 14
    assert put_all(turns, "b" * 20) == "b" * 17
    assert put_all(turns, "cdef") == "f"
    assert len(turns) == 12


def test_a_user_who_was_refused_has_room_again_with_half_the_places_that_are_free() -> None:
    turns = Turns[int](8)
    assert put_all(turns, "aaaaabbb") == "ab"

    again = [(user, turns.done(user)) for user, _ in (take(turns) for _ in range(4))]

    assert again == [("a", False), ("b", True), ("a", True), ("b", False)]
    assert not turns.refusing


def test_a_user_without_a_place_has_room_again_when_some_places_are_free() -> None:
    turns = Turns[int](40)
    put_all(turns, "".join(chr(0x100 + number) for number in range(40)))
    assert put_all(turns, "z") == "z"

    again = [turns.done(take(turns)[0]) for _ in range(2)]

    assert again == [False, True]
    assert put_all(turns, "z") == ""


class Model:
    """What a queue of turns is to be like, in the plainest way."""

    def __init__(self) -> None:
        self.taken: dict[str, list[int]] = defaultdict(list)
        self.begun: dict[str, list[int]] = defaultdict(list)
        self.running: set[str] = set()


@given(st.integers(1, 30), st.lists(st.sampled_from(["put a", "put b", "put c", "begin", "done"])))
def test_whatever_comes_is_bounded_and_each_user_is_served_in_order(limit: int, steps: list[str]) -> None:
    turns, model = Turns[int](limit), Model()

    for number, step in enumerate(steps):
        match step.split():
            case ["put", user]:
                if turns.put(user, number):
                    model.taken[user].append(number)
                else:
                    assert turns.refusing
            case ["begin"] if turn := turns.begin():
                user, line = turn
                assert user not in model.running
                model.running.add(user)
                model.begun[user].append(line)
            case ["done"] if model.running:
                user = min(model.running)
                model.running.discard(user)
                turns.done(user)
        assert len(turns) <= limit

    while model.running or turns.waiting:
        for user in sorted(model.running):
            turns.done(user)
        model.running.clear()
        if turn := turns.begin():
            model.running.add(turn[0])
            model.begun[turn[0]].append(turn[1])
    assert model.begun == model.taken
    assert len(turns) == 0
    assert not turns.refusing

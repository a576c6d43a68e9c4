"""Who has to wait, and how long. PURE."""

from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from hangbot.app.commands import Command, make_command
from hangbot.app.context import Context
from hangbot.app.cooldowns import Cooldowns, Wait


async def skip(ctx: Context) -> None: ...


def command(name: str = "skip", cooldown: float = 10.0) -> Command:
    return make_command(name, skip, {"cooldown": cooldown})


USES: Final = st.tuples(st.sampled_from("abc"), st.sampled_from(["skip", "hug"]), st.floats(0, 7))


@given(st.lists(USES, max_size=50))
def test_two_uses_by_one_user_are_never_nearer_than_the_cooldown(uses: list[tuple[str, str, float]]) -> None:
    cooldowns, commands = Cooldowns(), {name: command(name) for name in ("skip", "hug")}
    now, used = 0.0, dict[tuple[str, str], float]()

    for user, name, later in uses:
        now += later
        wait = cooldowns.begin(commands[name], user, now)
        last = used.get((user, name))
        if wait is None:
            assert last is None or now - last >= 10 - 1e-9
            used[user, name] = now
        else:
            assert last is not None
            assert abs(last + 10 - now - wait.seconds) < 1e-9


def test_the_first_refusal_is_told_the_others_are_not() -> None:
    cooldowns = Cooldowns()

    waits = [cooldowns.begin(command(), "a", now) for now in (0.0, 1.0, 2.0, 10.0, 11.0)]

    assert waits == [None, Wait(9.0, first=True), Wait(8.0, first=False), None, Wait(9.0, first=True)]


def test_what_has_none_is_never_refused_and_memory_has_a_bound() -> None:
    cooldowns = Cooldowns()

    assert not any(cooldowns.begin(command(cooldown=0), "a", 0.0) for _ in range(3))
    assert not any(cooldowns.begin(command(), f"user {number}", 0.0) for number in range(10_001))

    assert cooldowns.begin(command(), "user 0", 1.0) is None  # forgotten, for the newest ten thousand
    assert cooldowns.begin(command(), "user 10000", 1.0) == Wait(9.0, first=True)

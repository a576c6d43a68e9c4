"""An app that is a file: `hangbot-app.toml` beside the configuration."""

from pathlib import Path

import pytest

from hangbot.app.without_code import app_of_file
from hangbot.errors import HangbotError
from pytest_hangfm import OpenApp

FILE = """
greeting = "Welcome to {room}, {name}!"
vote = "like"

[commands]
rules = "One song each, {name}."
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "hangbot-app.toml"
    path.write_text(FILE, encoding="utf-8")
    return path


async def test_it_answers_greets_once_and_votes(hangfm_app: OpenApp, path: Path) -> None:
    bot = await hangfm_app(app_of_file(path))

    await bot.user.say("/rules")
    await bot.expect("One song each, alice.")
    bob = bot.sandbox.users.add("bob")
    await bob.join()
    await bot.expect(", bob!")
    await bob.leave()
    await bot.advance(minutes=1)
    await bob.join()
    await bot.user.dj()
    await bot.advance(minutes=1)

    assert len(bot.texts) == 2
    assert bot.sandbox.state["voteCounts"]["likes"] == 1


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("greting = 'hi'", "there is no greting; did you mean greeting?"),
        ("vote = 'maybe'", "vote: Input should be 'like' or 'dislike'"),
        ("greeting = 'hi {nick}'", "{nick} in 'hi {nick}' stands for nothing"),
        ("greeting = 'hi {'", "'hi {'"),
        ("greeting = ", "is no TOML"),
        ("[commands]\n'two words' = 'hi'", "is no name of a command"),
    ],
)
def test_what_it_may_not_hold_is_one_line(path: Path, written: str, says: str) -> None:
    path.write_text(written, encoding="utf-8")

    with pytest.raises(HangbotError) as raised:
        app_of_file(path)

    assert says in str(raised.value)

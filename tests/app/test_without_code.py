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
        ("greeting = 'hi {name:>99999999999}'", "{name:>99999999999} in 'hi"),
        ("greeting = 'hi {name!z}'", "{name!z} in 'hi {name!z}' stands for nothing"),
        ("greeting = ''", "hangbot-app.toml: '': the text is empty"),
        ("[commands]\na = '" + "x" * 10_000 + "'", "would take more than 10 messages"),
        ('[commands]\na = "\\u0000"', "the text holds a NUL character"),
        ("[commands]\na = 'x'\nA = 'y'", "hangbot-app.toml: /A is the name of two commands"),
        ("prefix = ''", "hangbot-app.toml: the prefix '' is empty"),
        ("a = " + "[" * 5_000, "is no TOML"),
        ("greeting = ", "is no TOML"),
        ("[commands]\n'two words' = 'hi'", "is no name of a command"),
    ],
)
def test_what_it_may_not_hold_is_one_line(path: Path, written: str, says: str) -> None:
    path.write_text(written, encoding="utf-8")

    with pytest.raises(HangbotError) as raised:
        app_of_file(path)

    assert says in str(raised.value)
    assert "hangbot.app" not in str(raised.value)


def test_a_file_of_an_editor_that_marks_utf_8_is_read(path: Path) -> None:
    path.write_text(FILE, encoding="utf-8-sig")

    assert app_of_file(path).check().named("rules")

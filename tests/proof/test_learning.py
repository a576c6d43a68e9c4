"""What a bot does is learnt, whatever its habits: a prefix, names, chance, pictures, a cool-down."""

import sys
from pathlib import Path
from typing import Final

import pytest

from pytest_hangfm.proof.bot_process import BotProgram
from pytest_hangfm.proof.learning import learn
from pytest_hangfm.proof.profile import Profile
from pytest_hangfm.proof.wording import common_answer, part_of, telling_line, words_of
from tests.cases import cases

BOT: Final = Path(__file__).parents[2] / "examples" / "bot.py"
IS_ASKED: Final = 'row["data"].get("text") == "/ping"'
SAYS: Final = 'line(own, "pong")'
EXCHANGES: Final = '(await http.get(exchange, headers=bearer)).raise_for_status().json()["cometAuthToken"]'
SELDOM: Final = """
import random, time
asked: dict[str, float] = {}


def may_ask(row: dict[str, str]) -> bool:
    before = asked.get(row["sender"], 0)
    asked[row["sender"]] = time.monotonic()
    return time.monotonic() - before > 8
"""
WHISPERS: Final = (
    (
        'f"{GROUP}/messages", params={"per_page": 50, "affix": "append", "id": last}',
        'f"{CHAT}/conversations", params={"conversationType": "user"}',
    ),
    ('page.raise_for_status().json()["data"]:', 'newer(page.raise_for_status().json()["data"], last):'),
    (SAYS, 'line(own, "at your service") | {"receiver": row["sender"], "receiverType": "user"}'),
)
NEWER: Final = """
def newer(conversations, last):
    rows = [each["lastMessage"] for each in conversations]
    return sorted((row for row in rows if int(row["id"]) > last), key=lambda row: int(row["id"]))
"""


def changed(*changes: tuple[str, str], more: str = "") -> str:
    """The example, with other habits."""
    source = BOT.read_text("utf-8")
    for before, after in changes:
        assert before in source
        source = source.replace(before, after)
    return source.replace("\n\n\n", f"\n{more}\n\n", 1)


async def learnt(argv: tuple[str, ...], folder: Path, source: str) -> Profile:
    (folder / "bot.py").write_text(source, "utf-8")
    return (await learn(BotProgram.of(argv, folder, {}))).profile


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_an_answer_with_a_mention_and_chance_in_it_is_learnt_of_a_bot_that_answers_each_person_seldom(
    tmp_path: Path,
) -> None:
    text = (
        """f"<@uid:{row['sender']}> I know .roll and .help ({random.random()}, {random.choice('abcd')})" """
    )
    source = changed(
        (IS_ASKED, 'row["data"].get("text") == ".help" and may_ask(row)'),
        (SAYS, f"line(own, {text})"),
        more=SELDOM,
    )

    profile = await learnt((sys.executable, "bot.py"), tmp_path, source)

    assert (profile.says, profile.answers, profile.cooldown > 0) == (
        ".help",
        "@ i know .roll and .help (",
        True,
    )


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_a_bot_that_shows_pictures_with_a_chat_token_of_its_settings_is_learnt(tmp_path: Path) -> None:
    shown = '"userName": "bot"'
    picture = f'{shown}, "imageUrls": ["https://pictures.invalid/pong.gif"]'
    given = 'os.environ["COMETCHAT_AUTH"]'
    source = changed((SAYS, 'line(own, "")'), (shown, picture), (EXCHANGES, given))

    profile = await learnt((sys.executable, "bot.py"), tmp_path, source)

    assert (profile.says, profile.answers) == ("/ping", "https://pictures.invalid/pong.gif")
    assert (profile.chat_token, profile.cooldown) == (True, 0)


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_a_bot_that_answers_nothing_but_direct_messages_is_asked_by_them(tmp_path: Path) -> None:
    source = changed(*WHISPERS, more=NEWER)

    profile = await learnt((sys.executable, "bot.py"), tmp_path, source)

    assert (profile.says, profile.answers) == ("/ping", "at your service")
    assert profile.direct_only
    assert profile.direct


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_words_by_chance_that_were_the_same_at_first_are_no_answer_but_what_they_share_is(
    tmp_path: Path,
) -> None:
    moods = "import itertools\nMOODS = itertools.cycle(['hey', 'hey', 'ouch', 'hey', 'hey', 'nice'])\n"
    source = changed((SAYS, 'line(own, f"pong {next(MOODS)}")'), more=moods)

    profile = await learnt((sys.executable, "bot.py"), tmp_path, source)

    assert (profile.says, profile.answers) == ("/ping", "pong")


@cases(
    "samples answer",
    ("the-line-that-is-in-each", [["welcome @!", "pong"], ["pong"], ["pong"]], "pong"),
    ("no-number-that-may-become-two", [["up for # s"], ["up for # s"]], "up for"),
    ("a-line-twice-is-no-answer", [["pong", "pong"], ["pong"]], ""),
    ("by-chance", [["yes"], ["no"]], ""),
)
def test_what_stands_once_in_each_answer_is_the_answer(samples: list[list[str]], answer: str) -> None:
    assert common_answer(*samples) == answer


@cases(
    "texts part",
    ("the-beginning", ["pong, nice", "pong, ouch", "pong, wow"], "pong,"),
    ("too-short", ["🎱 yes", "🎱 no"], ""),
    ("nothing-said", [], ""),
)
def test_answers_by_chance_have_a_part_in_common_that_says_enough(texts: list[str], part: str) -> None:
    assert part_of(texts) == part


def test_commands_are_read_in_a_bots_own_lines_the_harmless_first_and_those_of_chance_last() -> None:
    lines = ["try .roll, .about or !kick me", "see https://hang.fm/help; /Help"]

    assert words_of(lines) == [".about", "/help", ".roll"]


@cases(
    "lines telling",
    (
        "of-node",
        ["node:internal", "Error: Cannot find module 'ws'", "    at x", "}", "", "Node.js v20.1.0"],
        "Error: Cannot find module 'ws'",
    ),
    ("of-its-own", ["TypeError: odd", "no settings: give ROOM_UUID"], "no settings: give ROOM_UUID"),
)
def test_the_line_that_tells_why_a_bot_ended_is_not_the_name_of_its_runtime(
    lines: list[str], telling: str
) -> None:
    assert telling_line(lines) == telling

"""The files of a bundle besides the journal."""

import json

from hangbot.config import Settings
from hangbot.config.settings import Row
from hangbot.incident.contents import Found, files
from hangbot.incident.disguise import Disguise
from hangbot.incident.own_words import own_words
from tests.cases import cases

ROOM = "1d0a1c9a-8b1a-4b7a-9a63-000000000001"


def shown(name: str, value: str) -> str:
    found = Found([Row(name, value, "environment")], {}, {})
    (row,) = json.loads(files(found, Disguise(b"a key", own_words()))["config.json"])["settings"]
    return str(row["value"])


@cases(
    "name value",
    ("a number", "STAGE_RETRY_TOTAL_MS", "300000000"),
    ("a fraction", "STAGE_RETRY_BACKOFF_FACTOR", "2.0"),
    ("a word", "STAGE_RETRY_STRATEGY", "equal"),
    ("a switch", "AUTO_JOIN", "true"),
    ("a secret", "BOT_USER_TOKEN", "<masked>"),
    ("Hang.fm itself", "OPENCHAT_BASE_URL", "https://openchat.prod.tt.fm"),
    ("this machine", "SOCKET_SERVER_URL", "http://127.0.0.1:4001"),
)
def test_a_setting_that_a_replay_needs_stays(name: str, value: str) -> None:
    assert shown(name, value) == value


@cases(
    "name value",
    ("a room", "ROOM_UUID", ROOM),
    ("a name", "BOT_NAME", "Ottokar the Bot"),
    ("a path", "HANGBOT_OUTBOX", "/home/ottokar/bots/outbox.sqlite3"),
    ("a server of one's own", "OPENCHAT_BASE_URL", "https://chat.ottokar.example"),
    ("one that looks like Hang.fm", "OPENCHAT_BASE_URL", "https://ottokar.prod.tt.fm/x"),
    ("a setting that is not known", "HANGBOT_SOMETHING", "ottokars_bot:hear"),
)
def test_a_setting_about_a_person_is_replaced(name: str, value: str) -> None:
    said = shown(name, value)

    assert "ttokar" not in said.casefold()
    assert said != value
    assert len(said) == len(value)


def test_what_a_check_heard_is_replaced_in_what_it_says() -> None:
    heard = [{"t": 0.0, "kind": "in", "conn": 1, "json": {"state": {"settings": {"name": "The Quiet Room"}}}}]
    preflight = {"checks": [{"id": "room.join", "message": 'the bot is in "The Quiet Room" with 3 others'}]}
    settings = Settings(bot_user_token="a-token-of-a-test", room_uuid=ROOM)
    found = Found(settings.described(), {}, {}, preflight=preflight, heard=heard)

    made = files(found, Disguise(b"a key", own_words()))

    (check,) = json.loads(made["preflight.json"])["checks"]
    assert "Quiet" not in check["message"]
    assert check["message"].endswith('" with 3 others')
    assert "a-token-of-a-test" not in "".join(text.decode() for text in made.values())

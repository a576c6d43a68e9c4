"""What may be about a person is replaced, the same by the same; what a replay needs stays."""

import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hangbot.incident.disguise import Disguise
from hangbot.incident.log_lines import disguised_line
from hangbot.incident.own_words import own_words
from hangbot.incident.rows import disguised
from tests.cases import rows

UUID = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
PERSONAL = (
    *("Ottokar", "ottokar@example.org", "+4917012345678", "Łukasz", "🦄🦄", "Zaphod Beeblebrox"),
    *("b3R0b2thcg==", "https://pics.example.org/u/ottokar.png?sig=c2lnbmVk", "Serenade for Ottokar"),
)


def made() -> Disguise:
    return Disguise(b"a key", own_words())


def row(kind: str, **values: Any) -> dict[str, Any]:  # noqa: ANN401  any values of a row
    (done,) = disguised([{"t": 1.5, "kind": kind, **values}], made())
    return done


@rows(
    "frame",
    ({"message": {"name": "playedSong", "params": {"PERSONAL": ["PERSONAL", {"PERSONAL": "PERSONAL"}]}}},),
    ({"error": "PERSONAL is no member", "context": "response", "messageId": 3},),
    (
        {
            "data": {
                "text": "PERSONAL",
                "metadata": {"chatMessage": {"userName": "PERSONAL", "unheard of": "PERSONAL"}},
            }
        },
    ),
    ({"op": "add", "path": "/allUserData/PERSONAL/songVotes/PERSONAL", "value": "PERSONAL"},),
    ({"op": "move", "path": "/djs/0", "from": "/PERSONAL/1"},),
    ({"receiverType": "user", "data": {"text": "PERSONAL", "attachments": [{"url": "PERSONAL"}]}},),
    (["PERSONAL", [["PERSONAL"]]],),
    ("PERSONAL",),
)
def test_nothing_about_a_person_is_left_in_a_frame(frame: object) -> None:
    for personal in PERSONAL:
        whole = json.loads(json.dumps(frame).replace("PERSONAL", personal))

        written = json.dumps(row("in", conn=1, json=whole), ensure_ascii=False)

        assert personal not in written
        assert "ttokar" not in written.casefold()
        assert "PERSONAL" not in written


TEXTS = st.text("ABCDEFGH .-_🦄", min_size=4)
KEYS = st.text("IJKLMN_", min_size=4)


@given(st.recursive(TEXTS, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner)))
def test_of_any_frame_only_the_protocols_words_are_left(value: Any) -> None:  # noqa: ANN401  any JSON value
    written = json.dumps(made().value(value), ensure_ascii=False)

    assert not set(_words(value)) & set(_words(json.loads(written)))


def _words(value: Any) -> list[str]:  # noqa: ANN401  any JSON value
    if isinstance(value, dict):
        return [*_words(list(value)), *_words(list(value.values()))]
    if isinstance(value, list):
        return [word for each in value for word in _words(each)]
    return [
        word for word in value.replace("_", " ").replace("-", " ").split() if len(word) > 3
    ]  # shorter ones may be drawn


def test_the_same_is_the_same_wherever_it_stands_and_as_long() -> None:
    disguise = made()
    uuid, name = disguise.id(UUID), disguise.text("Zaphod Beeblebrox")

    assert len(uuid) == len(UUID)
    assert uuid[14] == "4", "it is still of its version"
    assert len(name) == len("Zaphod Beeblebrox")
    assert disguise.id(UUID.replace("-", "")) == uuid.replace("-", "")
    assert disguise.id(f"group_{UUID}") == f"group_{uuid}"
    assert disguise.id("user_ottokar_bot-7") == f"user_{disguise.id('ottokar')}_{disguise.id('bot-7')}"
    target = f"/v3.0/groups/{UUID}/messages?per_page=50&affix=append&id=7&who=ottokar"
    assert disguise.target(target).startswith(f"/v3.0/groups/{uuid}/messages?per_page=50&affix=append&id=7&")
    assert disguise.value({"path": f"/allUserData/{UUID}/songVotes", "op": "add"})["path"] == (
        f"/allUserData/{uuid}/songVotes"
    )
    said = disguise.sentence(f"[SOCKET] not in the room (Zaphod Beeblebrox, {UUID}): next try in 4.3 s")
    assert said == f"[SOCKET] not in the room ({name}, {uuid}): next try in 4.3 s"


def test_the_name_of_a_room_is_replaced_although_hangbot_says_such_words_itself() -> None:
    disguise = made()
    disguise.value({"settings": {"name": "The Quiet Room", "slug": "outbox"}})

    said = disguise.sentence("[SOCKET] joined The Quiet Room, the outbox is written")

    assert "Quiet" not in said
    assert "outbox" not in said
    assert said.endswith("is written")


@rows(
    "text direct left",
    ("/skip 2", False, "/skip 2"),
    ("!queue on", False, "!queue on"),
    ("/skip 2", True, "xxxxxxx"),
    ("hello", True, "xxxxx"),
)
def test_commands_stay_and_of_direct_messages_only_the_length(text: str, direct: bool, left: str) -> None:  # noqa: FBT001  a case
    assert made().text(text, direct=direct) == left


def test_of_a_command_what_it_is_about_is_replaced() -> None:
    said = made().text("/play Serenade for 5 Ottokar")

    assert said.startswith("/play ")
    assert "Serenade" not in said
    assert "Ottokar" not in said
    assert " 5 " in said


def test_of_an_answer_only_what_a_bot_looks_at_is_left() -> None:
    headers = {
        "content-type": "text/html; charset=utf-8",
        "retry-after": "Sun, 29 Nov 2026 21:40:05 GMT",
        "set-cookie": "sid=ottokar",
        "location": "https://login.example.org/?user=ottokar",
    }

    done = row("answer", n=1, status=403, headers=headers, text="<!DOCTYPE html><p>Dear Ottokar")

    assert done["headers"]["content-type"] == headers["content-type"]
    assert done["headers"]["retry-after"] == headers["retry-after"]
    assert "set-cookie" not in done["headers"]
    assert done["text"].startswith("<!DOCTYPE html")
    assert len(done["text"]) == len("<!DOCTYPE html><p>Dear Ottokar")
    assert "ttokar" not in json.dumps(done).casefold()


def shown(logger: str, text: str) -> str:
    return str(disguised_line({"logger": logger, "text": text}, made())["text"])


@rows(
    "logger text left",
    ("mybot", "[ERROR] the room of Ottokar is closed", r"\[ERROR\]( [a-z]+){6}"),
    ("hangbot.delivery", "[SAID] the room is closed", r"\[SAID\]( [a-z]{2,6}){4}"),
    ("hangbot.bot", "[HEARD] The Room: the bot is closed", r"\[HEARD\] [a-z]{3} [a-z]{4}:( [a-z]+){4}"),
    (
        "hangbot.bot",
        "[HEARD] Bot, to the bot alone: 5 characters",
        r"\[HEARD\] [A-Z].., to the bot alone: 5 characters",
    ),
    ("hangbot.bot", "[HEARD] Ann: /skip 2", r"\[HEARD\] [A-Z][a-z]{2}: /skip 2"),
    ("hangbot.delivery", "[SAID] to alice: 12 characters", r"\[SAID\] to [a-z]{5}: 12 characters"),
    (
        "hangbot.bot",
        "[OK] the chat is heard by push",
        r"\[OK\] the chat is heard by push",
    ),
)
def test_what_was_said_is_in_no_line_of_the_log(logger: str, text: str, left: str) -> None:
    said = shown(logger, text)

    assert re.fullmatch(left, said), said
    assert len(said) == len(text)
    assert left.startswith(r"\[OK") or said != text


def test_of_a_traceback_only_what_is_hangbots_own_is_left() -> None:
    text = """[ERROR] the app failed on message 7
    Traceback (most recent call last):
      File "/home/ottokar/venv/lib/hangbot/bot/handler_calls.py", line 140, in _guarded
        await _Watched(call, self._clock, what)
      File "/home/ottokar/bots/ottokars_bot.py", line 12, in greet
        raise ValueError(f"the room of {name}")
    ValueError: the room of Ottokar"""

    said = shown("hangbot.bot.handler_calls", text)

    assert "ttokar" not in said.casefold()
    assert 'File "hangbot/bot/handler_calls.py", line 140, in _guarded' in said
    assert said.splitlines()[-1].startswith("    ValueError: ")
    assert "room of" not in said
    assert said.startswith("[ERROR] the app failed on message 7\n")

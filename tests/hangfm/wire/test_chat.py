"""Bodies that the chat is sent, and rows that it answers with; refusals: `test_chat_errors`."""

import dataclasses
import json
import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hangbot.bot.events import ChatMessage, DirectMessage
from hangbot.delivery.message import Outgoing
from hangbot.errors import ServiceError, Unavailable
from hangbot.hangfm.wire import chat, chat_errors
from hangbot.hangfm.wire.chat import read_message
from tests.cases import cases
from tests.hangfm.wire.documents import ANY_JSON, recorded

NOW = 1_795_347_777
ANSWERS = recorded("chat_answers.jsonl")


def read_answer(status: int, body: bytes) -> object:
    return chat.read_answer(status, {}, body, what="it", now=NOW)


# -- answers


@pytest.mark.parametrize(
    ("status", "answer"),
    [pytest.param(row["status"], row["answer"], id=f"{row['ask']} ({row['step']})") for row in ANSWERS],
)
def test_a_recorded_answer_is_read_for_what_it_is(status: int, answer: str) -> None:
    if status < 300:
        assert read_answer(status, answer.encode()) == json.loads(answer)["data"]
    else:
        with pytest.raises(ServiceError) as refused:
            read_answer(status, answer.encode())

        code = json.loads(answer)["error"]["code"] if answer else None
        assert refused.value.code == code
        assert type(refused.value) is (chat_errors.KINDS[code] if code else Unavailable)


def test_every_recorded_row_of_a_history_is_a_message() -> None:
    answers = [json.loads(row["answer"]) for row in ANSWERS if row["answer"]]
    lists = [answer["data"] for answer in answers if isinstance(answer.get("data"), list)]
    rows = [row for page in lists for row in page if isinstance(row, dict) and "conversationId" in row]

    messages = [read_message(row) for row in rows]

    assert len(messages) > 4
    for message, row in zip(messages, rows, strict=True):
        assert message is not None
        assert (message.id, message.sender, message.raw) == (row["id"], row["sender"], row)
        assert message.sent_at == row["sentAt"]


@pytest.mark.parametrize("status", [200, 201, 299])
def test_any_2xx_is_success(status: int) -> None:
    assert read_answer(status, b'{"data":[1]}') == [1]


@pytest.mark.parametrize("status", [417, 400])
def test_joined_already_is_success_in_disguise(status: int) -> None:
    assert read_answer(status, b'{"error":{"code":"ERR_ALREADY_JOINED","message":"uid has joined"}}') == {}


@cases(
    "body",
    ("empty", b""),
    ("a captive portal", b"<html>sign in</html>"),
    ("no data", b'{"success":true}'),
    ("a list", b'["data"]'),
    ("cut off", b'{"data":'),
    ("no UTF-8", b'{"data":"\xff"}'),
    ("deeper than the stack", b"[" * 200_000),
    ("a number too long to read", b"1" * 5_000),
)
def test_a_success_that_cannot_be_read_is_ambiguous(body: bytes) -> None:
    with pytest.raises(Unavailable) as unknown:
        read_answer(200, body)

    assert unknown.value.ambiguous
    assert len(str(unknown.value)) < 350


@settings(max_examples=40)
@given(st.integers(200, 599), st.binary() | ANY_JSON.map(lambda value: json.dumps(value).encode()))
@example(400, b'{"error":{"code":"ERR_BAD_REQUEST","details":{"x":[[]]}}}')
def test_no_answer_breaks_the_reader(status: int, body: bytes) -> None:
    with suppress(ServiceError):
        read_answer(status, body)


# -- bodies


def test_a_message_is_written_as_the_web_client_needs_it() -> None:
    mention = {"start": 0, "userNickname": "Peer", "userUuid": "peer"}
    message = Outgoing("id-1", "room-guid", "hi", mentions=[mention], images=["https://h/i.png"])
    line = {"id": "id-1", "message": "hi", "type": "user", "userName": "Bot", "userUuid": "bot"}
    lists = {"badges": ["BOT"], "mentions": [mention], "imageUrls": ["https://h/i.png"]}

    to = {"receiver": "room-guid", "receiverType": "group", "category": "message", "type": "text"}
    data = {"text": "hi", "metadata": {"chatMessage": {**line, **lists}}}
    assert chat.message_body(message, sender="bot", name="Bot") == {**to, "muid": "id-1", "data": data}


def test_a_direct_message_of_a_bot_without_a_known_name_leaves_the_names_out() -> None:
    body = chat.message_body(Outgoing("i", "peer", "hi", direct=True), sender=None, name=None)

    line = body["data"]["metadata"]["chatMessage"]  # type: ignore[index]  # a JSON document
    assert body["receiverType"] == "user"
    assert not {"userUuid", "userName"} & set(line)


def test_a_join_is_written_as_the_official_sdk_does() -> None:
    group = {"guid": "room-guid", "name": "name", "type": "public"}
    assert chat.join_body("room-guid") == group | {"hasJoined": False, "membersCount": 0, "isBanned": False}


# -- rows


def row(**changes: Any) -> dict[str, Any]:  # noqa: ANN401  parts of a JSON document
    return {"id": 7, "sender": "peer", "receiver": "room", "sentAt": NOW, "data": {"text": "hi"}} | changes


def read(**changes: Any) -> ChatMessage:  # noqa: ANN401  parts of a JSON document
    message = read_message(row(**changes))
    assert message is not None
    return message


def line(**fields: object) -> dict[str, Any]:
    """A row's data as the web client writes it."""
    return {"metadata": {"chatMessage": fields}}


def test_a_row_is_read_into_a_message() -> None:
    message = read(muid="m", category="custom", receiverType="user")

    expected = DirectMessage(7, "peer", "room", "hi", float(NOW), "m", "custom")
    assert dataclasses.replace(message, raw={}) == expected


def test_unknown_fields_are_kept_and_not_shown() -> None:
    message = read(reactions=["x"], category="", receiver={"guid": "g"})

    assert message.raw["reactions"] == ["x"]
    assert (message.category, message.receiver) == ("message", None)
    assert "reactions" not in repr(message)


@pytest.mark.parametrize(("value", "number"), [(51, 51), ("52", 52), (2**53, 2**53), ("0053", 53)])
def test_an_id_is_a_number_or_its_digits(value: object, number: int) -> None:
    assert read(id=value).id == number


@pytest.mark.parametrize(
    "odd",
    [
        *[row(id=odd) for odd in (None, True, 1.5, math.inf, math.nan, "", " 5 ", "1_000", "٣", "-5", [5])],
        row(id="9" * 5_000),
        *[{}, None, "row", [row()]],
    ],
)
def test_a_row_without_an_id_is_no_message(odd: object) -> None:
    assert read_message(odd) is None


ENTITY = {"entities": {"sender": {"entity": {"uid": "e"}}}}


@cases(
    "changes sender",
    ("an object", {"sender": {"uid": "a", "name": "A"}}, "a"),
    ("a uid", {"sender": "a"}, "a"),
    ("the entity", {"sender": None, "data": ENTITY}, "e"),
    ("the first counts", {"sender": "a", "data": ENTITY}, "a"),
    ("a forged line", {"sender": "a", "data": ENTITY | line(userUuid="m")}, "a"),
    ("a line that only claims it", {"sender": {}, "data": line(userUuid="m")}, None),
    ("an older payload that only claims it", {"sender": "", "data": {"customData": {"userUuid": "c"}}}, None),
    ("nowhere", {"sender": 5, "data": []}, None),
)
def test_the_sender_is_who_the_server_says(changes: dict[str, Any], sender: str | None) -> None:
    assert read(**changes).sender == sender


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        pytest.param(NOW, NOW, id="seconds"),
        pytest.param(1_795_347_777_123, 1_795_347_777.123, id="milliseconds"),
        pytest.param(100_000_000_000, 100_000_000_000, id="the last that are seconds"),
        *[(odd, 0) for odd in (0, None, "1795347777", True, math.inf, math.nan)],
        pytest.param(10**400, 0, id="beyond every float"),
    ],
)
def test_a_time_is_in_seconds_whatever_its_writer_used(value: object, seconds: float) -> None:
    assert read(sentAt=value).sent_at == seconds


@cases(
    "data text",
    ("text", {"text": "new", "customData": {"message": "old"}}, "new"),
    ("the older payload", {"customData": {"message": "old"}}, "old"),
    ("empty text is text", {"text": ""}, ""),
    ("no text", {"text": 5, "customData": {"message": 6}}, None),
    ("no data", None, None),
)
def test_the_text_is_read_from_both_kinds_of_line(data: object, text: str | None) -> None:
    assert read(data=data).text == text


@cases(
    "changes muid",
    ("muid", {"muid": "a"}, "a"),
    ("the chat line's id", {"data": line(id="b")}, "b"),
    ("muid first", {"muid": "a", "data": line(id="b")}, "a"),
    ("minus one, as some send", {"data": line(id=-1)}, None),
    ("metadata a list", {"data": {"metadata": ["chatMessage"]}}, None),
)
def test_the_senders_own_id_is_read_from_both_places(changes: dict[str, Any], muid: str | None) -> None:
    assert read(**changes).muid == muid


@settings(max_examples=40)
@given(
    st.dictionaries(
        st.sampled_from(["id", "sender", "receiver", "sentAt", "data", "muid", "category"]), ANY_JSON
    ).map(lambda odd: {"id": 1} | odd)
    | ANY_JSON
)
@example({"id": 1, "sentAt": -(10**400)})
def test_no_row_stops_a_poll(odd: object) -> None:
    message = read_message(odd)

    assert message is None or isinstance(message, ChatMessage)

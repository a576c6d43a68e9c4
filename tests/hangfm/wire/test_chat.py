import dataclasses
import json
import math
from contextlib import suppress
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hangbot import errors
from hangbot.bot.events import ChatMessage
from hangbot.delivery.message import Outgoing
from hangbot.errors import (
    NotAMember,
    NotFound,
    RateLimited,
    Refused,
    ServiceError,
    TokenRejected,
    Unavailable,
)
from hangbot.hangfm.wire import chat, chat_errors
from hangbot.hangfm.wire.chat import read_message

NOW = 1_795_347_777.0
SAMPLES = Path(__file__).parent / "samples"
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def refusal(
    status: int, code: object = None, *, headers: dict[str, str] | None = None, **error: object
) -> ServiceError:
    body = {} if code is None and not error else {"error": {"code": code, **error}}
    return raised(status, json.dumps(body).encode(), headers=headers)


def raised(status: int, body: bytes, *, headers: dict[str, str] | None = None) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        chat.read_answer(status, headers or {}, body, what="message m to room", now=NOW)
    assert caught.value.service == "chat"
    assert caught.value.status == status
    return caught.value


def recorded() -> list[Any]:
    lines = (SAMPLES / "chat_answers.jsonl").read_text().splitlines()
    about, *rows = [json.loads(line) for line in lines]
    assert about.keys() == {"recorded"}
    return [pytest.param(row["status"], row["answer"], id=f"{row['ask']} ({row['step']})") for row in rows]


@pytest.mark.parametrize(("status", "answer"), recorded())
def test_a_recorded_answer_is_read_for_what_it_is(status: int, answer: str) -> None:
    if status < 300:
        data = chat.read_answer(status, {}, answer.encode(), what="it", now=NOW)

        assert data == json.loads(answer)["data"]
    else:
        error = raised(status, answer.encode())

        code = json.loads(answer)["error"]["code"] if answer else None
        assert error.code == code
        assert type(error) is (chat_errors.KINDS[code] if code else Unavailable)


def test_every_recorded_row_of_a_history_is_a_message() -> None:
    lines = (SAMPLES / "chat_answers.jsonl").read_text().splitlines()
    answers = [json.loads(row["answer"]) for row in map(json.loads, lines) if "ask" in row and row["answer"]]
    lists = [answer["data"] for answer in answers if isinstance(answer.get("data"), list)]
    rows = [row for page in lists for row in page if isinstance(row, dict) and "conversationId" in row]

    messages = [read_message(row) for row in rows]

    assert len(messages) > 4
    for message, row in zip(messages, rows, strict=True):
        assert message is not None
        assert (message.id, message.sender, message.raw) == (row["id"], row["sender"], row)
        assert message.sent_at == row["sentAt"]


# Each code of the two servers' tables, with the status it was seen or documented with.
TABLE = [
    ("AUTH_ERR_EMPTY_APPID", 401, Refused, "COMETCHAT_APPID"),
    ("AUTH_ERR_INVALID_APPID", 401, Refused, "COMETCHAT_APPID"),
    ("AUTH_ERR_EMPTY_APIKEY", 401, Refused, "admin host"),
    ("AUTH_ERR_APIKEY_NOT_FOUND", 401, Refused, "apikey"),
    ("AUTH_ERR_APIKEY_NOT_FOUND", 404, Refused, "apikey"),
    ("AUTH_ERR_NO_ACCESS", 403, Refused, "own words"),
    ("AUTH_ERR_EMPTY_AUTH_TOKEN", 401, TokenRejected, "COMETCHAT_AUTH"),
    ("AUTH_ERR_AUTH_TOKEN_NOT_FOUND", 401, TokenRejected, "BOT_USER_TOKEN"),
    ("ERR_NO_AUTH", 401, TokenRejected, "BOT_USER_TOKEN"),
    ("ERR_FORBIDDEN", 403, Refused, "own words"),
    ("ERR_FORBIDDEN", 400, Refused, "own words"),
    ("ERR_AUTHTOKEN_UNAVAILABLE", 401, TokenRejected, "BOT_USER_TOKEN"),
    ("ERR_AUTHTOKEN_NOT_ACCESSIBLE", 403, TokenRejected, "BOT_USER_TOKEN"),
    ("ERR_UID_NOT_FOUND", 404, NotFound, "COMETCHAT_UID"),
    ("ERR_GUID_NOT_FOUND", 404, NotFound, "COMETCHAT_RECEIVER"),
    ("ERR_GUID_NOT_FOUND", 400, NotFound, "COMETCHAT_RECEIVER"),
    ("ERR_GROUP_NOT_JOINED", 401, NotAMember, "COMETCHAT_RECEIVER"),
    ("ERR_NOT_A_MEMBER", 404, NotAMember, "COMETCHAT_RECEIVER"),
    ("ERR_NOT_A_MEMBER", 400, NotAMember, "COMETCHAT_RECEIVER"),
    ("ERR_GROUP_JOIN_NOT_ALLOWED", 403, Refused, "room's owner"),
    ("ERR_EMPTY_GROUP_PASS", 400, Refused, "room's owner"),
    ("ERR_WRONG_GROUP_PASS", 400, Refused, "room's owner"),
    ("INVALID_PASSWORD", 400, Refused, "room's owner"),
    ("ERR_BANNED_GROUPMEMBER", 403, Refused, "moderator"),
    ("ERR_NO_VACANCY", 400, Refused, "full"),
    ("ERR_LIMIT_EXCEEDED", 400, Refused, "full"),
    ("ERR_GROUP_NO_CLEARANCE", 403, Refused, "moderator"),
    ("ERR_GROUP_NO_ADMIN_SCOPE", 403, Refused, "moderator"),
    ("ERR_GROUP_NO_MODERATOR_SCOPE", 403, Refused, "moderator"),
    ("ERR_GROUP_NO_SCOPE_CLEARANCE", 403, Refused, "moderator"),
    ("ERR_BAD_REQUEST", 400, Refused, "fault of hangbot"),
    ("MISSING_PARAMETERS", 400, Refused, "fault of hangbot"),
    ("INVALID_RECEIVERTYPE", 400, Refused, "fault of hangbot"),
    ("ERR_EMPTY_RECEIVER", 400, Refused, "fault of hangbot"),
    ("ERR_INVALID_RECEIVER_TYPE", 400, Refused, "fault of hangbot"),
    ("ERR_EMPTY_MESSAGE_TEXT", 400, Refused, "fault of hangbot"),
    ("ERR_INVALID_MESSAGE_TEXT", 400, Refused, "fault of hangbot"),
    ("ERR_INVALID_MESSAGE_DATA", 400, Refused, "fault of hangbot"),
    ("ERR_EMPTY_MESSAGE_CATEGORY", 400, Refused, "fault of hangbot"),
    ("ERR_INVALID_MESSAGE_CATEGORY", 400, Refused, "fault of hangbot"),
    ("ERR_EMPTY_MESSAGE_TYPE", 400, Refused, "fault of hangbot"),
    ("ERR_INVALID_MESSAGE_TYPE", 400, Refused, "fault of hangbot"),
    ("ERR_EMPTY_CUSTOM_DATA", 400, Refused, "fault of hangbot"),
    ("ERR_INVALID_CUSTOM_DATA", 400, Refused, "fault of hangbot"),
    ("ERR_INVALID_METADATA", 400, Refused, "fault of hangbot"),
    ("ERR_MESSAGE_ID_NOT_FOUND", 404, NotFound, "id"),
    ("ERR_MESSAGE_NOT_FOUND", 404, NotFound, "id"),
    ("ERR_MESSAGE_NOT_A_SENDER", 403, Refused, "own words"),
    ("ERR_MESSAGE_NO_ACCESS", 403, Refused, "own words"),
    ("ERR_MESSAGE_ACTION_NOT_ALLOWED", 403, Refused, "own words"),
    ("ERR_CONVERSATION_NOT_ACCESSIBLE", 403, Refused, "own words"),
    ("ERR_BLOCKED_RECEIVER", 403, Refused, "leave this user out"),
    ("ERR_BLOCKED_SENDER", 403, Refused, "leave this user out"),
    ("ERR_BLOCKED_BY_EXTENSION", 403, Refused, "change it"),
    ("ERR_BLOCKED_BY_WEBHOOK", 403, Refused, "change it"),
    ("ERR_TOO_MANY_REQUESTS", 429, RateLimited, "HANGBOT_RATE"),
    ("ERR_PLAN_RESTRICTION", 402, Refused, "plan"),
    ("ERR_PLAN_QUOTA_RESTRICTION", 403, Refused, "plan"),
    ("ERR_SUBSCRIPTION_EXPIRED", 402, Refused, "plan"),
    ("ERR_INVALID_API_VERSION", 404, NotFound, "before /v3.0"),
    ("ERR_API_NOT_FOUND", 404, NotFound, "before /v3.0"),
    ("ERR_ROUTE_NOT_FOUND", 404, NotFound, "before /v3.0"),
    ("ERR_OPERATION_FAILED", 500, Unavailable, "wait"),
    ("ERR_EXCEPTION", 500, Unavailable, "wait"),
    ("ERR_MISSION_FAILED", 500, Unavailable, "wait"),
    ("ERR_BAD_ERROR_RESPONSE", 417, Unavailable, "wait"),
]


@pytest.mark.parametrize(
    ("code", "status", "kind", "remedy"), [pytest.param(*row, id=f"{row[1]} {row[0]}") for row in TABLE]
)
def test_every_code_of_the_table_means_what_the_table_says(
    code: str, status: int, kind: type[ServiceError], remedy: str
) -> None:
    error = refusal(status, code, message="No.")

    assert type(error) is kind
    assert error.code == code
    assert remedy in error.remedy
    assert f"{code}: No." in str(error)


def test_the_table_of_codes_is_the_whole_table() -> None:
    assert set(chat_errors.KINDS) == {code for code, *_ in TABLE}
    assert set(chat_errors.REMEDIES) <= set(chat_errors.KINDS)


@given(
    st.sampled_from(sorted(chat_errors.KINDS)),
    st.integers(400, 499).filter(lambda s: s not in {401, 408, 425, 429}),
)
def test_a_known_code_decides_whatever_the_refusals_status_is(code: str, status: int) -> None:
    error = refusal(status, code)

    assert type(error) is chat_errors.KINDS[code]


@given(st.sampled_from([*chat_errors.KINDS, "ERR_OF_TOMORROW"]))
def test_own_words_with_a_401_are_about_the_token_or_the_membership_and_never_final(code: str) -> None:
    error = refusal(401, code)

    assert error.about_token or error.retryable or isinstance(error, NotAMember)
    assert not chat_errors.is_message_gone(error)


@given(
    st.sampled_from(sorted(chat_errors.KINDS)),
    st.integers(300, 399) | st.integers(500, 599) | st.sampled_from([408, 425, 429]),
)
def test_words_with_a_status_that_is_no_refusal_are_not_final(code: str, status: int) -> None:
    error = refusal(status, code)

    assert error.retryable
    assert type(error) is (RateLimited if status == 429 else Unavailable)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        pytest.param(400, Unavailable, id="bad request"),
        pytest.param(401, Unavailable, id="unauthorised"),
        pytest.param(403, Unavailable, id="forbidden, of a firewall perhaps"),
        pytest.param(404, Unavailable, id="a proxy's page is no answer"),
        pytest.param(407, Unavailable, id="a proxy wants a password"),
        pytest.param(414, Unavailable, id="too long, says a proxy"),
        pytest.param(431, Unavailable, id="headers too large, says a proxy"),
        pytest.param(405, Unavailable, id="method"),
        pytest.param(408, Unavailable, id="request time-out"),
        pytest.param(413, Unavailable, id="too large, says a proxy"),
        pytest.param(417, Unavailable, id="expectation"),
        pytest.param(425, Unavailable, id="too early"),
        pytest.param(429, RateLimited, id="too many"),
        pytest.param(500, Unavailable, id="server"),
        pytest.param(503, Unavailable, id="unavailable"),
        pytest.param(599, Unavailable, id="beyond the known"),
        pytest.param(302, Unavailable, id="a redirect to a log-in page"),
        pytest.param(304, Unavailable, id="not modified"),
    ],
)
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>oops</html>", id="HTML"),
        pytest.param(b'{"error":"words"}', id="an error that is text"),
        pytest.param(b'{"error":{}}', id="an error without a code"),
        pytest.param(b'{"error":{"code":17}}', id="a code that is no text"),
        pytest.param(b'{"error":{"code":""}}', id="an empty code"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"null", id="null"),
        pytest.param(b'{"statusCode": 400, "message": "no"}', id="a gateway's words"),
        pytest.param(b"\x1f\x8b\x08garbage", id="half a gzip"),
    ],
)
def test_what_is_not_in_the_chats_own_words_refuses_nothing(
    status: int, kind: type[ServiceError], body: bytes
) -> None:
    error = raised(status, body)

    assert type(error) is kind
    assert error.code is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        pytest.param(400, Refused, id="400"),
        pytest.param(401, TokenRejected, id="401 is about the token"),
        pytest.param(404, Refused, id="404 in the chat's own words"),
        pytest.param(408, Unavailable, id="408"),
        pytest.param(429, RateLimited, id="429"),
        pytest.param(500, Unavailable, id="500"),
    ],
)
def test_a_code_that_is_not_known_is_judged_by_its_status(status: int, kind: type[ServiceError]) -> None:
    error = refusal(status, "ERR_OF_TOMORROW")

    assert type(error) is kind
    assert error.code == "ERR_OF_TOMORROW"


def test_a_404_in_nobodys_words_says_where_to_look() -> None:
    error = raised(404, b"<html>nginx</html>")

    assert "OPENCHAT_BASE_URL" in error.remedy
    assert "status 404 and `<html>nginx</html>`" in str(error)


@pytest.mark.parametrize("status", [200, 201, 299])
def test_any_2xx_is_success(status: int) -> None:
    assert chat.read_answer(status, {}, b'{"data":[1]}', what="it", now=NOW) == [1]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>sign in</html>", id="a captive portal"),
        pytest.param(b'{"success":true}', id="no data"),
        pytest.param(b'["data"]', id="a list"),
        pytest.param(b'{"data":', id="cut off"),
        pytest.param(b'{"data":"\xff"}', id="no UTF-8"),
        pytest.param(b"[" * 200_000, id="deeper than the stack"),
        pytest.param(b"1" * 5_000, id="a number too long to read"),
    ],
)
def test_a_success_that_cannot_be_read_is_ambiguous(body: bytes) -> None:
    error = raised(200, body)

    assert type(error) is Unavailable
    assert error.ambiguous
    assert len(str(error)) < 350


@pytest.mark.parametrize("status", [417, 400])
def test_joined_already_is_success_in_disguise(status: int) -> None:
    body = b'{"error":{"code":"ERR_ALREADY_JOINED","message":"uid has joined guid"}}'

    assert chat.read_answer(status, {}, body, what="joining", now=NOW) == {}


def test_what_a_validation_objects_to_is_told() -> None:
    error = refusal(400, "ERR_BAD_REQUEST", message="Bad.", details={"receiver": ["is empty", 5], "x": {}})

    assert str(error) == "chat refused message m to room (ERR_BAD_REQUEST: Bad.: receiver (is empty))"


def test_the_servers_words_stay_on_one_line_and_short() -> None:
    error = refusal(400, "ERR_BAD_REQUEST", message="many\n\twords " * 1_000)

    assert "\n" not in str(error)
    assert len(str(error)) < 300


@pytest.mark.parametrize(
    "message",
    [pytest.param(None, id="none"), pytest.param({"en": "x"}, id="an object"), pytest.param("", id="empty")],
)
def test_a_refusal_without_words_is_told_by_its_code(message: object) -> None:
    error = refusal(403, "ERR_FORBIDDEN", message=message, details=[])

    assert str(error) == "chat refused message m to room (ERR_FORBIDDEN)"


def http_date(at: float) -> str:
    return formatdate(at, usegmt=True)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        pytest.param("15", 15.0, id="seconds"),
        pytest.param(" 2.5 ", 2.5, id="a fraction"),
        pytest.param("0", 0.0, id="none"),
        pytest.param("3600", 3600.0, id="an hour"),
        pytest.param("-3", math.inf, id="less than nothing"),
        pytest.param("3601", math.inf, id="more than an hour"),
        pytest.param("1e400", math.inf, id="endless"),
        pytest.param("inf", math.inf, id="endless in words"),
        pytest.param(http_date(NOW + 42), 42.0, id="a date"),
        pytest.param(http_date(NOW - 42), 0.0, id="a date gone by"),
        pytest.param("Fri, 31 Dec 9999 23:59:59 GMT", math.inf, id="the last date"),
        pytest.param("Wednesday, 22-Nov-26 11:43:27 GMT", 30.0, id="a date of RFC 850"),
        pytest.param("Sun Nov 22 11:43:27 2026", 30.0, id="a date of asctime"),
        pytest.param("", None, id="empty"),
        pytest.param("nan", math.inf, id="not a number"),
        pytest.param("soon", math.inf, id="garbage"),
        pytest.param("Mon, 99 Foo 2026 99:99:99 GMT", math.inf, id="a date that is none"),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_read_in_every_form_and_bounded(
    status: int, value: str, seconds: float | None
) -> None:
    error = raised(status, b"", headers={"retry-after": value})

    assert error.retry_after == seconds


def test_half_a_character_is_no_time_to_wait() -> None:  # no parameter: Allure cannot write one
    error = raised(429, b"", headers={"retry-after": "\ud800"})

    assert error.retry_after == math.inf


def test_a_date_is_compared_with_the_servers_own_clock() -> None:
    headers = {"retry-after": http_date(NOW + 5_000), "date": http_date(NOW + 4_980)}

    error = raised(429, b"", headers=headers)

    assert error.retry_after == 20.0


def test_a_server_clock_that_cannot_be_read_is_replaced_by_ours() -> None:
    error = raised(429, b"", headers={"retry-after": http_date(NOW + 7), "date": "yesterday"})

    assert error.retry_after == 7.0


def test_a_date_without_a_zone_is_in_gmt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")

    error = raised(429, b"", headers={"retry-after": http_date(NOW + 9).removesuffix(" GMT")})

    assert error.retry_after == 9.0


@settings(max_examples=40)
@given(
    st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d{1,3} (Jan|Foo) \d{1,5} \d\d:\d\d:\d\d( GMT| [+-]\d{4})?")
)
def test_no_retry_after_breaks_the_reader(value: str) -> None:
    error = raised(429, b"", headers={"retry-after": value, "date": value})

    assert error.retry_after is None or 0 <= error.retry_after <= 3600 or math.isinf(error.retry_after)


@settings(max_examples=40)
@given(st.integers(200, 599), st.binary() | ANY_JSON.map(lambda value: json.dumps(value).encode()))
@example(400, b'{"error":{"code":"ERR_BAD_REQUEST","details":{"x":[[]]}}}')
def test_no_answer_breaks_the_reader(status: int, body: bytes) -> None:
    with suppress(ServiceError):
        chat.read_answer(status, {}, body, what="it", now=NOW)


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from(["code", "message", "details", "devMessage"]), ANY_JSON))
def test_no_error_object_breaks_the_reader(error: dict[str, object]) -> None:
    kind = type(raised(400, json.dumps({"error": error}).encode()))

    own = isinstance(error.get("code"), str) and error["code"]
    assert issubclass(kind, Refused if own else Unavailable)


@pytest.mark.parametrize(
    ("code", "gone"),
    [
        pytest.param("ERR_MESSAGE_NOT_FOUND", True, id="as measured"),
        pytest.param("ERR_MESSAGE_ID_NOT_FOUND", True, id="as documented"),
        pytest.param("ERR_ROUTE_NOT_FOUND", False, id="no such route"),
        pytest.param("ERR_UID_NOT_FOUND", False, id="no such user"),
        pytest.param(None, False, id="a proxy's page"),
    ],
)
def test_only_the_chats_own_words_say_that_a_message_is_not_there(code: str | None, gone: bool) -> None:  # noqa: FBT001  a row
    assert chat_errors.is_message_gone(refusal(404, code)) is gone


def test_a_message_is_written_as_the_web_client_needs_it() -> None:
    mention = {"start": 0, "userNickname": "Peer", "userUuid": "peer"}
    message = Outgoing("id-1", "room-guid", "hi", mentions=[mention], images=["https://h/i.png"])

    body = chat.message_body(message, sender="bot", name="Bot")

    assert body == {
        "receiver": "room-guid",
        "receiverType": "group",
        "category": "message",
        "type": "text",
        "muid": "id-1",
        "data": {
            "text": "hi",
            "metadata": {
                "chatMessage": {
                    "id": "id-1",
                    "message": "hi",
                    "type": "user",
                    "userName": "Bot",
                    "userUuid": "bot",
                    "badges": ["BOT"],
                    "mentions": [mention],
                    "imageUrls": ["https://h/i.png"],
                }
            },
        },
    }


def test_a_direct_message_of_a_bot_without_a_known_name_leaves_the_names_out() -> None:
    body = chat.message_body(Outgoing("i", "peer", "hi", direct=True), sender=None, name=None)

    line = body["data"]["metadata"]["chatMessage"]  # type: ignore[index]  # a JSON document
    assert body["receiverType"] == "user"
    assert not {"userUuid", "userName"} & set(line)


def test_a_join_is_written_as_the_official_sdk_does() -> None:
    assert chat.join_body("room-guid") == {
        "hasJoined": False,
        "membersCount": 0,
        "isBanned": False,
        "guid": "room-guid",
        "name": "name",
        "type": "public",
    }


def row(**changes: Any) -> dict[str, Any]:  # noqa: ANN401  parts of a JSON document
    return {
        "id": 7,
        "sender": "peer",
        "receiver": "room",
        "sentAt": 1_795_347_777,
        "data": {"text": "hi"},
    } | changes


def read(**changes: Any) -> ChatMessage:  # noqa: ANN401  parts of a JSON document
    message = read_message(row(**changes))
    assert message is not None
    return message


def test_a_row_is_read_into_a_message() -> None:
    message = read(muid="m", category="custom", receiverType="user")

    expected = ChatMessage(7, "peer", "room", "hi", 1_795_347_777.0, "m", "custom", direct=True)
    assert dataclasses.replace(message, raw={}) == expected


@pytest.mark.parametrize(
    ("value", "number"),
    [
        pytest.param(51, 51, id="a number"),
        pytest.param("51", 51, id="its digits"),
        pytest.param(2**53, 2**53, id="53 bits"),
        pytest.param("0051", 51, id="leading noughts"),
    ],
)
def test_an_id_is_a_number_or_its_digits(value: object, number: int) -> None:
    assert read(id=value).id == number


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(row(id=None), id="id null"),
        pytest.param(row(id=True), id="id true"),
        pytest.param(row(id=1.5), id="id a fraction"),
        pytest.param(row(id=float("inf")), id="id endless"),
        pytest.param(row(id=float("nan")), id="id not a number"),
        pytest.param(row(id=""), id="id empty"),
        pytest.param(row(id=" 5 "), id="id with blanks"),
        pytest.param(row(id="1_000"), id="id with an underscore"),
        pytest.param(row(id="٣"), id="id of other digits"),
        pytest.param(row(id="-5"), id="id below nought"),
        pytest.param(row(id="9" * 5_000), id="id too long to read"),
        pytest.param(row(id=[5]), id="id a list"),
        pytest.param({}, id="no id"),
        pytest.param(None, id="null"),
        pytest.param("row", id="a text"),
        pytest.param([row()], id="a list"),
    ],
)
def test_a_row_without_an_id_is_no_message(odd: object) -> None:
    assert read_message(odd) is None


@pytest.mark.parametrize(
    ("changes", "sender"),
    [
        pytest.param({"sender": {"uid": "a", "name": "A"}}, "a", id="an object"),
        pytest.param({"sender": "a"}, "a", id="a uid"),
        pytest.param(
            {"sender": None, "data": {"entities": {"sender": {"entity": {"uid": "e"}}}}}, "e", id="the entity"
        ),
        pytest.param(
            {"sender": {}, "data": {"metadata": {"chatMessage": {"userUuid": "m"}}}}, "m", id="the chat line"
        ),
        pytest.param({"sender": "", "data": {"customData": {"userUuid": "c"}}}, "c", id="the older payload"),
        pytest.param(
            {
                "sender": "a",
                "data": {
                    "entities": {"sender": {"entity": {"uid": "e"}}},
                    "metadata": {"chatMessage": {"userUuid": "m"}},
                },
            },
            "a",
            id="the first of them counts",
        ),
        pytest.param({"sender": 5, "data": []}, None, id="nowhere"),
    ],
)
def test_the_sender_is_found_where_bots_found_it(changes: dict[str, Any], sender: str | None) -> None:
    assert read(**changes).sender == sender


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        pytest.param(1_795_347_777, 1_795_347_777.0, id="seconds"),
        pytest.param(1_795_347_777_123, 1_795_347_777.123, id="milliseconds"),
        pytest.param(100_000_000_000, 100_000_000_000.0, id="the last that are seconds"),
        pytest.param(0, 0.0, id="nought"),
        pytest.param(None, 0.0, id="none"),
        pytest.param("1795347777", 0.0, id="text"),
        pytest.param(True, 0.0, id="true"),
        pytest.param(10**400, 0.0, id="beyond every float"),
        pytest.param(float("inf"), 0.0, id="endless"),
        pytest.param(float("nan"), 0.0, id="not a number"),
    ],
)
def test_a_time_is_in_seconds_whatever_its_writer_used(value: object, seconds: float) -> None:
    assert read(sentAt=value).sent_at == seconds


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        pytest.param({"data": {"text": "new", "customData": {"message": "old"}}}, "new", id="text"),
        pytest.param({"data": {"customData": {"message": "old"}}}, "old", id="the older payload"),
        pytest.param({"data": {"text": ""}}, "", id="empty text is text"),
        pytest.param({"data": {"text": 5, "customData": {"message": 6}}}, None, id="no text"),
        pytest.param({"data": None}, None, id="no data"),
    ],
)
def test_the_text_is_read_from_both_kinds_of_line(changes: dict[str, Any], text: str | None) -> None:
    assert read(**changes).text == text


@pytest.mark.parametrize(
    ("changes", "muid"),
    [
        pytest.param({"muid": "a"}, "a", id="muid"),
        pytest.param({"data": {"metadata": {"chatMessage": {"id": "b"}}}}, "b", id="the chat line's id"),
        pytest.param({"muid": "a", "data": {"metadata": {"chatMessage": {"id": "b"}}}}, "a", id="muid first"),
        pytest.param({"data": {"metadata": {"chatMessage": {"id": -1}}}}, None, id="minus one, as some send"),
        pytest.param({"data": {"metadata": ["chatMessage"]}}, None, id="metadata a list"),
    ],
)
def test_the_senders_own_id_is_read_from_both_places(changes: dict[str, Any], muid: str | None) -> None:
    assert read(**changes).muid == muid


def test_unknown_fields_are_kept_and_not_shown() -> None:
    message = read(reactions=["x"], category="", receiver={"guid": "g"})

    assert message.raw["reactions"] == ["x"]
    assert (message.category, message.receiver) == ("message", None)
    assert "reactions" not in repr(message)


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


def test_every_kind_that_the_codes_name_is_an_error_of_the_tree() -> None:
    assert {kind.__name__ for kind in chat_errors.KINDS.values()} <= set(vars(errors))


TOKEN = "SECRET-OF-THE-BOT"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(400, {"error": {"code": "ERR_BAD", "message": "x" * 185 + TOKEN}}, id="words"),
        pytest.param(502, "x" * 190 + TOKEN + "y" * 900, id="a page"),
        pytest.param(200, "x" * 190 + " " * 700 + TOKEN, id="a page with much room in it"),
    ],
)
def test_a_token_in_a_servers_words_is_masked_before_they_are_cut(status: int, body: object) -> None:
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()

    with pytest.raises(ServiceError) as refused:
        chat.read_answer(
            status, {}, raw, what="it", now=NOW, mask=lambda text: text.replace(TOKEN, "<masked>")
        )

    assert "SECRET" not in str(refused.value)

"""What an answer of the chat means that is no success: by its code, status, words and Retry-After."""

import json
import math
from email.utils import formatdate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hangbot.errors import (
    NotAMember,
    NotFound,
    RateLimited,
    Refused,
    ServiceError,
    TokenRejected,
    Unavailable,
)
from hangbot.hangfm.wire import chat_errors
from hangbot.hangfm.wire.chat import read_answer
from tests.cases import cases, rows
from tests.hangfm.wire.documents import ANY_JSON

NOW = 1_795_347_777.0
TOKEN = "SECRET-OF-THE-BOT"


def masked(text: str) -> str:
    return text.replace(TOKEN, "<masked>")


def raised(status: int, body: bytes | str, **headers: str) -> ServiceError:
    raw = body.encode() if isinstance(body, str) else body
    with pytest.raises(ServiceError) as caught:
        read_answer(status, headers, raw, what="it", now=NOW, mask=masked)
    assert (caught.value.service, caught.value.status) == ("chat", status)
    assert "SECRET" not in str(caught.value)
    return caught.value


def refusal(status: int, code: object = None, **error: object) -> ServiceError:
    return raised(status, json.dumps({} if code is None else {"error": {"code": code, **error}}))


# Each code of the two servers' tables, with the statuses it was seen or documented with, and its remedy.
CODES: list[tuple[type[ServiceError], str, str, str]] = [
    (Refused, "401", "COMETCHAT_APPID", "AUTH_ERR_EMPTY_APPID AUTH_ERR_INVALID_APPID"),
    (Refused, "401", "admin host", "AUTH_ERR_EMPTY_APIKEY"),
    (Refused, "401 404", "apikey", "AUTH_ERR_APIKEY_NOT_FOUND"),
    (TokenRejected, "401", "COMETCHAT_AUTH", "AUTH_ERR_EMPTY_AUTH_TOKEN"),
    (TokenRejected, "401 403", "BOT_USER_TOKEN", "AUTH_ERR_AUTH_TOKEN_NOT_FOUND ERR_NO_AUTH"),
    (TokenRejected, "401 403", "BOT_USER_TOKEN", "ERR_AUTHTOKEN_UNAVAILABLE ERR_AUTHTOKEN_NOT_ACCESSIBLE"),
    (NotAMember, "400 401 404", "COMETCHAT_RECEIVER", "ERR_GROUP_NOT_JOINED ERR_NOT_A_MEMBER"),
    (NotFound, "404", "COMETCHAT_UID", "ERR_UID_NOT_FOUND"),
    (NotFound, "404 400", "COMETCHAT_RECEIVER", "ERR_GUID_NOT_FOUND"),
    (NotFound, "404", "id", "ERR_MESSAGE_ID_NOT_FOUND ERR_MESSAGE_NOT_FOUND"),
    (NotFound, "404", "before /v3.0", "ERR_INVALID_API_VERSION ERR_API_NOT_FOUND ERR_ROUTE_NOT_FOUND"),
    (RateLimited, "429", "HANGBOT_RATE", "ERR_TOO_MANY_REQUESTS"),
    (Unavailable, "500", "wait", "ERR_OPERATION_FAILED ERR_EXCEPTION ERR_MISSION_FAILED"),
    (Unavailable, "417", "wait", "ERR_BAD_ERROR_RESPONSE"),
    (Refused, "400 403", "room's owner", "ERR_GROUP_JOIN_NOT_ALLOWED ERR_EMPTY_GROUP_PASS"),
    (Refused, "400 403", "room's owner", "ERR_WRONG_GROUP_PASS INVALID_PASSWORD"),
    (Refused, "400", "full", "ERR_NO_VACANCY ERR_LIMIT_EXCEEDED"),
    (Refused, "403", "moderator", "ERR_BANNED_GROUPMEMBER ERR_GROUP_NO_CLEARANCE ERR_GROUP_NO_ADMIN_SCOPE"),
    (Refused, "403", "moderator", "ERR_GROUP_NO_MODERATOR_SCOPE ERR_GROUP_NO_SCOPE_CLEARANCE"),
    (Refused, "400", "fault of hangbot", "ERR_BAD_REQUEST MISSING_PARAMETERS INVALID_RECEIVERTYPE"),
    (Refused, "400", "fault of hangbot", "ERR_EMPTY_RECEIVER ERR_INVALID_RECEIVER_TYPE"),
    (Refused, "400", "fault of hangbot", "ERR_EMPTY_MESSAGE_TEXT ERR_INVALID_MESSAGE_TEXT"),
    (Refused, "400", "fault of hangbot", "ERR_INVALID_MESSAGE_DATA ERR_EMPTY_MESSAGE_CATEGORY"),
    (Refused, "400", "fault of hangbot", "ERR_INVALID_MESSAGE_CATEGORY ERR_EMPTY_MESSAGE_TYPE"),
    (Refused, "400", "fault of hangbot", "ERR_INVALID_MESSAGE_TYPE ERR_EMPTY_CUSTOM_DATA"),
    (Refused, "400", "fault of hangbot", "ERR_INVALID_CUSTOM_DATA ERR_INVALID_METADATA"),
    (Refused, "400 403", "own words", "AUTH_ERR_NO_ACCESS ERR_FORBIDDEN ERR_MESSAGE_NOT_A_SENDER"),
    (Refused, "400 403", "own words", "ERR_MESSAGE_NO_ACCESS ERR_MESSAGE_ACTION_NOT_ALLOWED"),
    (Refused, "400 403", "own words", "ERR_CONVERSATION_NOT_ACCESSIBLE"),
    (Refused, "403", "leave this user out", "ERR_BLOCKED_RECEIVER ERR_BLOCKED_SENDER"),
    (Refused, "403", "change it", "ERR_BLOCKED_BY_EXTENSION ERR_BLOCKED_BY_WEBHOOK"),
    (Refused, "402 403", "plan", "ERR_PLAN_RESTRICTION ERR_PLAN_QUOTA_RESTRICTION ERR_SUBSCRIPTION_EXPIRED"),
]
TABLE = [
    pytest.param(code, int(status), kind, remedy, id=f"{status} {code}")
    for kind, statuses, remedy, codes in CODES
    for code in codes.split()
    for status in statuses.split()
]


@pytest.mark.parametrize(("code", "status", "kind", "remedy"), TABLE)
def test_codes_mean_what_they_say(code: str, status: int, kind: type[ServiceError], remedy: str) -> None:
    error = refusal(status, code, message="No.")

    assert (type(error), error.code) == (kind, code)
    assert remedy in error.remedy
    assert f"{code}: No." in str(error)


def test_the_table_of_codes_is_the_whole_table() -> None:
    assert set(chat_errors.KINDS) == {code for *_, codes in CODES for code in codes.split()}
    assert set(chat_errors.REMEDIES) <= set(chat_errors.KINDS)


@given(
    st.sampled_from(sorted(chat_errors.KINDS)),
    st.integers(400, 499).filter(lambda s: s not in {401, 408, 425, 429}),
)
def test_a_known_code_decides_whatever_the_refusals_status_is(code: str, status: int) -> None:
    assert type(refusal(status, code)) is chat_errors.KINDS[code]


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
    "status", [302, 304, 400, 401, 403, 404, 405, 407, 408, 413, 414, 417, 425, 429, 431, 500, 503, 599]
)
@cases(
    "body",
    ("empty", b""),
    ("HTML", b"<html>oops</html>"),
    ("an error that is text", b'{"error":"words"}'),
    ("an error without a code", b'{"error":{}}'),
    ("a code that is no text", b'{"error":{"code":17}}'),
    ("an empty code", b'{"error":{"code":""}}'),
    ("a list", b"[]"),
    ("null", b"null"),
    ("a gateway's words", b'{"statusCode": 400, "message": "no"}'),
    ("half a gzip", b"\x1f\x8b\x08garbage"),
)
def test_what_is_not_in_the_chats_own_words_refuses_nothing(status: int, body: bytes) -> None:
    error = raised(status, body)

    assert type(error) is (RateLimited if status == 429 else Unavailable)
    assert error.code is None
    assert ("OPENCHAT_BASE_URL" in error.remedy) == (status < 500 and status != 429)


@rows(
    "status kind",
    (400, Refused),
    (401, TokenRejected),
    (404, Refused),
    (408, Unavailable),
    (429, RateLimited),
    (500, Unavailable),
)
def test_a_code_that_is_not_known_is_judged_by_its_status(status: int, kind: type[ServiceError]) -> None:
    error = refusal(status, "ERR_OF_TOMORROW")

    assert (type(error), error.code) == (kind, "ERR_OF_TOMORROW")


@cases(
    "code gone",
    ("as measured", "ERR_MESSAGE_NOT_FOUND", True),
    ("as documented", "ERR_MESSAGE_ID_NOT_FOUND", True),
    ("no such route", "ERR_ROUTE_NOT_FOUND", False),
    ("no such user", "ERR_UID_NOT_FOUND", False),
    ("a proxy's page", None, False),
)
def test_only_the_chats_own_words_say_that_a_message_is_not_there(code: str | None, gone: bool) -> None:  # noqa: FBT001  a row
    assert chat_errors.is_message_gone(refusal(404, code)) is gone


BAD = "ERR_BAD_REQUEST"


@rows(
    "error says",
    ({"message": "Bad.", "details": {"to": ["is empty", 5], "x": {}}}, f"({BAD}: Bad.: to (is empty))"),
    ({"message": "many\n\twords"}, f"({BAD}: many words)"),
    ({"message": None, "details": []}, f"({BAD})"),
    ({"message": {"en": "x"}}, f"({BAD})"),
    ({"message": ""}, f"({BAD})"),
)
def test_a_refusal_is_shown_by_its_code_its_words_and_its_field(error: dict[str, object], says: str) -> None:
    assert str(refusal(400, BAD, **error)) == f"chat refused it {says}"


@cases(
    "status body",
    ("words", 400, json.dumps({"error": {"code": BAD, "message": "x" * 185 + TOKEN}})),
    ("many words", 400, json.dumps({"error": {"code": BAD, "message": "many\n" * 1_000}})),
    ("a page", 502, "x" * 190 + TOKEN + "y" * 900),
    ("a page with much room in it", 200, "x" * 190 + " " * 700 + TOKEN),
)
def test_a_servers_words_are_masked_before_they_are_cut_to_one_short_line(status: int, body: str) -> None:
    shown = str(raised(status, body))

    assert "\n" not in shown
    assert len(shown) < 300


def test_the_first_of_an_answer_in_other_words_is_shown() -> None:
    assert "with status 404 and `<html>nginx</html>`" in str(raised(404, "<html>nginx</html>"))
    assert "with status 404 and an empty body" in str(raised(404, ""))


# -- Retry-After


def http_date(at: float) -> str:
    return formatdate(at, usegmt=True)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("15", 15.0),
        (" 2.5 ", 2.5),
        ("0", 0.0),
        ("3600", 3600.0),
        ("-3", math.inf),
        ("3601", math.inf),
        ("1e400", math.inf),
        ("inf", math.inf),
        ("nan", math.inf),
        ("soon", math.inf),
        ("", None),
        (http_date(NOW + 42), 42.0),
        (http_date(NOW - 42), 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", math.inf),
        ("Mon, 99 Foo 2026 99:99:99 GMT", math.inf),
        ("Wednesday, 22-Nov-26 11:43:27 GMT", 30.0),  # as RFC 850 has it
        ("Sun Nov 22 11:43:27 2026", 30.0),  # as asctime has it
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_read_in_any_form_and_bounded(status: int, value: str, seconds: float | None) -> None:
    error = raised(status, b"", **{"retry-after": value})

    assert error.retry_after == seconds
    assert (f"its Retry-After ({value}) is over an hour" in str(error)) == (seconds == math.inf)


def test_half_a_character_is_no_time_to_wait() -> None:  # no parameter: Allure cannot write one
    assert raised(429, b"", **{"retry-after": "\ud800"}).retry_after == math.inf


@cases(
    "value date seconds",
    ("the server's own clock", http_date(NOW + 5_000), http_date(NOW + 4_980), 20.0),
    ("ours, where that cannot be read", http_date(NOW + 7), "yesterday", 7.0),
    ("without a zone", http_date(NOW + 9).removesuffix(" GMT"), "", 9.0),
)
def test_dates_are_in_gmt(value: str, date: str, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")

    assert raised(429, b"", **{"retry-after": value, "date": date}).retry_after == seconds


@settings(max_examples=40)
@given(
    st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d{1,3} (Jan|Foo) \d{1,5} \d\d:\d\d:\d\d( GMT| [+-]\d{4})?")
)
def test_no_retry_after_breaks_the_reader(value: str) -> None:
    error = raised(429, b"", **{"retry-after": value, "date": value})

    assert error.retry_after is None or 0 <= error.retry_after <= 3600 or math.isinf(error.retry_after)


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from(["code", "message", "details", "devMessage"]), ANY_JSON))
def test_no_error_object_breaks_the_reader(error: dict[str, object]) -> None:
    kind = type(raised(400, json.dumps({"error": error})))

    own = isinstance(error.get("code"), str) and error["code"]
    assert issubclass(kind, Refused if own else Unavailable)

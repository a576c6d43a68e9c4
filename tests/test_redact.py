import base64
import io
import json
import logging
import re
import sys
from collections import UserString
from collections.abc import Iterator
from typing import NoReturn, TypeAlias
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangbot.redact import MASK, RedactingFilter, Redactor, without_login

SECRET = "s3cr/t+v=l ue&é"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"
LONG = "k7Q-x2Lm9_wZ4tRb8VnC1sYh6GpD3fJa5"
UID_TOKEN = "5d7ff9ab-6a7c-4f0c-b9a5-8dc2b9d54d5e_0123456789abcdef01234567"
CHAT_TOKEN = "auth_" + "Zm9vYmFy-_" * 4 + "abc"


def forms(secret: str) -> dict[str, str]:
    raw = secret.encode()
    standard, urlsafe = base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()
    return {
        "as it is": secret,
        "in a query": quote(secret, safe=""),
        "in a path": quote(secret),
        "in a form": quote_plus(secret),
        "quoted in small letters": quote(secret, safe="").replace("%2F", "%2f").replace("%C3", "%c3"),
        "base64": standard,
        "base64 without padding": standard.rstrip("="),
        "base64 in a query": quote(standard, safe=""),
        "urlsafe base64": urlsafe,
        "urlsafe base64 without padding": urlsafe.rstrip("="),
        "in JSON": json.dumps(secret)[1:-1],
        "in unescaped JSON": json.dumps(secret, ensure_ascii=False)[1:-1],
        "in a repr": repr(secret)[1:-1],
    }


@pytest.mark.parametrize("form", [pytest.param(form, id=name) for name, form in forms(SECRET).items()])
def test_a_known_secret_is_masked_in_every_form_it_travels_in(form: str) -> None:
    redactor = Redactor([SECRET])

    text = redactor.text(f"before {form} after")

    assert text == f"before {MASK} after"


SHAPES = {
    "a JWT": f"token is «{JWT}».",
    "an unsigned JWT": "«eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.» end",
    "token in a query": "GET /primus?token=«abc.d-e»&_primuscb=Q8 HTTP",
    "authToken in a query": "/me?x=1&authToken=«abc» top",
    "token in a quoted query": "?next=%2Fme%3Ftoken%3D«abc»",
    "bearer": "Authorization: Bearer «abc.def»",
    "basic": "authorization=basic «dXNlcjpwdw==»",
    "no scheme": "Authorization: «0123456789abcdef»",
    "a bearer alone": "sent Bearer «0123456789abcdef»",
    "the chat header": "authtoken: «abc», sdk: x",
    "a dict": "{'authToken': '«abc»', 'n': 1}",
    "JSON": '{"cometAuthToken":"«abc»"}',
    "JSON in JSON": '"{\\"token\\":\\"«abc»\\"}"',
    "raw headers": "[(b'authToken', b'«abc»')]",
    "a line of a configuration": "BOT_USER_TOKEN=«abc»",
    "an OpenChat token": f"chat token «{CHAT_TOKEN}»",
    "a user in an address": "wss://«user:pw»@host/x",
    "an odd password": "wss://«bot:p/w#1@x?y»@host/x",
    "an @ in a user": "no way to wss://«b@t»@host.",
    "a JWT whose middle is left out": f"'«{JWT[:20]}...{JWT[-12:]}»' == 'x'",
    "a JWT that was cut": f"got «{JWT[:30]}»",
    "an OpenChat token that was cut": f"got «{CHAT_TOKEN[:20]}»",
    "a CometChat token": "0e3bd4b8-2d5f-4c0a-9d0a-5f3b1f6a7c11_«0123456789abcdef0» top",
}
"""Texts, in which what is to be masked stands between « and »."""


@pytest.mark.parametrize("marked", SHAPES.values(), ids=SHAPES)
def test_what_has_the_shape_of_a_token_is_masked_and_the_rest_stays(marked: str) -> None:
    redactor = Redactor()

    once = redactor.text(re.sub("[«»]", "", marked))
    twice = redactor.text(once)

    expected = re.sub("«.*?»", MASK, marked)
    assert (once, twice) == (expected, expected)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "authorization failed, the token: expired",
        "the bearer of this message",
        "basic settings, 3 tokens left",
        "https://openchat.prod.tt.fm/v3.0/me",
        "eyJ is how a JWT begins",
        "see https://example.org/@someone",
        "auth_order_20260101 and job_0123456789abcdef are ids",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    redactor = Redactor([SECRET])

    assert redactor.text(text) == text


@pytest.mark.parametrize(
    ("cut", "left"),
    [
        pytest.param(LONG[:30], MASK, id="its beginning"),
        pytest.param(LONG[:12] + "...", f"{MASK}...", id="twelve characters of it"),
        pytest.param("..." + LONG[-15:], f"...{MASK}", id="its end"),
        pytest.param(f"{LONG[:20]}...{LONG[-20:]} {LONG[:13]}", f"{MASK}...{MASK} {MASK}", id="several"),
        pytest.param(quote(SECRET, safe="")[:14], MASK, id="quoted"),
        pytest.param(LONG[:11], LONG[:11], id="too little to know it by"),
        pytest.param(f"{LONG[:4]}...{LONG[-4:]}", f"{MASK}...{MASK}", id="shortened in the middle"),
        pytest.param(
            f"[1, ...] and {LONG[:3]}...", f"[1, ...] and {LONG[:3]}...", id="too little before dots"
        ),
        pytest.param(UID_TOKEN[:36], UID_TOKEN[:36], id="the user's id before CometChat's tokens"),
        pytest.param(UID_TOKEN[:8] + "...", UID_TOKEN[:8] + "...", id="the user's id, shortened"),
        pytest.param(UID_TOKEN[:49], f"{UID_TOKEN[:37]}{MASK}", id="one of these, cut"),
    ],
)
def test_what_is_left_of_a_secret_where_a_text_was_cut_is_masked(cut: str, left: str) -> None:
    redactor = Redactor([LONG, SECRET, UID_TOKEN])

    assert redactor.text(f"before {cut}") == f"before {left}"


@given(
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=13, max_size=80),
    st.integers(12, 80),
)
def test_a_secret_cut_anywhere_leaves_less_than_twelve_characters(secret: str, size: int) -> None:
    redactor = Redactor([secret])

    begins, ends = redactor.text(secret[:size]), redactor.text(secret[-size:])

    assert secret[:12] not in begins.replace(MASK, " ")
    assert secret[-12:] not in ends.replace(MASK, " ")


@given(st.text("abcd.", min_size=12, max_size=30), st.integers(4, 6), st.text("ab(.'", max_size=8))
def test_what_is_left_of_a_secret_with_its_middle_cut_is_masked(secret: str, cut: int, around: str) -> None:
    shortened = f"{secret[:cut]}...{secret[-cut:]}"

    masked = Redactor([secret]).text(f"{around}{shortened}{around}")

    assert MASK in masked
    assert shortened not in masked


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://u:p/w@h", f"https://{MASK}@h"),
        ("u:p@h:1", f"{MASK}@h:1"),
        ("https://h:99999/x", "https://h:99999/x"),
        ("https://u:pa ss", f"https://u:{MASK}"),
        ("chat", "chat"),
    ],
)
def test_an_address_is_shown_without_what_may_be_a_password(address: str, shown: str) -> None:
    assert without_login(address) == shown


@pytest.mark.parametrize(
    ("secrets", "text", "masked"),
    [
        pytest.param(
            ["secret", "secret-and-more"],
            "secret-and-more, secret",
            f"{MASK}, {MASK}",
            id="the longer of two first",
        ),
        pytest.param(["abcdef"], "?token=abcdef1234&x=1", f"?token={MASK}&x=1", id="the rest of a token too"),
        pytest.param(["", "short", "masked"], "a short masked text", "a short masked text", id="mere words"),
    ],
)
def test_which_part_of_a_text_is_a_secret(secrets: list[str], text: str, masked: str) -> None:
    assert Redactor(secrets).text(text) == masked


def test_a_secret_can_be_added_later_and_twice() -> None:
    redactor = Redactor()
    before = redactor.text("first-secret second-secret")

    redactor.add("first-secret", "second-secret")
    redactor.add("first-secret")

    assert before == "first-secret second-secret"
    assert redactor.text(before) == f"{MASK} {MASK}"
    assert repr(redactor) == "<Redactor of 2 secrets>"


def test_values_are_masked_all_the_way_down() -> None:
    redactor = Redactor(["first-secret"])
    value = {
        "first-secret": ["x first-secret", ("first-secret", 7)],
        "headers": {
            "authToken": "abc",
            "Authorization": "Bearer abc",
            "Accept": "*/*",
            "token": "",
            "apikey": 5,
        },
        "n": None,
    }

    masked = redactor.value(value)

    assert masked == {
        MASK: [f"x {MASK}", (MASK, 7)],
        "headers": {"authToken": MASK, "Authorization": MASK, "Accept": "*/*", "token": "", "apikey": 5},
        "n": None,
    }
    assert value["n"] is None
    assert "first-secret" in value


def test_values_deeper_than_anyone_looks_are_masked_as_a_whole() -> None:
    endless: list[object] = []
    endless.append(endless)

    masked = str(Redactor().value(endless))

    assert masked == "[" * 64 + f"'{MASK}'" + "]" * 64


SECRETS = st.text(min_size=6).filter(lambda s: not (set(s) & set(MASK)))


@given(secret=SECRETS, before=st.text(max_size=20), after=st.text(max_size=20), data=st.data())
def test_no_secret_survives_in_any_form(secret: str, before: str, after: str, data: st.DataObject) -> None:
    form = data.draw(st.sampled_from(sorted(forms(secret).values())))

    text = Redactor([secret]).text(before + form + after)

    assert form not in text


@given(
    text=st.text()
    | st.from_regex(r"(token=|authtoken: |Authorization: Bearer |://|eyJ[a-z.]{3,9}){1,4}[a-z<>@.]*")
)
def test_masking_twice_changes_nothing(text: str) -> None:
    redactor = Redactor([SECRET])

    once = redactor.text(text)

    assert redactor.text(once) == once


class Failing(UserString):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def fail() -> NoReturn:
    raise ValueError("first-secret is wrong")


Logged: TypeAlias = tuple[logging.Logger, io.StringIO]


@pytest.fixture
def logged() -> Iterator[Logged]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(message)s"))
    handler.addFilter(Redactor(["first-secret"]).filter)
    logger = logging.getLogger("tests.redact")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    yield logger, stream
    logger.removeHandler(handler)


def test_a_log_line_is_masked_with_its_arguments(logged: Logged) -> None:
    logger, stream = logged

    logger.info("sent %s with %d", {"authToken": "abc", "x": "first-secret"}, 7)

    assert stream.getvalue() == f"sent {{'authToken': '{MASK}', 'x': '{MASK}'}} with 7\n"


def test_a_traceback_is_masked(logged: Logged) -> None:
    logger, stream = logged

    try:
        fail()
    except ValueError:
        logger.exception("failed", stack_info=True)

    assert f"ValueError: {MASK} is wrong" in stream.getvalue()
    assert "first-secret" not in stream.getvalue()


def test_a_record_keeps_nothing_that_a_later_formatter_could_show() -> None:
    try:
        fail()
    except ValueError:
        info = sys.exc_info()
    record = logging.LogRecord("n", logging.INFO, "p", 1, "to %s", ("first-secret",), info)
    record.stack_info = "stack with first-secret"
    record.__dict__["action"] = {"url": "/primus?token=abc"}

    passed = RedactingFilter(Redactor(["first-secret"])).filter(record)

    assert passed
    assert "first-secret" not in repr({k: v for k, v in record.__dict__.items() if k != "exc_text"})
    assert (record.exc_info, record.args) == (None, ())
    assert record.exc_text is not None
    assert record.exc_text.endswith(f"ValueError: {MASK} is wrong")
    assert record.__dict__["action"] == {"url": f"/primus?token={MASK}"}


def test_a_log_line_that_cannot_be_formatted_still_comes_out(logged: Logged) -> None:
    logger, stream = logged

    logger.info("first-secret %s", Failing(""))

    assert stream.getvalue() == f"(a log line that cannot be formatted: RuntimeError) '{MASK} %s'\n"


def test_the_shortest_text_that_can_hold_a_secret_is_masked() -> None:
    assert Redactor().text("://x@") == f"://{MASK}@"

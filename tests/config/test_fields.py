from collections.abc import Callable
from pathlib import Path

import pytest
from annotated_types import Ge, Gt, Le
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from hangbot.config import fields, validators
from hangbot.config.fields import Env
from hangbot.config.parsing import clean_token


@pytest.mark.parametrize(
    ("read", "text", "expected"),
    [
        (validators.read_number, " 2.50 ", 2.5),
        (validators.read_number, "-1", -1.0),
        (validators.read_number, "1e3", "1e3"),
        (validators.read_number, "1_000", "1_000"),
        (validators.read_number, "nan", "nan"),
        (validators.read_number, "inf", "inf"),
        (validators.read_number, "\u0661", "\u0661"),
        (validators.read_number, "1,5", "1,5"),
        (validators.read_integer, " 3", 3),
        (validators.read_integer, "3.0", "3.0"),
        (validators.read_integer, "9" * 5000, "9" * 5000),
        (validators.read_switch, "Yes", True),
        (validators.read_switch, "0", False),
        (validators.read_switch, "perhaps", "perhaps"),
        (validators.read_word, " OpenChat ", "openchat"),
        (validators.read_path, " a b/c.sqlite3 ", Path("a b/c.sqlite3")),
    ],
)
def test_text_is_a_value_or_stays_text(read: Callable[[str], object], text: str, expected: object) -> None:
    value = read(text)

    assert (value, type(value)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("text", "expected", "notes"),
    [
        ("abc", "abc", ()),
        (" abc\n", "abc", ("white space around it",)),
        ('"abc"', "abc", ("quotes around it",)),
        ("Bearer  abc", "abc", ("'Bearer' before it",)),
        (" 'bearer abc' ", "abc", ("white space around it", "quotes around it", "'Bearer' before it")),
        ("bearer", "", ("'Bearer' before it",)),
        ("bearerabc", "bearerabc", ()),
        ('"', '"', ()),
        ("", "", ()),
    ],
)
def test_a_token_is_taken_without_what_surrounds_it(text: str, expected: str, notes: tuple[str, ...]) -> None:
    assert clean_token(text) == (expected, notes)


@pytest.mark.parametrize(
    ("secret", "problem"),
    [
        ("", "is empty"),
        ("a b", "holds white space, which no HTTP header can carry (character 2 of 3)"),
        ("a\r\nx: y", "holds white space, which no HTTP header can carry (character 2 of 7)"),
        ("abc\x00", "holds U+0000, which no HTTP header can carry (character 4 of 4)"),
        ("é", "holds U+00E9, which no HTTP header can carry (character 1 of 1)"),
        ("x" * 8_193, "is longer than 8192 characters"),
    ],
)
def test_a_token_that_no_header_can_carry_is_refused(secret: str, problem: str) -> None:
    with pytest.raises(ValueError, match=r"^") as caught:
        validators.check_token(SecretStr(secret))

    assert str(caught.value) == problem


@pytest.mark.parametrize(
    ("check", "given_", "expected"),
    [
        (validators.check_chat_url, "https://chat.example/v3.0/", "https://chat.example"),
        (validators.check_chat_url, "https://chat.example/v3", "https://chat.example"),
        (validators.check_chat_url, "http://127.0.0.1:80//", "http://127.0.0.1:80"),
        (validators.check_chat_url, "https://chat.example/below/v3//", "https://chat.example/below"),
        (validators.check_chat_url, "https://chat.example/v30", "https://chat.example/v30"),
        (validators.check_gateway_url, "HTTPS://Gateway.Example.:443/v3/", "https://Gateway.Example.:443/v3"),
        (validators.check_gateway_url, "http://[::1]:8080/", "http://[::1]:8080"),
        (validators.check_gateway_url, "http://localhost:", "http://localhost:"),
        (validators.check_room_url, "ws://user:pass@room.example:81/", "ws://user:pass@room.example:81"),
        (validators.check_room_url, "wss://room.example", "wss://room.example"),
    ],
)
def test_an_address_loses_its_last_slash(check: Callable[[str], str], given_: str, expected: str) -> None:
    assert check(given_) == expected


SCHEME = "expected an address that begins with https:// or http://"
HOST = "expected an address with a host and a port from 1 to 65535"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("openchat.prod.tt.fm", SCHEME),
        ("localhost:8080", SCHEME),
        ("wss://chat.example", SCHEME),
        ("https:///v3", SCHEME),
        ("", SCHEME),
        ("https://a:b:c", HOST),
        ("https://chat.example:0", HOST),
        ("https://chat.example:65536", HOST),
        ("https://chat.example:x", HOST),
        ("https://[::1", HOST),
        ("https://:80", HOST),
        ("https://a..b", HOST),
        ("https://a_b!c", HOST),
        ("https://user@chat.example", "expected no user or password in the address"),
        ("https://chat.example/?x=1", "expected an address without '?' and '#'"),
        ("https://chat.example/#", "expected an address without '?' and '#'"),
        ("https://chat .example", "expected an address without spaces and characters beyond ASCII"),
        ("https://chat\n.example", "expected an address without spaces and characters beyond ASCII"),
        ("https://chät.example", "expected an address without spaces and characters beyond ASCII"),
    ],
)
def test_what_is_no_address_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=r"^expected") as caught:
        validators.check_chat_url(text)

    assert str(caught.value) == problem


@given(st.text() | st.text().map(lambda t: f"https://{t}") | st.from_regex(r"wss?://[a-z@:\[\]./0-9]*"))
def test_no_address_makes_it_fail_otherwise(text: str) -> None:
    try:
        address = validators.check_room_url(text)
    except ValueError as exc:
        assert str(exc).startswith("expected")  # noqa: PT017  either outcome is right
    else:
        assert validators.check_room_url(address) == address


@pytest.mark.parametrize("text", ["a", "A-b_9", "x" * 100])
def test_an_id_of_letters_digits_and_two_signs_is_taken(text: str) -> None:
    assert validators.check_id(text) == text


@pytest.mark.parametrize("text", ["", "x" * 101, "a b", "a.b", "é", "a\n", "a%20b"])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^expected at most 100 letters, digits, '-' and '_'$"):
        validators.check_id(text)


def test_an_address_in_the_place_of_an_id_gets_a_hint() -> None:
    with pytest.raises(ValueError, match=r"; give the room's uuid, `hangbot init --room URL` finds it$"):
        validators.check_id("https://hang.fm/room")


@pytest.mark.parametrize("text", ["Bot", "ボット 🤖"])
def test_text_on_one_line_is_taken(text: str) -> None:
    assert validators.check_line(text) == text
    assert validators.check_text(f"{text}\n\t{text}") == f"{text}\n\t{text}"


@pytest.mark.parametrize("text", ["a\nb", "a\x1b[31m", "a\x7f", b"\x80"])
def test_control_characters_and_halves_of_characters_are_refused(text: str | bytes) -> None:
    # As a byte that is no text where Allure could not write the parameter.
    text = text if isinstance(text, str) else text.decode("utf-8", "surrogateescape")

    with pytest.raises(ValueError, match="without control characters"):
        validators.check_line(text)
    with pytest.raises(ValueError, match="without control characters"):
        validators.check_text(f"{text}\r")


@pytest.mark.parametrize("text", [".", "~/outbox", "a\0b", "postgres://host/db", "file:/x"])
def test_what_is_no_path_of_a_file_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^expected the path of a file"):
        validators.check_file(Path(text))


def test_the_path_of_a_file_is_taken() -> None:
    assert validators.check_file(Path("/var/lib/a b.sqlite3")) == Path("/var/lib/a b.sqlite3")


@pytest.mark.parametrize(
    ("env", "value", "shown"),
    [
        pytest.param(fields.milliseconds("A", "a"), 0.2, "200", id="milliseconds"),
        pytest.param(fields.milliseconds("A", "a"), 604_800, "604800000", id="many milliseconds"),
        pytest.param(fields.number("A", "a"), 2.0, "2", id="a number"),
        pytest.param(fields.integer("A", "a"), 3, "3", id="a whole number"),
        pytest.param(fields.switch("A", "a", "true or false"), True, "true", id="a switch"),
        pytest.param(fields.switch("A", "a"), False, "off", id="a switch with words of its own"),
        pytest.param(Env("A", "a", "b"), None, "-", id="nothing"),
        pytest.param(Env("A", "a", "b"), "x\r\ny", "x\\r\\ny", id="text on two lines"),
        pytest.param(fields.secret("A", "a"), SecretStr("abc"), "<masked>", id="a secret"),
    ],
)
def test_a_value_is_shown_as_it_is_written(env: Env, value: object, shown: str) -> None:
    assert env.shown(value) == shown


@pytest.mark.parametrize(
    ("env", "constraints", "words"),
    [
        (fields.milliseconds("A", "a"), [Gt(0), Le(600)], "milliseconds above 0, up to 600000"),
        (fields.integer("A", "a"), [Ge(1), Le(100)], "a whole number from 1 to 100"),
        (fields.number("A", "a"), [Ge(0), object()], "a number from 0"),
        (fields.word("A", "a", "yes or no"), [], "yes or no"),
    ],
)
def test_an_expectation_has_its_bounds_in_outer_units(
    env: Env, constraints: list[object], words: str
) -> None:
    assert env.expectation(constraints) == words

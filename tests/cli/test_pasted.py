"""What people paste for a token and for a room."""

import base64
import json
import textwrap
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangbot.cli.pasted import find_rooms, find_token
from hangbot.errors import UsageError


def jwt(**claims: object) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJIUzI1NiJ9.{payload}.{'s1gn-ature_' * 30}"


BOT = jwt(role="bot", sub="me")
PERSON = jwt(role="user", sub="you")
UUID = "1118e3f7-147b-4359-a744-4327855441c0"


@pytest.mark.parametrize(
    "pasted",
    [
        pytest.param(BOT, id="alone"),
        pytest.param(f"\ufeff{BOT}\r\n", id="BOM and CR LF"),
        pytest.param(f'"{BOT}"', id="quotes"),
        pytest.param(f"Bearer {BOT}", id="bearer"),
        pytest.param(f"Authorization: Bearer {BOT}", id="a header"),
        pytest.param(f"curl -H 'authorization: bearer {BOT}' https://x", id="a command"),
        pytest.param(f"BOT_USER_TOKEN={BOT}\nROOM_UUID=abc\n", id="a line of a file with another below"),
        pytest.param(f'export BOT_USER_TOKEN="{BOT}"', id="export"),
        pytest.param(json.dumps({"accessToken": BOT, "codeSyncNewUser": "123456"}), id="an answer"),
        pytest.param(json.dumps({"accessToken": BOT}, indent=2), id="an answer over several lines"),
        pytest.param(f"sid=1; token-storage=%22{BOT}%22; theme=dark", id="cookies"),
        pytest.param("\n".join(textwrap.wrap(BOT, 60)), id="wrapped"),
        pytest.param("  " + "\r\n  ".join(textwrap.wrap(BOT, 60)) + "\r\n", id="wrapped and indented"),
        pytest.param('"' + "\n".join(textwrap.wrap(BOT, 60)) + '",\n"code": 1', id="wrapped in quotes"),
        pytest.param(f"mine: {PERSON}\nthe bot's: {BOT}", id="beside a person's"),
        pytest.param(f"{BOT}\n{BOT}", id="twice"),
    ],
)
def test_the_bots_token_is_taken_out_of_what_stands_around_it(pasted: str) -> None:
    assert find_token(pasted, where="token.txt") == BOT


def test_a_token_that_is_no_jwt_is_taken_without_its_quotes() -> None:
    assert find_token(" BOT_USER_TOKEN='abc.def' \n", where="token.txt") == "abc.def"


@pytest.mark.parametrize(
    ("pasted", "said"),
    [
        pytest.param(PERSON, 'the token in token.txt is not a bot\'s: its role is "user"', id="a person's"),
        pytest.param(f"{BOT} {jwt(role='bot', sub='x')}", "2 bots' tokens in token.txt", id="two bots'"),
        pytest.param("\ufeff \n", "there is no token in token.txt", id="nothing"),
        pytest.param('""', "there is no token in token.txt", id="empty quotes"),
        pytest.param("two words", "what stands in token.txt is no token", id="a text"),
    ],
)
def test_what_is_no_bots_token_is_refused_by_name_and_place(pasted: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        find_token(pasted, where="token.txt")

    assert said in str(refused.value)
    assert pasted.strip("\ufeff \n\"'") not in str(refused.value) or len(pasted) < 5


@pytest.mark.parametrize(
    ("given_", "first"),
    [
        pytest.param("my-room", "my-room", id="slug"),
        pytest.param("  My-Room\n", "My-Room", id="slug in other letters"),
        pytest.param(UUID.upper(), UUID, id="uuid"),
        pytest.param("hang.fm/my-room", "my-room", id="address without scheme"),
        pytest.param("https://hang.fm/da/my-room?from=mail#top", "my-room", id="address with category"),
        pytest.param("https://hang.fm/my-room/settings", "my-room", id="a page below"),
        pytest.param("https://hang.fm/da/my-room/people/", "my-room", id="a page below, with category"),
        pytest.param(f"https://hang.fm/da/{UUID}", UUID, id="uuid in an address"),
        pytest.param("<https://hang.fm/da/my-room>", "my-room", id="as mail shows it"),
    ],
)
def test_a_room_is_taken_as_people_have_it(given_: str, first: str) -> None:
    assert find_rooms(given_)[0] == first


def test_a_slug_is_also_looked_for_in_small_letters() -> None:
    assert list(find_rooms("My-Room")) == ["My-Room", "my-room"]


@pytest.mark.parametrize("given_", ["", "  ", "https://hang.fm/", "two words", "https://[", "a" * 300])
def test_what_names_no_room_is_refused(given_: str) -> None:
    with pytest.raises(UsageError, match="no room's name"):
        find_rooms(given_)


@given(st.text())
def test_any_text_is_taken_or_refused(text: str) -> None:
    with suppress(UsageError):
        assert find_token(text, where="token.txt")
    with suppress(UsageError):
        assert find_rooms(text)

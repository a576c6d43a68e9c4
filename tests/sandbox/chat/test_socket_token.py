import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangbot.sandbox.chat.socket_token import SocketTokens
from hangbot.sandbox.ids import Ids


def test_a_token_says_whose_it_is_and_which_auth_token_it_came_with() -> None:
    jwt = SocketTokens(Ids())

    token = jwt.sign("bot", 1000, 60, of="auth_1")

    assert jwt.read(token, 1059) == ("bot", jwt.digest("auth_1"))
    assert jwt.read(token, 1060) is None
    assert "auth_1" not in token


@pytest.mark.parametrize("token", [None, 5, "", "a.b.c", ".."])
def test_what_is_no_token_opens_nothing(token: object) -> None:
    assert SocketTokens(Ids()).read(token, 0) is None


def test_half_a_character_opens_nothing() -> None:  # no parameter: Allure cannot write one
    assert SocketTokens(Ids()).read("\ud800", 0) is None


@given(position=st.integers(0, 400), letter=st.sampled_from("AZaz09-_."))
def test_a_changed_token_opens_nothing(position: int, letter: str) -> None:
    jwt = SocketTokens(Ids())
    token = jwt.sign("bot", 1000, 60)
    at = position % len(token)
    forged = token[:at] + letter + token[at + 1 :]

    read = jwt.read(forged, 1000)

    assert read is None or forged == token


def test_another_servers_token_opens_nothing() -> None:
    assert SocketTokens(Ids()).read(SocketTokens(Ids()).sign("bot", 1000, 60), 1000) is None

import base64
import json
import re
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangbot.sandbox.chat_tokens import ChatTokenRules
from hangbot.sandbox.people import TOKEN_ROLES, People, Person
from hangbot.sandbox.user_tokens import BadToken
from tests.cases import cases

Exchange = Literal["same", "fresh", "replaces"]


class Now:
    def __init__(self) -> None:
        self.s = 1_800_000_000.0

    def __call__(self) -> float:
        return self.s


def claims_of(token: str) -> dict[str, object]:
    body = token.split(".")[1]
    claims: dict[str, object] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return claims


def reason_of(people: People, token: object) -> str:
    with pytest.raises(BadToken) as caught:
        people.verify(token)
    return caught.value.reason


@pytest.fixture
def people() -> People:
    return People(Now())


def test_a_token_carries_the_claims_of_the_public_sample(people: People) -> None:
    bot = people.add("hangbot", role="bot")

    ten_years, own = 10 * 365 * 24 * 3600, {"id": bot.uid, "sub": bot.uid, "type": "user", "role": "bot"}
    times = {"iat": 1_800_000_000, "exp": 1_800_000_000 + ten_years}
    assert claims_of(bot.token) == own | times | {"capabilities": [], "iss": "turntable-user-service"}


def test_a_token_opens_its_own_user_only(people: People) -> None:
    alice, bob = people.add("alice"), people.add("bob")

    opened = people.verify(alice.token)

    assert opened == alice
    assert people.by_token(bob.token) == bob


def test_a_token_of_another_sandbox_is_refused_by_its_signature() -> None:
    here, elsewhere = People(Now()), People(Now())
    stranger = elsewhere.add("mallory")

    reason = reason_of(here, stranger.token)

    assert reason == "signature"


def test_a_token_expires_on_the_sandbox_clock() -> None:
    now = Now()
    people = People(now)
    alice = people.add("alice", lifetime_s=60)
    assert people.by_token(alice.token) == alice

    now.s += 60

    assert reason_of(people, alice.token) == "expired"


def test_a_revoked_token_is_worthless_and_the_others_are_not(people: People) -> None:
    alice = people.add("alice")
    second = people.issue(alice.uid)

    people.revoke(alice.token)

    assert reason_of(people, alice.token) == "revoked"
    assert people.by_token(second) == alice


def test_a_token_that_names_nobody_is_refused(people: People) -> None:
    alice = people.add("alice")

    token = people.issue(alice.uid, claims={"sub": "nobody"})

    assert reason_of(people, token) == "unknown"


@pytest.mark.parametrize("token", [None, "", 7, b"x"])
def test_what_is_no_text_is_a_missing_token(token: object) -> None:
    assert reason_of(People(Now()), token) == "missing"


@given(st.text(min_size=1))
def test_no_text_makes_the_verification_raise_anything_else(token: str) -> None:
    assert reason_of(People(Now()), token) in {"malformed", "signature"}


def test_the_exchange_returns_the_chat_token_and_a_fresh_one_after_a_revocation(people: People) -> None:
    bot = people.add("hangbot", role="bot")
    first = people.exchange(bot.token)

    people.revoke(first)
    second = people.exchange(bot.token)

    assert first == bot.chat_token
    assert people.by_chat_token(first) is None
    assert second != first
    assert people.by_chat_token(second) == people.get(bot.uid)


def test_the_exchange_wants_a_good_token() -> None:
    with pytest.raises(BadToken):
        People(Now()).exchange("nonsense")


def test_forgiving_makes_revoked_tokens_good_again(people: People) -> None:
    alice = people.add("alice")
    people.revoke(alice.token)

    people.unrevoke_all()

    assert people.by_token(alice.token) == alice


def test_a_person_shows_no_token() -> None:
    bot = People(Now()).add("hangbot", role="bot")

    shown = repr(bot)

    assert bot.token not in shown
    assert bot.chat_token not in shown


def test_every_token_is_reported_so_that_it_can_be_masked() -> None:
    told: list[str] = []
    people = People(Now(), told.append)

    bot = people.add("hangbot", role="bot")
    other = people.issue(bot.uid)

    assert set(told) == {bot.token, bot.chat_token, other}


def test_a_changed_profile_is_seen_by_everybody_who_asks(people: People) -> None:
    alice = people.add("alice")

    people.change(alice.uid, nickname="Alice", color="#000000")

    whole = {"uuid": alice.uid, "nickname": "Alice", "avatarId": alice.avatar_id, "color": "#000000"}
    assert people.get(alice.uid).profile() == whole


def test_a_guest_is_a_ghost() -> None:
    ghost: Person = People(Now()).add("ghost-9910", role="guest")

    assert ghost.profile()["avatarId"] == "ghost"


def test_the_token_roles_are_those_of_the_types() -> None:
    names = "globalModerator staff superUser promoter user bot admin moderator guest"

    assert set(names.split()) == TOKEN_ROLES


@cases(
    "exchange same old_lives",
    ("the same token", "same", True, True),
    ("another beside it", "fresh", False, True),
    ("another in its place", "replaces", False, False),
)
def test_what_a_second_exchange_does_is_a_variant(exchange: Exchange, *, same: bool, old_lives: bool) -> None:
    people = People(Now(), rules=ChatTokenRules(exchange=exchange))
    ann = people.add("ann")

    first = people.exchange(ann.token)
    second = people.exchange(ann.token)

    assert (first == second) is same
    assert (people.by_chat_token(first) is not None) is old_lives
    assert people.by_chat_token(second) is not None


def test_the_life_of_a_chat_token_and_how_many_a_user_has_are_variants() -> None:
    now = Now()
    people = People(now, rules=ChatTokenRules(lifetime_s=60, exchange="fresh", most=2))
    ann = people.add("ann")

    tokens = [ann.chat_token, people.exchange(ann.token), people.exchange(ann.token)]
    alive = [people.by_chat_token(token) is not None for token in tokens]
    now.s += 60
    later = [people.by_chat_token(token) is not None for token in tokens]

    assert alive == [False, True, True]
    assert later == [False] * 3


def test_chat_tokens_look_like_those_of_their_server() -> None:
    openchat, cometchat = People(Now()), People(Now(), rules=ChatTokenRules(look="uid"))

    new, old = openchat.add("ann", uid="ann").chat_token, cometchat.add("ann", uid="ann").chat_token

    assert re.fullmatch(r"auth_[A-Za-z0-9_-]{43}", new)
    assert re.fullmatch(r"ann_\d+[0-9a-f]{40}", old)
    assert cometchat.by_chat_token(old) is not None


@cases(
    "nickname role uid",
    ("unknown role", "alice", "king", None),
    ("no name", "  ", "user", None),
    ("uid taken", "alice", "user", "taken"),
)
def test_nobody_is_added_by_mistake(people: People, nickname: str, role: str, uid: str | None) -> None:
    people.add("first", uid="taken")

    with pytest.raises(ValueError, match=r"role|nickname|already"):
        people.add(nickname, role=role, uid=uid)

    assert len(people) == 1

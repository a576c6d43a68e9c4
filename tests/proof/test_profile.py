import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_hangfm.proof.profile import Profile, ProfileError, alike, is_answer, parse, render
from tests.cases import cases

TEXTS = st.text(min_size=1, max_size=40)
PROFILES = st.builds(
    Profile,
    says=TEXTS,
    answers=TEXTS,
    room=st.booleans(),
    votes=st.booleans(),
    start=st.floats(0, 1e6),
    never=st.lists(TEXTS, max_size=3).map(tuple),
)


@given(PROFILES)
def test_what_is_written_is_read_back(profile: Profile) -> None:
    assert parse(render(profile), "a.toml") == profile


@cases(
    "text problem",
    ("a-misspelt-key", 'anwers = "pong"', "there is no key 'anwers'; did you mean answers?"),
    ("an-unknown-key", "zzzzzz = 1", "there is no key 'zzzzzz'; there are says,"),
    ("a-wrong-kind", "room = 1", "room has to be true or false, and is 1"),
    ("a-truth-for-a-number", "start = true", "start has to be a number of seconds, and is true"),
    ("a-negative-time", "pause = -1", "pause has to be a number of seconds"),
    ("an-empty-text-never", 'never = [""]', "never has to be a list of texts"),
    ("half-a-probe", 'says = "/ping"', "says and answers go together"),
    ("no-toml", "says =", "a.toml is no TOML"),
)
def test_a_profile_that_cannot_be_used_is_refused_in_a_sentence(text: str, problem: str) -> None:
    with pytest.raises(ProfileError, match=r"\A[^\n]+\Z") as caught:
        parse(text, "a.toml")

    assert problem in str(caught.value)


@cases(
    "first second",
    ("numbers", "up for 3 s", "up for 17.5 s"),
    ("names", "pong, Prue!", "pong, quentin!"),
    ("mentions", "pong <@uid:1a-b>!", "pong <@uid:none>!"),
    ("blanks-and-case", "Pong  you", "pong you "),
)
def test_answers_that_differ_in_numbers_and_names_are_alike(first: str, second: str) -> None:
    names = ("prue", "quentin")

    assert alike(first, names) == alike(second, names)


def test_an_answer_holds_what_the_profile_says() -> None:
    profile = Profile(says="/ping", answers="pong 12")

    assert is_answer(profile, "prue: Pong 3!", ("prue",))
    assert not is_answer(profile, "ping", ("prue",))
    assert not is_answer(Profile(), "anything")

import pytest

from hangbot.errors import UsageError
from hangbot.hangfm.wire.actions import ACTIONS, check_name


@pytest.mark.parametrize("name", [*ACTIONS, "kickUser", "nope", "", "vote", "x" * 100_000])
def test_a_known_action_and_one_of_another_kind_may_be_sent(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("voteOnsong", "voteOnSong"),
        ("addDJ", "addDj"),
        ("skipsong", "skipSong"),
        ("updateNextSongs", "updateNextSong"),
        ("playOneTimeAnimations", "playOneTimeAnimation"),
    ],
)
def test_a_misspelt_action_is_refused_with_what_was_meant(name: str, meant: str) -> None:
    with pytest.raises(UsageError, match=f"there is no room action {name}; did you mean {meant}\\?"):
        check_name(name)

"""All six examples in one bot, in a full room, for hours, about a fault a minute.

``HANGBOT_PROVE_CROWD=10`` is how many virtual hours; half of one is what `make prove` has time for.
"""

import os
from collections import Counter
from typing import Final

import pytest

from hangbot.sandbox import Sandbox
from pytest_hangfm.simulation.checker import check
from tests.app.proofs.crowd import Evening, Plays, spend

HOURS: Final = float(os.environ.get("HANGBOT_PROVE_CROWD", "0.75"))


@pytest.fixture(scope="module")
def evening() -> Evening:
    return spend(seed=17, hours=HOURS, users=500, pace=2.0)


async def test_a_song_that_is_over_at_once_was_played(hangfm_sandbox: Sandbox) -> None:
    plays = Plays(hangfm_sandbox)
    ann, bob = (hangfm_sandbox.users.add(name) for name in ("ann", "bob"))
    await ann.join()
    await bob.join()
    await ann.dj({"trackName": "Short"})
    before = plays.new()

    await bob.dj({"trackName": "Shorter"})
    await ann.step_down()
    await bob.step_down()
    await ann.dj({"trackName": "Short"})

    assert before == ["Short"]
    assert plays.new() == ["Short", "Shorter"]
    assert not plays.new()


@pytest.mark.slow
@pytest.mark.timeout(300 + 600 * HOURS)
def test_what_the_apps_keep_is_what_the_room_saw(evening: Evening) -> None:
    won = Counter(text[2:].partition(" has it")[0] for text in evening.said if text.startswith("✔"))
    songs = evening.of_app("song-stats").values()
    plays = {song["title"].partition(" - ")[2]: song["plays"] for song in songs}
    greeted = Counter(text for text in evening.said if text.startswith("Welcome, @guest"))

    assert not check(evening.history)
    assert evening.server is not None
    assert evening.seen == evening.server
    assert evening.of_app("trivia").get("scores", {}) == won
    assert all(number <= evening.played[title] for title, number in plays.items())
    assert all(evening.reported[title] >= number for title, number in plays.items())
    assert max(greeted.values()) == 1
    assert not evening.server.users & set(evening.of_app("moderator", "bans"))
    assert not evening.timers
    assert all((won, plays, greeted, evening.of_app("moderator", "bans")))

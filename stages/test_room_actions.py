"""Socket actions: each is sent, acknowledged, seen as a room message, and in the state afterwards.

They need no fault and no second person, so with ``--hangfm-target=live --hangfm-live-writes``
they also run against the server that the configuration names. There they touch no song of another user,
and the bot leaves the stage however a test ends.
"""

from typing import Any

import pytest
import pytest_asyncio

from hangbot import RoomClient, Settings
from pytest_hangfm import OpenRoom, RoomEvents

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.stage,
    pytest.mark.remedy("Run `pytest -m preflight`; then check what the room's settings let a bot do."),
]


def song(name: str) -> dict[str, Any]:
    return {
        "artistName": "hangbot",
        "trackName": name,
        "genre": None,
        "duration": 120,
        "isrc": None,
        "musicProviders": {"youtube": "dQw4w9WgXcQ"},
        "playbackToken": None,
        "thumbnails": {},
    }


@pytest.fixture
def me(hangfm_settings: Settings) -> str:
    if hangfm_settings.chat_uid is None:
        pytest.skip("the bot's uid is not known: set COMETCHAT_UID")
    return hangfm_settings.chat_uid


@pytest.fixture
def room(hangfm_room: RoomClient, me: str) -> RoomClient:
    """The room, in which the bot is not on stage: where it is, another program has put it there."""
    if hangfm_room.state is not None and hangfm_room.state.dj(me) is not None:
        pytest.skip("the bot is on stage already: end what plays there under its name, and run this again")
    return hangfm_room


@pytest_asyncio.fixture(loop_scope="function")
async def stage_room(room: RoomClient, hangfm_room_events: RoomEvents) -> RoomClient:
    """The room with the bot on stage."""
    await room.act("addDj", song=song("the first"))
    await hangfm_room_events.expect("addedDj")
    return room


def plays_own_song(room: RoomClient, me: str) -> bool:
    djs = room.state.djs() if room.state else []
    return bool(djs) and djs[0].get("uuid") == me


async def test_join_room_is_acknowledged_and_brings_the_profiles(
    hangfm_open_room: OpenRoom, hangfm_room_events: RoomEvents, me: str
) -> None:
    room = await hangfm_open_room(join=False, on_message=hangfm_room_events)

    state = await room.join()

    await hangfm_room_events.expect("updatedUserData")
    assert state is room.state
    assert me in state.data["allUserData"]


async def test_add_dj_puts_the_bot_on_stage(
    room: RoomClient, hangfm_room_events: RoomEvents, me: str
) -> None:
    await room.act("addDj", song=song("a song"))

    await hangfm_room_events.expect("addedDj")
    assert room.state is not None
    assert room.state.dj(me) is not None


async def test_remove_dj_takes_the_bot_off_stage(
    stage_room: RoomClient, hangfm_room_events: RoomEvents, me: str
) -> None:
    await stage_room.act("removeDj", djUuid=me)

    await hangfm_room_events.expect("removedDj")
    assert stage_room.state is not None
    assert stage_room.state.dj(me) is None


async def test_update_next_song_sets_what_the_bot_plays_next(
    stage_room: RoomClient, hangfm_room_events: RoomEvents, me: str
) -> None:
    await stage_room.act("updateNextSong", song=song("the second"))

    await hangfm_room_events.expect("updatedNextSong")
    assert stage_room.state is not None
    assert (stage_room.state.dj(me) or {})["nextSong"]["trackName"] == "the second"


@pytest.mark.parametrize("like", [pytest.param(True, id="up"), pytest.param(False, id="down")])
async def test_vote_on_song_is_counted(
    stage_room: RoomClient, hangfm_room_events: RoomEvents, me: str, *, like: bool
) -> None:
    if not plays_own_song(stage_room, me):
        pytest.skip("somebody else's song plays: a stage test does not vote on it")

    await stage_room.act("voteOnSong", songVotes={"like": like})

    await hangfm_room_events.expect("votedOnSong")
    assert stage_room.state is not None
    assert stage_room.state.votes(me)["like"] is like


async def test_skip_song_ends_the_bots_own_song(
    stage_room: RoomClient, hangfm_room_events: RoomEvents, me: str
) -> None:
    if not plays_own_song(stage_room, me):
        pytest.skip("somebody else's song plays: a stage test does not skip it")
    await stage_room.act("updateNextSong", song=song("the one after"))
    await hangfm_room_events.expect("updatedNextSong")

    await stage_room.act("skipSong")

    await hangfm_room_events.expect("playedSong")
    assert stage_room.state is not None
    assert (stage_room.state.now_playing() or {})["song"]["trackName"] == "the one after"


@pytest.mark.parametrize(
    "params",
    [
        pytest.param({"animation": "jump"}, id="jump"),
        pytest.param({"animation": "emoji", "emoji": "🎧"}, id="emoji"),
    ],
)
async def test_play_one_time_animation_is_shown_to_the_room(
    hangfm_room: RoomClient, hangfm_room_events: RoomEvents, me: str, params: dict[str, str]
) -> None:
    await hangfm_room.act("playOneTimeAnimation", **params)

    shown = await hangfm_room_events.expect("playedOneTimeAnimation")
    assert shown.params["userUuid"] == me
    assert {name: shown.params[name] for name in params} == params

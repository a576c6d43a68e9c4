"""Record and replay over real sockets, with hangbot's own client and with programs of their own."""

import asyncio
import json
import shutil
import sys
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from hangbot import Bot
from hangbot.errors import ConnectionLost
from hangbot.sandbox import Actor, RoomVariants, Sandbox
from pytest_hangfm import OpenBot, OpenProcess, OpenRecording, OpenReplay, OpenRoom, RoomEvents, RoomLog
from pytest_hangfm.sessions.record import recording
from tests.bounds import WITHIN

REPOSITORY = Path(__file__).parents[2]
SAMPLE = REPOSITORY / "tests" / "hangfm" / "wire" / "samples" / "room_session.jsonl"
JUMP = {"animation": "jump"}


@pytest.fixture
def hangfm_sandbox_options() -> dict[str, object]:
    """Profiles at once, so that they have a place of their own in what is recorded."""
    return {"variants": RoomVariants(profiles_ms=0)}


@pytest_asyncio.fixture
async def session(
    hangfm_record: OpenRecording, hangfm_open_room: OpenRoom, hangfm_user: Actor, tmp_path: Path
) -> Path:
    """A recorded session: the bot joins, alice plays a song, the bot jumps."""
    recording = await hangfm_record(tmp_path / "deep" / "session.jsonl")
    events = RoomEvents()
    room = await hangfm_open_room(room_url=recording.url, on_message=events)
    await hangfm_user.dj()
    await events.expect("playedSong")
    await room.act("playOneTimeAnimation", **JUMP)
    await events.expect("playedOneTimeAnimation")
    return recording.path


async def test_a_recording_has_every_frame_and_no_token(hangfm_sandbox: Sandbox, session: Path) -> None:
    text = text_of(session)

    head, opened, *events = map(json.loads, text.splitlines())
    assert head["format"] == 1
    assert "test_a_recording_has_every_frame" in head["recorded"]
    assert opened["open"] == hangfm_sandbox.bot.uid
    on_the_wire = [row["frame"] for row in hangfm_sandbox.journal.events(service="room", kind="frame")]
    assert sorted(event["frame"] for event in events) == sorted(on_the_wire)
    assert hangfm_sandbox.bot.token not in text


async def test_a_recorded_session_is_played_to_the_client_again(
    hangfm_replay: OpenReplay, hangfm_open_room: OpenRoom, hangfm_user: Actor, session: Path
) -> None:
    replay, events = await hangfm_replay(session), RoomEvents()

    room = await hangfm_open_room(room_url=replay.url, on_message=events)
    await room.act("playOneTimeAnimation", **JUMP)
    await events.expect("playedOneTimeAnimation")
    await replay.finished()

    names = [message.name for message in events.seen]
    assert names == ["updatedUserData", "addedDj", "playedSong", "playedOneTimeAnimation"]
    assert room.state is not None
    assert hangfm_user.uid in room.state.users()
    assert replay.unexpected == []


async def test_a_client_that_does_something_else_than_then_fails_with_the_conversation(
    hangfm_replay: OpenReplay, hangfm_open_room: OpenRoom, session: Path
) -> None:
    replay = await hangfm_replay(session)
    await hangfm_open_room(room_url=replay.url)

    with pytest.raises(pytest.fail.Exception) as caught:
        await replay.finished(within=0.05)

    first, *said = str(caught.value).splitlines()
    waits = "connection 1 of the replay stands at frame 5 of 7 and waits for the client's play"
    assert first.startswith(waits)
    assert said[:3] == ["  replay: welcome", "  client: joinRoom #1", "  replay: done #1"]


async def test_too_few_and_too_many_clients(hangfm_replay: OpenReplay, hangfm_sandbox: Sandbox) -> None:
    replay = await hangfm_replay(SAMPLE)
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    key = {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}

    with pytest.raises(
        pytest.fail.Exception, match=r"has yet to connect 1 more time.*\n  \(nobody connected\)"
    ):
        await replay.finished(within=0.01)
    async with (
        httpx.AsyncClient(trust_env=False, base_url=replay.url) as http,
        http.stream("GET", "/primus", headers=upgrade | key) as first,
    ):
        second = await http.get("/primus", headers=upgrade | key)

    assert (first.status_code, second.status_code) == (101, 503)
    assert hangfm_sandbox.room_uuid  # the sandbox is untouched by it


async def test_the_session_of_the_official_client_is_played_to_ours(
    hangfm_replay: OpenReplay, hangfm_open_room: OpenRoom, hangfm_room_events: RoomEvents
) -> None:
    replay = await hangfm_replay(SAMPLE)
    song = {"artistName": "any", "trackName": "song"}

    room = await hangfm_open_room(room_url=replay.url, on_message=hangfm_room_events)
    await room.act("addDj", song=song)
    await room.act("updateNextSong", song=song)
    await room.act("voteOnSong", songVotes={"like": True})
    await room.act("playOneTimeAnimation", **JUMP)
    await room.act("playOneTimeAnimation", animation="emoji", emoji="\N{PURPLE HEART}")
    await room.act("skipSong")
    await room.act("removeDj")
    await replay.finished()

    names = [message.name for message in hangfm_room_events.seen]
    assert names.count("playedOneTimeAnimation") == 2
    assert "removedDj" in names
    assert not room.ended.done()


async def test_a_cut_connection_is_cut_again_and_the_bot_comes_back(
    hangfm_record: OpenRecording,
    hangfm_replay: OpenReplay,
    hangfm_open_bot: OpenBot,
    hangfm_sandbox: Sandbox,
    tmp_path: Path,
) -> None:
    recording = await hangfm_record(tmp_path / "session.jsonl")
    bot = await hangfm_open_bot(room_url=recording.url)
    joined = hangfm_sandbox.journal.last_n
    await hangfm_sandbox.restart(services=["room"])
    await hangfm_sandbox.journal.wait_for(
        lambda row: "updatedUserData" in str(row.get("frame")), since=joined
    )
    bot.stop()
    closes = [row for row in rows(recording.path) if "close" in row]

    replay = await hangfm_replay(recording.path)
    await hangfm_open_bot(room_url=replay.url)
    await replay.finished()

    assert (closes[0]["from"], closes[0]["close"]) == ("server", 1006)
    assert {row["conn"] for row in rows(recording.path)} == {1, 2}


async def test_a_kick_ends_without_a_code_then_and_now(
    hangfm_record: OpenRecording,
    hangfm_replay: OpenReplay,
    hangfm_open_room: OpenRoom,
    hangfm_sandbox: Sandbox,
    tmp_path: Path,
) -> None:
    recording = await hangfm_record(tmp_path / "session.jsonl")
    first = await hangfm_open_room(room_url=recording.url)
    await hangfm_sandbox.kick(hangfm_sandbox.bot.uid)
    then = await asyncio.wait_for(first.ended, WITHIN)

    replay = await hangfm_replay(recording.path)
    second = await hangfm_open_room(room_url=replay.url)
    now = await asyncio.wait_for(second.ended, WITHIN)

    assert (then, now.reason) == (now, "kicked")
    assert rows(recording.path)[-1]["close"] is None


async def test_a_room_that_cannot_be_reached_is_a_cut_connection(
    hangfm_open_room: OpenRoom, hangfm_sandbox: Sandbox, tmp_path: Path
) -> None:
    await hangfm_sandbox.restart(60_000, ["room"])  # down for a minute
    async with recording(tmp_path / "session.jsonl", hangfm_sandbox.room_url, what="nothing") as relay:
        with pytest.raises(ConnectionLost):
            await hangfm_open_room(room_url=relay.url)

    assert [row.get("close", "open") for row in rows(relay.path)] == ["open", 1006]


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in text_of(path).splitlines()[1:]]


@pytest.mark.slow
async def test_any_program_is_recorded_and_played_to(
    *,
    hangfm_record: OpenRecording,
    hangfm_replay: OpenReplay,
    hangfm_open_process: OpenProcess,
    hangfm_sandbox: Sandbox,
    hangfm_user: Actor,
    hangfm_room_log: RoomLog,
    tmp_path: Path,
) -> None:
    shutil.copy(REPOSITORY / "examples" / "bot.py", tmp_path)
    argv = [sys.executable, "bot.py"]
    recording = await hangfm_record(tmp_path / "session.jsonl")
    relayed = {"SOCKET_SERVER_URL": recording.url}
    first = await hangfm_open_process(argv, env=relayed, cwd=tmp_path, within=WITHIN)
    await hangfm_sandbox.advance(30)
    await hangfm_sandbox.journal.wait_for(lambda row: "primus::pong" in str(row.get("frame")), within=WITHIN)
    await first.stop()

    replay = await hangfm_replay(tmp_path / "session.jsonl")
    bot = await hangfm_open_process(argv, env={"SOCKET_SERVER_URL": replay.url}, cwd=tmp_path, join=False)
    await replay.finished(within=WITHIN)  # joined, and answered the heartbeat
    await hangfm_user.say("/ping")

    await hangfm_room_log.expect("pong", from_=bot, within=WITHIN)


async def test_what_is_no_recording_is_one_line(hangfm_replay: OpenReplay, hangfm_bot: Bot) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"no-such\.jsonl cannot be read: No such file") as caught:
        await hangfm_replay("no-such.jsonl")

    assert "\n" not in str(caught.value)
    assert hangfm_bot.chat.uid

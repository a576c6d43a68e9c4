"""npm `ttfm-socket` 1.0.0, unmodified, in the sandbox: it works, and has the trouble it is known for."""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from hangbot.sandbox import Sandbox

if TYPE_CHECKING:
    from tests.interop.conftest import Join, OpenProgram, OpenSandboxProcess, Program

# The first test of a run waits for npm as well.
pytestmark = [pytest.mark.interop, pytest.mark.timeout(240)]

SONG: dict[str, Any] = {
    "artistName": "Nobody",
    "trackName": "Knows",
    "genre": None,
    "duration": 200,
    "isrc": None,
    "musicProviders": {},  # the server has to look it up
    "playbackToken": None,
    "thumbnails": {},
}
SENT_TO_A_ROOM = {
    "updatedUserData",
    "userJoined",
    "userLeft",
    "addedDj",
    "removedDj",
    "playedSong",
    "updatedNextSong",
    "votedOnSong",
    "lookedUpSong",
    "updatedRoomSettings",
    "updatedUserProfile",
    "playedOneTimeAnimation",
}
"""Every message but those that end a connection, and `updatedGuestPassword`: when that comes is unknown."""


def test_the_client_is_the_published_one(packages: Path) -> None:
    installed = packages / "node_modules" / "ttfm-socket"
    code = installed / "dist-client" / "client"

    version = json.loads((installed / "package.json").read_text(encoding="utf-8"))["version"]
    digests = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in code.glob("*Client.js")}

    assert version == "1.0.0"
    assert digests == {
        "ActionheroWebsocketClient.js": "38b5dea93b9d9e2cb89fb5d255d906f5047d65fa8f1ce8f46ad0dedd1c53cf29",
        "SocketClient.js": "7aeb67a662f17890336aa8ed47e05306e2fa55283d3d3c7983c03685f00e379b",
    }


async def test_it_runs_every_action_hears_every_message_and_its_state_stays_the_servers(
    room: "Program", join: "Join", quiet_sandbox: Sandbox
) -> None:
    alice = quiet_sandbox.users.add("alice")

    answer = await join()
    await alice.join()
    await room.hears("statefulMessage", name="userJoined")
    await room.act("addDj")
    await room.hears("statefulMessage", name="addedDj")
    await room.act("updateNextSong", song=SONG)
    await room.hears("statefulMessage", name="playedSong")
    await room.hears("statefulMessage", name="lookedUpSong")
    await room.act("voteOnSong", songVotes={"like": True})
    await alice.vote(like=False, star=True)
    await room.act("playOneTimeAnimation", animation="jump")
    jump = await room.hears("playedOneTimeAnimation")
    await room.act("playOneTimeAnimation", animation="emoji", emoji="💜")
    emoji = await room.hears("playedOneTimeAnimation")
    await alice.dj()
    await room.act("updateNextSong", song={**SONG, "trackName": "Comes next"})
    await room.act("skipSong")
    await room.hears("statefulMessage", name="playedSong")
    await room.act("removeDj")
    await room.hears("statefulMessage", name="removedDj")
    quiet_sandbox.users.add("mona", room_role="moderator")
    await rename_over_rest(quiet_sandbox, "a new name")
    await alice.leave()
    await room.hears("statefulMessage", name="userLeft")
    state = await room.do("state")

    assert answer["roomUuid"] == quiet_sandbox.room_uuid
    assert answer["allowedRooms"] == [quiet_sandbox.room_uuid]
    assert answer["allUserDataInAnswer"] == 0
    assert (jump["message"]["params"], emoji["message"]["params"]) == (
        {"userUuid": quiet_sandbox.bot.uid, "animation": "jump"},
        {"userUuid": quiet_sandbox.bot.uid, "animation": "emoji", "emoji": "💜"},
    )
    assert {row["name"] for row in room.heard("serverMessage")} == SENT_TO_A_ROOM
    assert {row["name"] for row in room.heard("statelessMessage")} == {"playedOneTimeAnimation"}
    assert state["allUserData"][quiet_sandbox.bot.uid]["userProfile"]["nickname"] == "a new name"
    assert state == quiet_sandbox.state
    assert room.heard("error") == []


async def rename_over_rest(sandbox: Sandbox, nickname: str) -> None:
    async with httpx.AsyncClient(base_url=sandbox.gateway_url, trust_env=False) as http:
        answer = await http.post(
            "/api/user-service/users/profile",
            json={"nickname": nickname},
            headers={"Authorization": f"Bearer {sandbox.bot.token}"},
        )
    assert answer.is_success, answer.text


async def test_its_envelopes_and_its_clock_are_those_of_the_lab(
    room: "Program", join: "Join", quiet_sandbox: Sandbox
) -> None:
    alice = quiet_sandbox.users.add("alice")
    quiet_sandbox.clock.advance(3600)

    await join()
    await alice.join()
    heard = await room.hears("serverMessage", name="userJoined")
    link = await room.do("link")

    assert heard["envelope"]["room"] == quiet_sandbox.room_uuid
    assert heard["envelope"]["from"] == "0"
    assert heard["envelope"]["context"] == "user"
    assert "messageId" not in heard["envelope"]
    assert abs(heard["envelope"]["sentAt"] - quiet_sandbox.clock.now_ms()) < 60_000
    assert abs(link["serverTimeOffset"] - 3_600_000) < 60_000
    assert room.heard("api")[0]["message"].keys() == {"welcome", "context"}


async def test_two_clients_in_a_sandbox_process_hear_each_other_and_agree_with_its_state(
    open_program: "OpenProgram", open_sandbox_process: "OpenSandboxProcess"
) -> None:
    ready = await open_sandbox_process()
    async with httpx.AsyncClient(base_url=ready["control_url"], trust_env=False) as control:
        zoe = (await control.post("/users", json={"nickname": "zoe"})).json()
        one, two = [await open_program("room.mjs", ready["room_url"]) for _ in range(2)]

        await one.do("join", token=ready["bot_token"], roomUuid=ready["room_uuid"])
        await two.do("join", token=zoe["token"], roomUuid=ready["room_uuid"])
        await one.hears("userJoined")
        for program in (one, two):  # it applies patches strictly, and the profiles come late
            await program.hears("statefulMessage", name="updatedUserData")
        await one.act("addDj", song=SONG)
        await two.hears("lookedUpSong")
        await two.act("voteOnSong", songVotes={"like": True})
        for program in (one, two):
            await program.hears("statefulMessage", name="votedOnSong")
        state = (await control.get("/state")).json()["state"]
        states = [await one.do("state"), await two.do("state")]

    assert state["voteCounts"]["likes"] == 1
    assert states == [state, state]

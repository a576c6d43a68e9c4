"""What frames ask for, and who hears what."""

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from hangbot.sandbox import Sandbox
from tests.cases import cases

if TYPE_CHECKING:
    from tests.sandbox.room.conftest import Client, OpenClient


async def test_a_response_that_takes_longer_comes_later(sandbox: Sandbox, joined: "Client") -> None:
    sandbox.faults.add("room.action", "reorder")

    await joined.ask("playOneTimeAnimation", 71, animation="fly")
    await joined.ask("playOneTimeAnimation", 72, animation="fly")
    answers = [(await joined.next())["messageId"] for _ in range(2)]

    assert answers == [72, 71]


async def test_verbs_do_not_count_as_pending_and_what_is_refused_is_gone(open_client: "OpenClient") -> None:
    client = await open_client(action_ms=1000)
    sandbox = client.sandbox
    for number in range(1, 7):
        await client.ask("joinRoom", number)
    await client.send({"event": "detailsView", "messageId": 7})

    refused, verb = await client.next(), await client.next()
    sandbox.clock.advance(1)
    answered = [(await client.response(number))["messageId"] for number in range(1, 6)]

    assert (refused["messageId"], refused["error"]) == (6, "you have too many pending requests")
    assert (verb["messageId"], verb["data"]["pendingActions"]) == (7, 5)
    assert answered == [1, 2, 3, 4, 5]
    assert sandbox.journal.events(dir="out", frame=json.dumps({"messageId": 6})) == []


@pytest.mark.parametrize("whose", ["own", "foreign"])
async def test_who_acts_the_token_says(sandbox: Sandbox, open_client: "OpenClient", whose: str) -> None:
    alice = sandbox.users.add("alice")
    await alice.join()
    client = await open_client(joined=True)

    sent = sandbox.bot.uid if whose == "own" else alice.uid
    answer = await client.act("addDj", userUuid=sent, tokenRole="admin")

    assert "error" not in answer
    assert [dj["uuid"] for dj in sandbox.state["djs"]] == [sandbox.bot.uid]


@cases("params", ("none", {}), ("null", {"djUuid": None}), ("own", {"djUuid": "OWN"}))
async def test_a_dj_leaves_by_any_name(sandbox: Sandbox, joined: "Client", params: dict[str, Any]) -> None:
    await joined.act("addDj")

    named = {name: value and sandbox.bot.uid for name, value in params.items()}
    answer = await joined.act("removeDj", **named)

    assert "error" not in answer
    assert sandbox.state["djs"] == []


async def test_whether_actions_answer_with_the_servers_state_is_a_variant(open_client: "OpenClient") -> None:
    client = await open_client(action_state=False, joined=True)

    answer = await client.act("addDj")

    assert answer == {"context": "response", "messageId": answer["messageId"]}


async def test_a_guest_has_a_password_of_his_own(sandbox: Sandbox, open_client: "OpenClient") -> None:
    watcher = await open_client(joined=True)
    await sandbox.set_guest_password("ghosts")
    client = await open_client("ghost-1", "guest")

    told = await watcher.until("updatedGuestPassword")
    refused = await client.act("joinRoom", password="ghosts")
    admitted = await client.act("joinRoom", guestPassword="ghosts")

    assert [op["path"] for op in told["statePatch"]] == ["/settings/isGuestPasswordProtected"]
    assert refused["error"] == "The password is wrong."
    assert "error" not in admitted


async def test_profiles_go_to_the_joiner_alone_and_the_others_hear_of_him(open_client: "OpenClient") -> None:
    watcher = await open_client("watcher", joined=True)
    await open_client(joined=True)

    heard = await watcher.next()

    assert heard["message"]["name"] == "userJoined"
    assert await watcher.quiet()


@pytest.mark.parametrize("sent_at", [True, False])
async def test_profiles_may_carry_a_time(open_client: "OpenClient", *, sent_at: bool) -> None:
    client = await open_client(profiles_sent_at=sent_at)
    await client.act("joinRoom")

    assert ("sentAt" in await client.next()) is sent_at


async def test_keys_vary_and_room_messages_have_no_id(sandbox: Sandbox, joined: "Client") -> None:
    await joined.act("addDj")
    await joined.until("addedDj")

    direct, broadcast = [f for f in joined.heard if f.get("context") == "user"]

    assert set(direct) == set(broadcast) == {"context", "from", "room", "sentAt", "message"}
    assert list(direct) != list(broadcast)
    assert (broadcast["from"], broadcast["room"]) == ("0", sandbox.room_uuid)


async def test_a_connection_in_two_rooms_hears_both(sandbox: Sandbox, open_client: "OpenClient") -> None:
    other = sandbox.add_room("other")
    alice = sandbox.users.add("alice")
    client = await open_client()
    await client.act("joinRoom")
    await client.act("joinRoom", roomUuid=other.uuid)

    await alice.join()
    await alice.join(other)
    heard: list[str] = []
    while len(heard) < 2:
        told = await client.next()
        heard += [told["room"]] if told["message"]["name"] == "userJoined" else []

    assert heard == [sandbox.room_uuid, other.uuid]


async def test_an_action_of_a_client_that_is_gone_by_then_is_not_done(open_client: "OpenClient") -> None:
    client = await open_client(action_ms=1000)
    sandbox = client.sandbox
    await client.ask("joinRoom", 1)
    await sandbox.journal.wait_for(lambda e: e["kind"] == "frame" and e["dir"] == "in")

    client.ws.transport.abort()
    await sandbox.journal.wait_for(lambda e: e["kind"] == "close")
    sandbox.clock.advance(1)
    await asyncio.sleep(0)

    assert sandbox.state["allUsers"] == []


async def test_members_have_the_recorded_fields_and_guests_may_have_four(open_client: "OpenClient") -> None:
    client = await open_client(real_shapes=True)
    ghost = client.sandbox.users.add("ghost-2", "guest")
    await ghost.join()

    joined = await client.join()

    profiles = {uid: data["userProfile"] for uid, data in client.state["allUserData"].items()}
    assert {"badges", "firstName", "zodiac", "displayPronouns"} < set(profiles[client.sandbox.bot.uid])
    assert set(profiles[ghost.uid]) == {"uuid", "nickname", "avatarId", "color"}
    assert {"discordServer", "explicit", "posterFile"} < set(joined["state"]["settings"])


@cases(
    "do leaves drifted",
    ("doubled", "duplicate", False, ["hangbot", "alice", "bob", "cat", "cat"]),
    ("lost", "drop", True, ["hangbot", "alice", "cat", "bob"]),
)
async def test_a_wrong_number_of_a_patch_corrupts_a_list_without_an_error_and_a_join_mends_it(
    sandbox: Sandbox, joined: "Client", do: str, drifted: list[str], *, leaves: bool
) -> None:
    alice, bob, cat = (sandbox.users.add(name) for name in ("alice", "bob", "cat"))
    await alice.join()
    await bob.join()
    sandbox.faults.add("room.message", do)

    if leaves:
        await alice.leave()
    await cat.join()
    while not await joined.quiet():
        pass
    seen = [sandbox.people.get(user["uuid"]).nickname for user in joined.state["allUsers"]]
    await joined.join()

    assert seen == drifted
    assert joined.state == sandbox.state


@pytest.mark.parametrize("do", ["kick", "reset_room"])
async def test_kick_and_reset_may_say_that_they_close(open_client: "OpenClient", do: str) -> None:
    client = await open_client(kick_deliberate=False, joined=True)

    await (client.sandbox.kick(client.sandbox.bot.uid) if do == "kick" else client.sandbox.reset_room())
    last = await client.next()

    assert last["message"]["name"] in {"kickedFromRoom", "roomReset"}
    assert await client.end() == 1005

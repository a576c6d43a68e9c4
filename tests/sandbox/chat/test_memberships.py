"""Who is in which group, and what everybody else is told."""

import pytest

from hangbot.sandbox.chat.dialects import COMETCHAT
from hangbot.sandbox.chat.rows import Push
from hangbot.sandbox.chat.rules import ChatRefusal
from hangbot.sandbox.chat.world import ChatWorld


@pytest.fixture
def world() -> ChatWorld:
    """CometChat's world with a room, ann in it, and ben who stands outside."""
    made = ChatWorld(lambda: 1_000_000.0, COMETCHAT.rules)
    made.ensure_group("room")
    made.join("ann", "room")
    made.ensure_user("ben", "Ben")
    return made


def told(pushes: list[Push]) -> list[tuple[str, str, str, set[str]]]:
    """Action, who did it, to whom, and who sees it."""
    return [
        (
            push.body["data"]["action"],
            push.body["data"]["entities"]["by"]["entity"]["uid"],
            push.body["data"]["entities"]["on"]["entity"]["uid"],
            set(push.to),
        )
        for push in pushes
    ]


def test_every_change_of_a_membership_is_an_action_that_the_members_see(world: ChatWorld) -> None:
    heard = [
        *told(world.join("ben", "room")[1]),
        *told(world.set_scope("ben", "room", "moderator", "ann")),
        *told(world.leave("ben", "room")),
        *told(world.add("ben", "room", by="ann")),
        *told(world.kick("ben", "room", "ann")),
        *told(world.ban("ben", "room")),
        *told(world.unban("ben", "room")),
    ]

    assert heard == [
        ("joined", "ben", "ben", {"ann"}),
        ("scopeChanged", "ann", "ben", {"ann", "ben"}),
        ("left", "ben", "ben", {"ann"}),
        ("added", "ann", "ben", {"ann", "ben"}),
        ("kicked", "ann", "ben", {"ann", "ben"}),
        ("banned", "system", "ben", {"ann"}),
        ("unbanned", "system", "ben", {"ann"}),
    ]


def test_such_an_action_is_a_row_about_a_group_member(world: ChatWorld) -> None:
    row, pushes = world.join("ben", "room")

    assert (row["category"], row["type"], row["conversationId"]) == ("action", "groupMember", "group_room")
    assert row["data"]["entities"]["for"]["entity"]["hasJoined"] is True
    assert pushes[0].device_id == "server"


def test_who_is_no_member_or_one_already_is_refused(world: ChatWorld) -> None:
    with pytest.raises(ChatRefusal, match="already_joined"):
        world.add("ann", "room")
    with pytest.raises(ChatRefusal, match="send_not_member"):
        world.set_scope("ben", "room", "admin")
    with pytest.raises(ChatRefusal, match="user_unknown"):
        world.add("nobody", "room")
    with pytest.raises(ChatRefusal, match="group_unknown"):
        world.unban("ann", "nowhere")


def test_on_openchat_a_kick_sounds_like_leaving_and_only_joining_is_heard_beside_it() -> None:
    world = ChatWorld(lambda: 1_000_000.0)
    world.ensure_group("room")
    world.join("ann", "room")

    heard = [
        *told(world.join("ben", "room")[1]),
        *told(world.set_scope("ben", "room", "moderator", "ann")),
        *told(world.kick("ben", "room", "ann")),
        *told(world.add("ben", "room", by="ann")),
        *told(world.ban("ben", "room")),
        *told(world.unban("ben", "room")),
    ]

    assert heard == [("joined", "ben", "ben", {"ann"}), ("left", "ben", "ben", {"ann"})]
    assert world.join("ann", "room") == ({}, [])  # who is in it already is not heard either

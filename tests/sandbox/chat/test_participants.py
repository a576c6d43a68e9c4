"""Who may do what in a group at which moment, on OpenChat: a table, role by role."""

import pytest

from hangbot.sandbox.chat.call import Answer
from hangbot.sandbox.people import Person
from tests.sandbox.chat.api_bench import API_KEY, LINE, ApiBench, refusal

FORBIDDEN = (403, "ERR_FORBIDDEN")
NOT_IN = (400, "ERR_NOT_A_MEMBER")
FINE = (200, None)
SENT = (201, None)
EDIT = {"data": {"text": "x"}}

INSIDE = ("participant", "moderator", "admin")
OUTSIDE = ("never a member", "kicked", "left", "unbanned")
EVERYBODY = (*INSIDE, "owner by name", *OUTSIDE, "banned")


def seen(answer: Answer) -> tuple[int, str | None]:
    return (answer.status, None) if answer.status < 400 else refusal(answer)


class Room(ApiBench):
    """A public room with alice, a message of hers on which she reacted, one of ben's, and ben in his role."""

    def __init__(self, role: str) -> None:
        super().__init__()
        self.ben = self.people.add("ben", uid="ben")
        self.joined(self.alice, self.ben)
        self.hers = self.send("hers", by=self.alice, muid="hers")["id"]
        self.his = self.send("his", by=self.ben, muid="his")["id"]
        self.ask("POST", f"messages/{self.hers}/reactions/x", by=self.alice)
        self.become(role)

    def become(self, role: str) -> None:
        members = self.world.groups["room"].members
        match role:
            case "moderator" | "admin":
                members["ben"].scope = role
            case "owner by name":
                self.world.groups["room"].owner = "ben"
            case "never a member":
                del members["ben"]
            case "left":
                self.world.leave("ben", "room")
            case "kicked":
                self.world.kick("ben", "room")
            case "banned" | "unbanned":
                self.world.ban("ben", "room")
        if role == "unbanned":
            self.world.unban("ben", "room")

    def tried(self, method: str, path: str, body: object = None, by: Person | None = None) -> object:
        return seen(self.ask(method, path, body, by=by or self.ben))


OF_A_MESSAGE = """GET messages/{hers}, GET user/messages/his, GET messages/{hers}/thread,
    GET messages/{hers}/reactions, POST messages/{hers}/reactions/y,
    DELETE messages/{hers}/reactions/y, POST messages/{hers}/interactions,
    GET groups/room/conversation, DELETE groups/room/conversation, POST groups/room/conversation/read,
    POST groups/room/conversation/delivered, DELETE groups/room/conversation/read"""


@pytest.mark.parametrize("role", EVERYBODY)
@pytest.mark.parametrize("call", OF_A_MESSAGE.split(","))
def test_what_hangs_on_a_message_is_for_those_who_are_in_the_group_now(role: str, call: str) -> None:
    room = Room(role)
    method, path = call.split()

    tried = room.tried(method, path.format(hers=room.hers), {})

    assert tried == (FINE if role in INSIDE or role == "owner by name" else FORBIDDEN)


def test_on_cometchat_who_looks_from_outside_is_told_to_join() -> None:
    chat = ApiBench("cometchat").joined()
    number = chat.send(by=chat.alice, muid="hers")["id"]
    direct = chat.send(by=chat.alice, receiver="alice", receiverType="user")["id"]
    chat.world.leave("bot", "room")

    outside = {refusal(chat.ask("GET", path)) for path in (f"messages/{number}", "user/messages/hers")}

    assert outside == {(401, "ERR_GROUP_NOT_JOINED")}
    assert refusal(chat.ask("GET", f"messages/{direct}")) == (404, "ERR_MESSAGE_ID_NOT_FOUND")


@pytest.mark.parametrize("role", EVERYBODY)
def test_the_history_of_a_public_group_is_for_all_but_the_banned_and_so_is_sending(role: str) -> None:
    expected = {"banned": (NOT_IN, NOT_IN, NOT_IN)}.get(role, (FINE, FINE, SENT))

    room = Room(role)

    assert (
        room.tried("GET", "groups/room/messages"),
        seen(room.ask("GET", "messages", query={"receiverType": "group", "receiver": "room"}, by=room.ben)),
        room.tried("POST", "messages", LINE),
    ) == expected


@pytest.mark.parametrize("role", EVERYBODY)
@pytest.mark.parametrize(("method", "body"), [("PUT", EDIT), ("DELETE", None)])
def test_ones_own_may_be_changed_from_outside_and_anothers_by_who_moderates(
    role: str, method: str, body: object
) -> None:
    room = Room(role)

    moderates = role in ("moderator", "admin", "owner by name")
    assert room.tried(method, f"messages/{room.hers}", body) == (FINE if moderates else FORBIDDEN)
    assert room.tried(method, f"messages/{room.his}", body) == FINE


@pytest.mark.parametrize("role", OUTSIDE)
@pytest.mark.parametrize("back", ["by joining", "by sending"])
def test_who_comes_back_sees_everything_again(role: str, back: str) -> None:
    room = Room(role)

    assert room.tried("GET", "user/messages/his") == FORBIDDEN
    if back == "by joining":
        assert room.tried("POST", "groups/room/members", {}) == FINE
    else:
        assert room.tried("POST", "messages", LINE) == SENT
    assert room.tried("GET", "user/messages/his") == FINE


MODERATION = """POST users, PUT users/ben, DELETE users/ben, POST users/ben/auth_tokens, POST groups,
    PUT groups/room, DELETE groups/room, PUT groups/room/members/alice, GET groups/room/bannedusers,
    POST groups/room/bannedusers/alice, DELETE groups/room/bannedusers/alice, DELETE conversations/group_room,
    DELETE groups/room/members/alice"""


@pytest.mark.parametrize("role", EVERYBODY)
@pytest.mark.parametrize("call", MODERATION.split(","))
def test_without_the_admin_key_nobody_moderates_not_even_the_owner(role: str, call: str) -> None:
    room = Room(role)
    method, path = call.split()

    assert room.tried(method, path, {}) == FORBIDDEN
    assert "alice" in room.world.groups["room"].members


def test_with_the_admin_key_members_are_added_promoted_kicked_and_banned() -> None:
    room = Room("participant")
    key = {"apikey": API_KEY}

    def ask(method: str, path: str, body: object = None) -> Answer:
        return room.ask(method, path, body, headers=key)

    made = ask("POST", "users", {"uid": "carol", "name": "Carol"})
    token = ask("POST", "users/carol/auth_tokens", {}).body["data"]["authToken"]
    group = ask("POST", "groups", {"guid": "club", "name": "Club", "type": "private", "owner": "ben"})
    added = ask("POST", "groups/club/members", {"moderators": ["carol"], "participants": ["ben"]})
    promoted = ask("PUT", "groups/club/members/ben", {"scope": "admin"})
    scopes = {uid: member.scope for uid, member in room.world.groups["club"].members.items()}
    kicked = ask("DELETE", "groups/club/members/carol")
    banned = ask("POST", "groups/room/bannedusers/ben", {})
    unbanned = ask("DELETE", "groups/room/bannedusers/ben")

    assert (made.status, group.status, made.body["data"]["name"]) == (201, 201, "Carol")
    assert room.ask("GET", "me", headers={"authtoken": token}).body["data"]["uid"] == "carol"
    assert group.body["data"]["owner"] == "ben"
    assert [member["uid"] for member in added.body["data"]["members"]] == ["ben", "carol"]
    assert scopes == {"carol": "moderator", "ben": "admin"}
    assert promoted.body["data"]["success"] == {"ben": {"message": "Member added.", "success": True}}
    assert set(room.world.groups["club"].members) == {"ben"}
    assert kicked.body["data"] == {"success": True}
    assert [answer.body["data"]["message"] for answer in (banned, unbanned)] == [
        "User banned.",
        "User unbanned.",
    ]
    assert "ben" not in room.world.groups["room"].members


def test_the_admin_key_does_nothing_that_nobody_recorded() -> None:
    room = Room("participant")

    assert refusal(room.ask("DELETE", "users/ben", headers={"apikey": API_KEY})) == (
        404,
        "ERR_ROUTE_NOT_FOUND",
    )
    for path in ("users", "groups"):
        assert refusal(room.ask("POST", path, {}, headers={"apikey": API_KEY})) == (
            400,
            "MISSING_PARAMETERS",
        )


def test_of_a_direct_message_only_its_two_sides_know() -> None:
    room = Room("participant")
    direct = {"receiver": "ben", "receiverType": "user", "muid": "psst"}
    number = room.send("psst", by=room.alice, **direct)["id"]
    paths = [f"messages/{number}", "user/messages/psst", f"messages/{number}/reactions"]

    outside = {room.tried("GET", path, by=room.bot) for path in paths}
    inside = {room.tried("GET", path, by=person) for path in paths for person in (room.ben, room.alice)}

    assert outside == {FORBIDDEN}
    assert inside == {FINE}


ON_AN_UNKNOWN_MESSAGE = """
GET messages/{} 404
GET messages/{}/reactions 404
GET messages/{}/reactions/x 404
POST messages/{}/interactions 404
POST users/alice/conversation/read 404
GET messages/{}/thread 200
PUT messages/{} 400
DELETE messages/{} 400
POST messages/{}/reactions/x 400
DELETE messages/{}/reactions/x 400
POST messages/{}/thread 400
"""


@pytest.mark.parametrize("line", ON_AN_UNKNOWN_MESSAGE.strip().splitlines())
@pytest.mark.parametrize("number", ["999999", "abc", "0", "-1"])
def test_an_unknown_message_is_400_to_who_changes_and_404_to_who_looks(line: str, number: str) -> None:
    method, path, expected = line.split()
    body = {**LINE, **EDIT, "messageId": number} if method != "GET" else None

    answer = Room("participant").ask(method, path.format(number), body)

    assert answer.status == int(expected)
    assert (
        (refusal(answer)[1] == "ERR_MESSAGE_NOT_FOUND") if answer.status > 200 else answer.body["data"] == []
    )

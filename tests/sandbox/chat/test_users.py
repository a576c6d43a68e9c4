"""The lists of users and groups, who blocked whom, and what is where no room stands."""

from typing import Any

import pytest

from hangbot.sandbox.chat.rows import Json
from tests.sandbox.chat.api_bench import API_KEY, LINE, ApiBench, refusal


class Town(ApiBench):
    """A bot, alice, ben and carol; a room, a private group, and a club."""

    def __init__(self) -> None:
        super().__init__()
        for name in ("ben", "carol"):
            self.people.add(name.title(), uid=name)
        self.world.ensure_group("club", "Golf")

    def listed(self, path: str, key: str, **query: str) -> list[str]:
        answer = self.ask("GET", path, query=query).body
        assert "meta" not in answer
        return [row[key] for row in answer["data"]]


@pytest.mark.parametrize(
    ("query", "users", "groups"),
    [
        pytest.param({}, ["alice", "ben", "bot", "carol"], ["club", "room", "secret"], id="all"),
        pytest.param({"limit": "2"}, ["alice", "ben"], ["club", "room"], id="limit"),
        pytest.param({"per_page": "2", "page": "2"}, ["bot", "carol"], ["secret"], id="page"),
        pytest.param({"limit": "0"}, ["alice"], ["club"], id="less than one is one"),
        pytest.param({"limit": "x"}, ["alice"], ["club"], id="nonsense is one"),
        pytest.param({"searchKey": "AROL"}, ["carol"], [], id="search in the id"),
        pytest.param({"searchKey": "golf"}, [], ["club"], id="search in the name"),
        pytest.param(
            {
                "hasJoined": "1",
                "type": "public",
                "uids": "ben",
                "guids": "room",
                "searchKeyword": "x",
                "scope": "admin",
                "status": "online",
                "tags": "x",
            },
            ["alice", "ben", "bot", "carol"],
            ["club", "room", "secret"],
            id="what else is documented does nothing",
        ),
    ],
)
def test_users_and_groups_are_all_listed_by_id_in_pages(
    query: dict[str, str], users: list[str], groups: list[str]
) -> None:
    town = Town()

    assert town.listed("users", "uid", **query) == users
    assert town.listed("groups", "guid", **query) == groups


def test_a_list_of_groups_counts_members_and_a_single_group_says_none() -> None:
    town = Town()
    town.joined()

    assert [row["membersCount"] for row in town.ask("GET", "groups").body["data"]] == [0, 2, 0]
    assert town.ask("GET", "groups/room").body["data"]["membersCount"] == 0


def test_of_members_only_their_scope_filters() -> None:
    town = Town()
    town.joined()
    town.world.groups["room"].members["bot"].scope = "admin"

    def members(**query: str) -> list[str]:
        return town.listed("groups/room/members", "uid", **query)

    assert members() == members(limit="1", page="2", searchKey="ali", status="x") == ["alice", "bot"]
    assert members(scope="admin") == ["bot"]
    assert members(scope="moderator") == []


def test_who_blocks_whom_is_told_to_both_and_stops_nothing() -> None:
    town = Town()

    blocked = town.ask("POST", "blockedusers", {"blockedUids": ["alice", "ghost"]}).body["data"]
    mine = town.ask("GET", "blockedusers").body
    hers = town.ask("GET", "blockedusers", by=town.alice).body["data"]
    seen = town.ask("GET", "users/alice").body["data"]
    sent = town.ask("POST", "messages", {**LINE, "receiver": "bot", "receiverType": "user"}, by=town.alice)
    unblocked = town.ask("DELETE", "blockedusers", {"uids": "alice"}).body["data"]

    said = {"message": "User blocked.", "success": True}
    assert blocked == {"alice": said, "ghost": said}
    assert [(row["uid"], row["blockedByMe"], row["hasBlockedMe"]) for row in mine["data"]] == [
        ("alice", True, False),
        ("ghost", True, False),
    ]
    assert mine["meta"]["cursor"] == {}
    assert (mine["meta"]["pagination"]["total"], mine["meta"]["pagination"]["total_pages"]) == (2, 1)
    assert [(row["uid"], row["blockedByMe"], row["hasBlockedMe"]) for row in hers] == [("bot", False, True)]
    assert (seen["blockedByMe"], sent.status) == (True, 201)
    assert unblocked == {"alice": {"message": "User unblocked.", "success": True}}
    assert [row["uid"] for row in town.ask("GET", "blockedusers").body["data"]] == ["ghost"]


@pytest.mark.parametrize("body", [None, {}, [], {"blockedUids": []}, {"blockedUids": None}])
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_blocking_nobody_is_fine(method: str, body: Json) -> None:
    assert Town().ask(method, "blockedusers", body).body["data"] == {}


@pytest.mark.parametrize(
    ("direction", "expected"),
    [
        ("both", ["alice", "ben"]),
        ("blockedByMe", ["alice"]),
        ("hasBlockedMe", ["ben"]),
        ("", ["alice", "ben"]),
    ],
)
def test_a_block_list_has_both_directions_or_one(direction: str, expected: list[str]) -> None:
    town = Town()
    town.world.block("bot", "alice")
    town.world.block("ben", "bot")

    found = town.ask("GET", "blockedusers", query={"direction": direction}).body["data"]

    assert [row["uid"] for row in found] == expected


def test_the_jwt_works_in_the_tokens_place_and_can_be_had_anew() -> None:
    town = Town()
    jwt = town.ask("POST", "me/jwt", {}).body["data"]["jwt"]

    for headers in ({"authtoken": jwt}, {"Authorization": f"BEARER {jwt}"}):
        assert town.ask("GET", "me", headers=headers).body["data"]["uid"] == "bot"
    for headers in (
        {"Authorization": town.bot.chat_token},
        {"Authorization": f"Basic {town.bot.chat_token}"},
        {"x-auth-token": town.bot.chat_token},
        {"cookie": f"authToken={town.bot.chat_token}"},
        {"authtoken": "wrong", "Authorization": f"Bearer {town.bot.chat_token}"},
    ):
        assert refusal(town.ask("GET", "me", headers=headers)) == (401, "ERR_NO_AUTH")


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        pytest.param("GET", "me", {"apikey": API_KEY}, 401, id="the key is nobody"),
        pytest.param("GET", "groups/room/members", {"apikey": API_KEY}, 200, id="members, by the key"),
        pytest.param("GET", "groups/room/members", {"apikey": "x"}, 403, id="members, by a wrong one"),
        pytest.param("GET", "groups/room/messages", {"apikey": API_KEY}, 401, id="no history by the key"),
        pytest.param("POST", "groups/room/members", {"apikey": "x"}, 403, id="a join without a token"),
        pytest.param("POST", "groups/room/members", {}, 401, id="a join without anything"),
    ],
)
def test_where_openchat_looks_at_the_key(
    method: str, path: str, headers: dict[str, str], status: int
) -> None:
    assert Town().ask(method, path, {}, headers=headers).status == status


@pytest.mark.parametrize(
    ("body", "session"),
    [({}, "session"), ({"deviceId": "d"}, "d"), ({"deviceId": "d", "sessionId": "s"}, "s")],
)
def test_a_session_is_named_as_its_device(body: dict[str, str], session: str) -> None:
    assert Town().ask("POST", "user_sessions", body).body["data"]["sessionId"] == session


@pytest.mark.parametrize(
    "path", ["groups/nowhere/members", "groups/nowhere/members/bot", "groups/room/members"]
)
def test_leaving_what_one_is_not_in_succeeds_even_what_does_not_exist(path: str) -> None:
    assert Town().ask("DELETE", path).body["data"] == {"success": True}


@pytest.mark.parametrize("body", [[], 5, None, "x", {"participants": ["alice"]}, {"moderators": ["bot"]}])
def test_any_body_joins_oneself_as_a_participant(body: Json) -> None:
    town = Town()

    assert town.ask("POST", "groups/room/members", body).body["data"]["hasJoined"] is True
    assert [(uid, m.scope) for uid, m in town.world.groups["room"].members.items()] == [
        ("bot", "participant")
    ]


def test_a_private_group_is_joined_by_nobody_not_even_its_members() -> None:
    town = Town()
    town.world.ensure_user("bot")
    town.world.add("bot", "secret")

    assert refusal(town.ask("POST", "groups/secret/members", {})) == (400, "ERR_FORBIDDEN")


@pytest.mark.parametrize(
    ("password", "status"), [("x", 200), ("X", 400), ("", 400), (["x"], 400), (None, 400)]
)
def test_a_password_is_that_very_text(password: Json, status: int) -> None:
    town = Town()
    town.world.ensure_group("pw", kind="password", password="x")

    assert town.ask("POST", "groups/pw/members", {"password": password}).status == status


def test_reactions_come_in_pages_the_newest_first() -> None:
    town = Town()
    town.joined()
    number = town.send()["id"]
    for emoji in "abc":
        town.ask("POST", f"messages/{number}/reactions/{emoji}")

    def page(**query: str) -> tuple[list[str], dict[str, Any]]:
        answer = town.ask("GET", f"messages/{number}/reactions", query=query).body
        return [row["reaction"] for row in answer["data"]], answer["meta"]

    newest, meta = page(limit="2")
    older, last = page(limit="2", affix="prepend", id=str(meta["previous"]["cursorId"]))

    assert (newest, older) == (["c", "b"], ["a"])
    assert (meta["pagination"]["total"], meta["pagination"]["total_pages"]) == (3, 2)
    assert last["previous"]["affix"] == "prepend"
    assert page(affix="append")[0] == ["a", "b", "c"]
    assert page(affix="append")[1]["next"]["cursorValue"] == 3
    assert town.ask("GET", f"messages/{number}/reactions/none").body["meta"] == {
        "pagination": {"count": 0, "current_page": 1, "per_page": 10, "total": 0, "total_pages": 0}
    }


def test_nobody_reacts_to_a_deleted_message() -> None:
    town = Town()
    town.joined()
    number = town.send()["id"]
    town.ask("DELETE", f"messages/{number}")

    assert {refusal(town.ask(method, f"messages/{number}/reactions/x")) for method in ("POST", "DELETE")} == {
        (403, "ERR_FORBIDDEN")
    }


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", 404), ("OPTIONS", 204), ("TRACE", 501), ("FOO", 404), ("PATCH", 404)]
)
@pytest.mark.parametrize("path", ["settings", "messages", "nothing"])
def test_methods_that_are_no_calls(method: str, status: int, path: str) -> None:
    answer = Town().ask(method, path)

    assert answer.status == status
    assert (answer.body is None) is (method in ("HEAD", "OPTIONS", "TRACE"))

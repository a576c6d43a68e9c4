"""The REST calls without sockets: both dialects, good input and bad."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from hangbot.sandbox.chat.call import Answer, Call, fault_point, split_path
from hangbot.sandbox.chat.changes import reaction_rows
from hangbot.sandbox.chat.dialects import COMETCHAT, OPENCHAT
from hangbot.sandbox.chat.errors import Wording
from hangbot.sandbox.chat.rows import Json
from tests.sandbox.chat.desk import API_KEY, APP_ID, LINE, Desk, refusal

SEND = ("POST", "messages")
HISTORY = ("GET", "groups/room/messages")


@pytest.mark.parametrize(
    ("dialect", "call", "body", "expected"),
    [
        pytest.param("openchat", ("GET", "nothing"), None, (404, "ERR_ROUTE_NOT_FOUND"), id="o: no route"),
        pytest.param("cometchat", ("GET", "nothing"), None, (404, "ERR_API_NOT_FOUND"), id="c: no route"),
        pytest.param("openchat", ("GET", ""), None, (404, "ERR_ROUTE_NOT_FOUND"), id="o: a bare version"),
        pytest.param("openchat", ("GET", "users/x"), None, (404, "ERR_UID_NOT_FOUND"), id="o: no such user"),
        pytest.param("cometchat", ("GET", "users/x"), None, (404, "ERR_UID_NOT_FOUND"), id="c: no such user"),
        pytest.param(
            "openchat", ("GET", "groups/x"), None, (404, "ERR_GUID_NOT_FOUND"), id="o: no such group"
        ),
        pytest.param(
            "openchat", ("GET", "groups/x/members"), None, (404, "ERR_GUID_NOT_FOUND"), id="o: no members"
        ),
        pytest.param(
            "openchat", ("POST", "groups/x/members"), {}, (400, "ERR_GUID_NOT_FOUND"), id="o: join none"
        ),
        pytest.param(
            "cometchat", ("POST", "groups/x/members"), {}, (404, "ERR_GUID_NOT_FOUND"), id="c: join none"
        ),
        pytest.param(
            "openchat", ("POST", "groups/secret/members"), {}, (400, "ERR_FORBIDDEN"), id="o: private"
        ),
        pytest.param(
            "cometchat",
            ("POST", "groups/secret/members"),
            {},
            (403, "ERR_GROUP_JOIN_NOT_ALLOWED"),
            id="c: private",
        ),
        pytest.param(
            "openchat", ("POST", "groups/room/join"), {}, (404, "ERR_ROUTE_NOT_FOUND"), id="o: /join"
        ),
        pytest.param(
            "openchat",
            ("GET", "groups/secret/messages"),
            None,
            (400, "ERR_NOT_A_MEMBER"),
            id="o: read private",
        ),
        pytest.param(
            "cometchat", HISTORY, None, (401, "ERR_GROUP_NOT_JOINED"), id="c: reading without joining is 401"
        ),
        pytest.param(
            "cometchat", SEND, LINE, (401, "ERR_GROUP_NOT_JOINED"), id="c: sending without joining is 401"
        ),
        pytest.param(
            "openchat", SEND, {**LINE, "receiver": "x"}, (400, "ERR_GUID_NOT_FOUND"), id="o: send to none"
        ),
        pytest.param(
            "cometchat", SEND, {**LINE, "receiver": "x"}, (404, "ERR_GUID_NOT_FOUND"), id="c: send to none"
        ),
        pytest.param("openchat", SEND, {}, (400, "MISSING_PARAMETERS"), id="o: no receiver"),
        pytest.param("cometchat", SEND, {}, (400, "ERR_BAD_REQUEST"), id="c: no receiver"),
        pytest.param(
            "openchat",
            SEND,
            {**LINE, "receiver": None, "multipleReceivers": {"guids": ["room"]}},
            (400, "MISSING_PARAMETERS"),
            id="o: several receivers are the admin API's",
        ),
        pytest.param("openchat", SEND, [], (400, "MISSING_PARAMETERS"), id="o: a list for a body"),
        pytest.param(
            "openchat", SEND, {**LINE, "receiverType": "x"}, (400, "INVALID_RECEIVERTYPE"), id="o: type"
        ),
        pytest.param(
            "cometchat", SEND, {**LINE, "data": {"text": " "}}, (400, "ERR_BAD_REQUEST"), id="c: blank"
        ),
        pytest.param(
            "cometchat", SEND, {**LINE, "category": "x"}, (400, "ERR_BAD_REQUEST"), id="c: category"
        ),
        pytest.param("cometchat", SEND, {**LINE, "type": ""}, (400, "ERR_BAD_REQUEST"), id="c: no type"),
        pytest.param(
            "cometchat",
            SEND,
            {**LINE, "data": {"text": "x" * 65_537}},
            (400, "ERR_BAD_REQUEST"),
            id="c: long",
        ),
        pytest.param(
            "cometchat", SEND, {**LINE, "category": "custom"}, (400, "ERR_BAD_REQUEST"), id="c: custom"
        ),
        pytest.param(
            "openchat", SEND, {**LINE, "data": 5}, (500, None), id="o: data of a wrong type crashes it"
        ),
        pytest.param("openchat", SEND, {**LINE, "data": "{"}, (500, None), id="o: data as broken JSON text"),
        pytest.param("openchat", SEND, {**LINE, "data": {"metadata": 5}}, (500, None), id="o: metadata"),
        pytest.param("openchat", SEND, {**LINE, "muid": {}}, (500, None), id="o: muid"),
        pytest.param("cometchat", SEND, {**LINE, "tags": "x"}, (400, "ERR_BAD_REQUEST"), id="c: tags"),
        pytest.param(
            "openchat", SEND, {**LINE, "parentId": []}, (400, "ERR_MESSAGE_NOT_FOUND"), id="o: parentId"
        ),
        pytest.param("openchat", SEND, {**LINE, "receiver": {}}, (500, None), id="o: receiver"),
        pytest.param(
            "openchat",
            SEND,
            {**LINE, "receiver": True},
            (400, "ERR_GUID_NOT_FOUND"),
            id="o: a truth is read as text",
        ),
        pytest.param(
            "cometchat", SEND, {**LINE, "receiver": ["room"]}, (400, "ERR_BAD_REQUEST"), id="c: receiver"
        ),
        pytest.param(
            "openchat", ("GET", "messages/9"), None, (404, "ERR_MESSAGE_NOT_FOUND"), id="o: no message"
        ),
        pytest.param(
            "cometchat", ("GET", "messages/9"), None, (404, "ERR_MESSAGE_ID_NOT_FOUND"), id="c: no message"
        ),
        pytest.param("openchat", ("GET", "messages/x"), None, (404, "ERR_MESSAGE_NOT_FOUND"), id="o: no id"),
        pytest.param(
            "openchat", ("GET", "messages/" + "9" * 30), None, (404, "ERR_MESSAGE_NOT_FOUND"), id="o: long id"
        ),
        pytest.param(
            "openchat", ("GET", "user/messages/x"), None, (404, "ERR_MESSAGE_NOT_FOUND"), id="o: no muid"
        ),
        pytest.param(
            "openchat", ("PATCH", "messages/9/interacted"), {}, (404, "ERR_ROUTE_NOT_FOUND"), id="o: patch"
        ),
        pytest.param(
            "openchat", ("DELETE", "groups/room/members/alice"), None, (403, "ERR_FORBIDDEN"), id="o: other"
        ),
        pytest.param(
            "openchat", ("POST", "messages/9/thread"), LINE, (400, "ERR_MESSAGE_NOT_FOUND"), id="o: thread"
        ),
        pytest.param(
            "openchat", ("GET", "messages/9/reactions/a/b"), None, (404, "ERR_ROUTE_NOT_FOUND"), id="o: deep"
        ),
        pytest.param("openchat", ("PUT", "settings"), None, (404, "ERR_ROUTE_NOT_FOUND"), id="o: settings"),
        pytest.param("openchat", ("POST", "me"), None, (404, "ERR_ROUTE_NOT_FOUND"), id="o: me"),
        pytest.param("openchat", ("PUT", "users/bot"), None, (403, "ERR_FORBIDDEN"), id="o: users"),
        pytest.param("cometchat", ("PUT", "users/bot"), None, (404, "ERR_API_NOT_FOUND"), id="c: users"),
        pytest.param(
            "openchat", ("GET", "user_sessions"), None, (404, "ERR_ROUTE_NOT_FOUND"), id="o: sessions"
        ),
    ],
)
def test_what_cannot_be_done_is_refused_as_the_dialect_does(
    dialect: str, call: tuple[str, str], body: Json, expected: tuple[int, str | None]
) -> None:
    desk = Desk(dialect)

    answer = desk.ask(*call, body)

    assert refusal(answer) == expected
    assert desk.world.store.messages() == []


@pytest.mark.parametrize(
    ("dialect", "headers", "expected"),
    [
        pytest.param("openchat", {}, (401, "ERR_NO_AUTH"), id="o: no token"),
        pytest.param(
            "openchat", {"authToken": "x_1f"}, (401, "ERR_NO_AUTH"), id="o: a token of the old service"
        ),
        pytest.param("cometchat", {}, (401, "AUTH_ERR_EMPTY_APPID"), id="c: no app id"),
        pytest.param("cometchat", {"appId": "x"}, (401, "AUTH_ERR_INVALID_APPID"), id="c: a wrong app id"),
        pytest.param("cometchat", {"appId": APP_ID}, (401, "AUTH_ERR_EMPTY_AUTH_TOKEN"), id="c: no token"),
        pytest.param(
            "cometchat",
            {"appId": APP_ID, "authToken": "x"},
            (401, "AUTH_ERR_AUTH_TOKEN_NOT_FOUND"),
            id="c: wrong",
        ),
        pytest.param(
            "cometchat",
            {"appId": APP_ID, "apikey": APP_ID},
            (401, "AUTH_ERR_APIKEY_NOT_FOUND"),
            id="c: apikey",
        ),
    ],
)
def test_a_call_without_a_good_token_is_refused_as_the_dialect_does(
    dialect: str, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    desk = Desk(dialect)

    answer = desk.ask("GET", "me", headers=headers)

    assert refusal(answer) == expected


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        pytest.param("Bearer {}", None, id="as Authorization: Bearer"),
        pytest.param(None, "{}", id="as a parameter"),
    ],
)
def test_openchat_takes_the_token_from_other_places_too(headers: str | None, query: str | None) -> None:
    for dialect, status in (("openchat", 200), ("cometchat", 401)):
        desk = Desk(dialect)
        token = desk.bot.chat_token

        answer = desk.ask(
            "GET",
            "me",
            headers={"appId": APP_ID} | ({"Authorization": headers.format(token)} if headers else {}),
            query={"authToken": query.format(token)} if query else {},
        )

        assert answer.status == status


def test_the_app_id_sent_as_an_apikey_is_refused_though_the_token_is_good() -> None:
    desk = Desk()
    headers = {"authtoken": desk.bot.chat_token, "apikey": APP_ID}

    sent = desk.ask("POST", "messages", LINE, headers=headers)
    joined = desk.ask("POST", "groups/room/members", {"participants": ["bot"]}, headers=headers)
    members = desk.ask("GET", "groups/room/members", headers=headers)
    read = desk.ask("GET", "me", headers=headers)
    joined_without_names = desk.ask("POST", "groups/room/members", {}, headers=headers)

    assert refusal(sent) == refusal(joined) == refusal(members) == (403, "ERR_FORBIDDEN")
    assert read.status == joined_without_names.status == 200


@pytest.mark.parametrize(
    "reason", [pytest.param(r, id=r) for r in ("malformed", "bad_content_type", "too_large")]
)
def test_a_body_that_cannot_be_read_is_500_and_empty_on_openchat(reason: str) -> None:
    openchat = Desk().ask("POST", "messages", None, unreadable=reason)
    cometchat = Desk("cometchat").ask("POST", "messages", None, unreadable=reason)

    assert (openchat.status, openchat.body) == (500, None)
    assert cometchat.status in (400, 413)
    assert cometchat.body["error"]["code"] == "ERR_BAD_REQUEST"


def test_cometchat_names_the_faulty_field() -> None:
    answer = Desk("cometchat").ask("POST", "messages", {**LINE, "receiver": ""})

    error = answer.body["error"]
    assert list(error) == ["code", "message", "devMessage", "details", "source"]
    assert list(error["details"]) == ["receiver"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            {
                "hasJoined": False,
                "membersCount": 0,
                "isBanned": False,
                "guid": "room",
                "name": "name",
                "type": "public",
            },
            id="the SDK's",
        ),
        pytest.param({"participants": ["bot"], "participantType": "user"}, id="participants as uids"),
        pytest.param(
            {"participants": [{"uid": "bot", "scope": "participant"}]}, id="participants as objects"
        ),
        pytest.param({"members": [{"uid": "bot", "scope": "participant"}]}, id="members"),
        pytest.param(None, id="none"),
    ],
)
@pytest.mark.parametrize("dialect", ["openchat", "cometchat"])
def test_every_join_body_joins_the_caller(dialect: str, body: Json) -> None:
    desk = Desk(dialect)

    answer = desk.ask("POST", "groups/room/members", body)

    joined = answer.body["data"]["data"]["entities"]["for"]["entity"]
    assert answer.status == 200
    assert (joined["guid"], joined["hasJoined"], joined["membersCount"]) == ("room", True, 1)
    assert list(desk.world.groups["room"].members) == ["bot"]


def test_joining_twice_is_the_same_again_on_openchat_and_417_on_cometchat() -> None:
    openchat, cometchat = Desk().joined(), Desk("cometchat").joined()

    again = openchat.ask("POST", "groups/room/members", {})
    refused = cometchat.ask("POST", "groups/room/members", {})

    assert (again.status, again.body["data"]["hasJoined"], again.pushes) == (200, True, [])
    assert refusal(refused) == (417, "ERR_ALREADY_JOINED")


def test_a_password_group_lets_in_who_knows_the_password() -> None:
    desk = Desk()
    desk.world.ensure_group("pw", kind="password", password="sesame")

    refused = desk.ask("POST", "groups/pw/members", {"password": "open"})
    joined = desk.ask("POST", "groups/pw/members", {"password": "sesame"})

    assert refusal(refused) == (400, "INVALID_PASSWORD")
    assert joined.status == 200


def test_cometchat_tells_a_missing_password_from_a_wrong_one() -> None:
    desk = Desk("cometchat")
    desk.world.ensure_group("pw", kind="password", password="sesame")

    answers = [desk.ask("POST", "groups/pw/members", body) for body in ({}, {"password": "open"})]

    assert [refusal(answer)[1] for answer in answers] == ["ERR_EMPTY_GROUP_PASS", "ERR_WRONG_GROUP_PASS"]


def test_with_the_admin_key_cometchat_adds_others_and_says_how_it_went_for_each() -> None:
    desk = Desk("cometchat").joined(Desk("cometchat").bot)
    admin = {"apikey": API_KEY, "appId": APP_ID}
    people = {"participants": ["alice", "ghost"], "moderators": ["bot"], "usersToBan": ["alice"]}

    answer = desk.ask("POST", "groups/room/members", people, headers=admin)
    too_many = desk.ask(
        "POST", "groups/room/members", {"admins": [f"u{n}" for n in range(26)]}, headers=admin
    )

    outcomes = answer.body["data"]
    assert outcomes["alice"]["success"] is True
    assert outcomes["ghost"]["error"]["code"] == "ERR_UID_NOT_FOUND"
    assert outcomes["bot"]["error"]["code"] == "ERR_ALREADY_JOINED"
    assert desk.world.groups["room"].banned == {"alice"}
    assert refusal(too_many) == (400, "ERR_BAD_REQUEST")


def test_a_full_group_lets_nobody_in() -> None:
    desk = Desk()
    for n in range(1000):
        desk.world.add_member(desk.world.groups["room"], f"user-{n}")

    assert refusal(desk.ask("POST", "groups/room/members", {})) == (400, "ERR_LIMIT_EXCEEDED")


def test_a_banned_user_neither_joins_nor_reads_nor_sends() -> None:
    desk = Desk().joined()
    desk.world.ban("bot", "room")

    joined, read = desk.ask("POST", "groups/room/members", {}), desk.ask(*HISTORY)
    sent = desk.ask(*SEND, LINE)

    assert refusal(joined) == (400, "ERR_FORBIDDEN")
    assert joined.body["error"]["message"] == "You are banned from this group."
    assert refusal(read) == refusal(sent) == (400, "ERR_NOT_A_MEMBER")


def test_a_kicked_user_still_reads_a_public_group_and_is_let_in_again_by_sending() -> None:
    desk = Desk().joined()
    desk.world.kick("bot", "room")

    read = desk.ask(*HISTORY)
    members_before = list(desk.world.groups["room"].members)
    desk.send()

    assert read.status == 200
    assert members_before == ["alice"]
    assert list(desk.world.groups["room"].members) == ["alice", "bot"]


def test_a_send_is_201_with_an_integer_id_on_openchat_and_200_with_a_string_on_cometchat() -> None:
    openchat, cometchat = Desk().joined(), Desk("cometchat").joined()

    one = openchat.ask(*SEND, LINE)
    other = cometchat.ask(*SEND, LINE)

    assert (one.status, one.body["data"]["id"]) == (201, 3)
    assert (other.status, other.body["data"]["id"]) == (200, "3")


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"data": {"text": ""}}, id="an empty text"),
        pytest.param({"data": None}, id="no data"),
        pytest.param({"category": "nonsense", "type": "odd"}, id="an unknown category"),
        pytest.param({"data": {"text": "x" * 70_000}}, id="70 kB of text"),
        pytest.param({"text": "said elsewhere", "metadata": {"a": 1}}, id="text repeated at top level"),
    ],
)
def test_openchat_stores_nearly_everything(more: dict[str, Json]) -> None:
    desk = Desk().joined()

    answer = desk.ask(*SEND, {**LINE, **more})

    data = more.get("data", LINE["data"]) or {}
    assert answer.status == 201
    assert answer.body["data"]["data"].get("text") == data.get("text")
    assert "text" not in answer.body["data"]


def test_the_receiver_decides_over_the_conversation_and_the_metadata_stands_twice() -> None:
    desk = Desk().joined()

    sent = desk.send("hi", data={"text": "hi", "metadata": {"a": 1, "chatMessage": {}}}, tags=["t"])

    assert sent["conversationId"] == "group_room"
    assert sent["metadata"] == sent["data"]["metadata"] == {"a": 1, "chatMessage": {}}
    assert sent["data"]["reactions"] == []
    assert sent["tags"] == ["t"]
    assert not {"muid", "resource"} & set(sent)


def test_cometchat_lower_cases_guids_and_uids() -> None:
    desk = Desk("cometchat").joined()

    sent = desk.ask(*SEND, {**LINE, "receiver": "ROOM"})

    assert sent.body["data"]["receiver"] == "room"
    assert desk.ask("GET", "groups/ROOM").status == 200
    assert desk.ask("GET", "users/Alice").body["data"]["uid"] == "alice"
    assert Desk().joined().ask("GET", "groups/ROOM").status == 404


def test_how_long_data_may_be_is_a_variant_where_it_is_validated() -> None:
    long = {**LINE, "data": {"text": "hi", "metadata": {"pad": "x" * 20_000}}}
    desk = Desk("cometchat").joined()
    strict = Desk(replace(COMETCHAT, data_limit=10_240)).joined()

    assert desk.ask(*SEND, long).status == 200
    assert refusal(strict.ask(*SEND, long)) == (400, "ERR_BAD_REQUEST")
    assert Desk().joined().ask(*SEND, long).status == 201


def test_whether_a_muid_makes_one_message_or_two_is_a_variant() -> None:
    desk = Desk(replace(OPENCHAT, rules=replace(OPENCHAT.rules, muid_once=True))).joined()

    first, again = desk.send("one", muid="m"), desk.send("two", muid="m")
    foreign = desk.send("three", muid="m", by=desk.alice)

    assert first["id"] == again["id"] != foreign["id"]
    assert [m["data"]["text"] for m in desk.world.store.messages()] == ["one", "three"]


def test_which_headers_every_call_needs_is_a_variant() -> None:
    desk = Desk(replace(OPENCHAT, required_headers=frozenset({"origin", "sdk"})))
    headers = {"authtoken": desk.bot.chat_token, "Origin": "https://tt.live"}

    refused = desk.ask("GET", "me", headers=headers)

    assert refusal(refused) == (403, "ERR_FORBIDDEN")
    assert "sdk" in refused.body["error"]["message"]
    assert desk.ask("GET", "me", headers={**headers, "SDK": "javascript@3.0.10"}).status == 200


def test_a_status_that_nobody_knows_can_be_chosen() -> None:
    errors = {**COMETCHAT.errors, "bad_token": Wording(403, "AUTH_ERR_AUTH_TOKEN_NOT_FOUND", "gone")}
    desk = Desk(replace(COMETCHAT, errors=errors))

    answer = desk.ask("GET", "me", headers={"appId": APP_ID, "authtoken": "x"})

    assert refusal(answer) == (403, "AUTH_ERR_AUTH_TOKEN_NOT_FOUND")


def test_a_history_holds_edits_and_deletions_and_replies_and_no_joins() -> None:
    desk = Desk().joined()
    kept, gone = desk.send("kept"), desk.send("gone")
    desk.ask("PUT", f"messages/{kept['id']}", {"data": {"text": "new"}})
    desk.ask("POST", f"messages/{kept['id']}/thread", {**LINE, "data": {"text": "reply"}})
    desk.ask("DELETE", f"messages/{gone['id']}")
    desk.ask("DELETE", "groups/room/members", by=desk.alice)

    rows = desk.ask(*HISTORY).body["data"]

    shown = [row["data"].get("action", row["data"].get("text")) for row in rows]
    assert shown == ["new", "edited", "reply", "deleted"]
    assert rows[0]["editedBy"] == "bot"
    ids = [row["id"] for row in rows]
    assert ids == sorted(ids)
    assert ids[-1] - ids[0] > len(ids) - 1  # gaps are normal


def test_an_action_names_who_did_it_to_what_and_where() -> None:
    desk = Desk().joined()
    number = desk.send()["id"]

    action = desk.ask("PUT", f"messages/{number}", {"data": {"text": "new"}}).body["data"]

    entities = action["data"]["entities"]
    assert (action["category"], action["type"], action["data"]["action"]) == ("action", "message", "edited")
    assert entities["by"]["entity"]["uid"] == "bot"
    assert entities["for"]["entity"]["guid"] == "room"
    assert entities["on"]["entity"]["data"]["text"] == "new"


def test_users_groups_and_members_have_their_fields() -> None:
    desk = Desk().joined()

    user = desk.ask("GET", "users/alice").body["data"]
    group = desk.ask("GET", "groups/room").body["data"]
    members = desk.ask("GET", "groups/room/members").body["data"]
    documented = Desk("cometchat").joined().ask("GET", "groups/room").body["data"]

    assert {"uid", "name", "status", "role", "lastActiveAt", "metadata", "tags"} < set(user)
    assert (user["blockedByMe"], user["hasBlockedMe"]) == (False, False)
    common = {"guid", "name", "type", "owner", "membersCount", "hasJoined", "createdAt", "metadata", "tags"}
    assert set(group) == common
    assert set(documented) - common == {"scope", "joinedAt", "conversationId"}
    assert {"uid", "name", "scope", "joinedAt"} < set(members[0])


def test_a_message_is_marked_as_interacted_on_cometchat_only() -> None:
    openchat, cometchat = Desk().joined(), Desk("cometchat").joined()

    statuses = [
        desk.ask("PATCH", f"messages/{desk.send()['id']}/interacted", {}).status
        for desk in (openchat, cometchat)
    ]

    assert statuses == [404, 200]


def test_marks_answer_with_what_was_marked_and_when() -> None:
    desk = Desk().joined()
    number = desk.send(by=desk.alice)["id"]

    marked = [
        desk.ask("POST", f"messages/{number}/interactions", {}),
        desk.ask("POST", "groups/room/conversation/read", {"messageId": number}),
        desk.ask("POST", "groups/room/conversation/delivered", {}),
    ]

    common = {"success": True, "conversationId": "group_room", "messageId": str(number)}
    assert [answer.body["data"] for answer in marked] == [
        {**common, "readAt": 1_000_000},
        {**common, "readAt": 1_000_000},
        {**common, "deliveredAt": 1_000_000},
    ]


def test_messages_without_a_filter_are_none() -> None:
    desk = Desk().joined()
    desk.send(by=desk.alice, receiver="bot", receiverType="user")

    nothing = desk.ask("GET", "messages", query={"limit": "10"}).body["data"]
    direct = desk.ask("GET", "messages", query={"receiverType": "user", "sender": "alice"}).body["data"]
    same = desk.ask("GET", "users/alice/messages").body["data"]

    assert nothing == []
    assert direct == same
    assert len(direct) == 1


def test_a_muid_sent_twice_makes_two_messages_and_the_look_up_finds_the_newer_one() -> None:
    desk = Desk().joined()
    first, second = desk.send("one", muid="m-1"), desk.send("two", muid="m-1")

    found = desk.ask("GET", "user/messages/m-1")

    assert first["id"] != second["id"]
    assert found.body["data"]["id"] == second["id"]
    assert [m["data"]["text"] for m in desk.world.store.messages()] == ["one", "two"]


def test_a_muid_with_a_slash_in_it_is_found_when_it_is_quoted() -> None:
    desk = Desk().joined()
    sent = desk.send(muid="a/b c")

    assert desk.ask("GET", "user/messages/a%2Fb%20c").body["data"]["id"] == sent["id"]


def test_nobody_finds_a_direct_message_of_others_by_muid_or_id() -> None:
    desk = Desk()
    carol = desk.people.add("carol", uid="carol")
    sent = desk.send(by=desk.alice, receiver="carol", receiverType="user", muid="private")

    by_muid = desk.ask("GET", "user/messages/private")
    by_id = desk.ask("GET", f"messages/{sent['id']}")
    theirs = desk.ask("GET", "user/messages/private", by=carol)

    assert refusal(by_muid) == refusal(by_id) == (403, "ERR_FORBIDDEN")
    assert theirs.status == 200


def test_openchat_invents_chat_message_metadata_where_a_text_has_none() -> None:
    desk = Desk().joined()

    plain, named = desk.send("hi"), desk.send("hi", muid="m-1")
    given = desk.send("hi", data={"text": "hi", "metadata": {"chatMessage": {"id": "mine"}}})
    custom = desk.send(category="custom", type="ChatMessage", data={"customData": {"message": "old"}})

    invented = {"id": 3, "message": "hi", "type": "user", "userName": "bot", "userUuid": "bot", "uuid": "3"}
    assert plain["data"]["metadata"] == plain["metadata"] == {"chatMessage": invented}
    assert named["metadata"]["chatMessage"]["uuid"] == "m-1"
    assert given["metadata"] == {"chatMessage": {"id": "mine"}}
    assert "metadata" not in custom
    assert "metadata" not in custom["data"]


def test_a_direct_message_to_an_unknown_uid_makes_that_user_on_openchat_only() -> None:
    openchat, cometchat = Desk(), Desk("cometchat")
    line = {**LINE, "receiver": "ghost", "receiverType": "user"}

    made = openchat.ask(*SEND, line)
    refused = cometchat.ask(*SEND, line)

    assert (made.status, made.body["data"]["conversationId"]) == (201, "user_bot_ghost")
    assert openchat.ask("GET", "users/ghost").status == 200
    assert refusal(refused) == (404, "ERR_UID_NOT_FOUND")


def test_cometchat_writes_ids_as_texts_and_names_direct_conversations_its_own_way() -> None:
    desk = Desk("cometchat").joined()
    line = {**LINE, "receiver": "alice", "receiverType": "user"}

    sent = desk.ask(*SEND, line).body["data"]
    reply = desk.send("re", parentId=int(sent["id"]), receiver="alice", receiverType="user")
    edited = desk.ask("PUT", f"messages/{reply['id']}", {"data": {"text": "new"}}).body["data"]

    assert sent["conversationId"] == "alice_user_bot"
    assert reply["parentId"] == sent["id"]
    assert edited["data"]["entities"]["on"]["entity"]["id"] == reply["id"]


def test_a_direct_message_is_acknowledged_to_both_whether_its_receiver_is_there_or_not() -> None:
    desk = Desk()
    line = {**LINE, "receiver": "alice", "receiverType": "user"}

    unseen = desk.ask(*SEND, line).pushes
    desk.online.add("alice")
    seen = desk.ask(*SEND, line).pushes
    to_oneself = desk.ask(*SEND, {**line, "receiver": "bot"}).pushes

    assert [(push.type, set(push.to)) for push in seen] == [
        ("message", {"bot", "alice"}),
        ("receipts", {"bot", "alice"}),
    ]
    assert [push.type for push in unseen] == ["message", "receipts"]
    assert [push.type for push in to_oneself] == ["message"]


def test_only_the_author_or_a_moderator_edits_and_nobody_touches_what_is_deleted() -> None:
    desk = Desk().joined()
    path = f"messages/{desk.send()['id']}"

    foreign_edit = desk.ask("PUT", path, {"data": {"text": "x"}}, by=desk.alice)
    foreign_deletion = desk.ask("DELETE", path, by=desk.alice)
    desk.world.groups["room"].members["alice"].scope = "moderator"
    moderated = desk.ask("PUT", path, {"data": {"text": "y"}}, by=desk.alice)
    deleted = desk.ask("DELETE", path)
    again = desk.ask("DELETE", path)

    assert refusal(foreign_edit) == refusal(foreign_deletion) == refusal(again) == (403, "ERR_FORBIDDEN")
    assert moderated.body["data"]["data"]["entities"]["on"]["entity"]["editedBy"] == "alice"
    assert deleted.body["data"]["data"]["action"] == "deleted"
    assert desk.world.store.messages()[0]["data"]["text"] == "y"


def test_an_edit_with_data_of_a_wrong_type_changes_nothing() -> None:
    desk = Desk().joined()
    path = f"messages/{desk.send()['id']}"

    assert desk.ask("PUT", path, {"data": 5}).status == 200  # measured
    assert desk.ask("PUT", path, {}).status == 200
    assert desk.world.store.messages()[0]["data"]["text"] == "hi"


def test_reactions_are_counted_shown_and_taken_back() -> None:
    desk = Desk().joined()
    number = desk.send()["id"]
    path = f"messages/{number}/reactions/%F0%9F%94%A5"

    added = desk.ask("POST", path)
    desk.ask("POST", path, by=desk.alice)
    twice = desk.ask("POST", path)
    listed = desk.ask("GET", f"messages/{number}/reactions").body
    of_one = desk.ask("GET", path).body["data"]
    seen_by_bot = desk.ask("GET", f"messages/{number}").body["data"]["data"]["reactions"]
    removed = desk.ask("DELETE", path)
    never_made = desk.ask("DELETE", f"messages/{number}/reactions/x")

    assert [push.type for push in added.pushes] == [push.type for push in twice.pushes]
    assert [push.type for push in added.pushes] == ["message", "reaction"]
    assert never_made.pushes == []
    # Measured: the newest first, and the same once more is a new one in the old one's place.
    assert [(r["id"], r["uid"], r["reactedByMe"]) for r in listed["data"]] == [
        (3, "bot", True),
        (2, "alice", False),
    ]
    assert of_one == listed["data"]
    assert seen_by_bot == [{"reaction": "🔥", "count": 2, "reactedByMe": True}]
    assert removed.body["data"]["data"]["reactions"] == [{"reaction": "🔥", "count": 1, "reactedByMe": False}]
    assert removed.pushes[1].body["action"] == "message_reaction_removed"
    assert len(desk.ask(*HISTORY).body["data"]) == 1


def test_a_thread_holds_the_replies_however_they_were_sent() -> None:
    desk = Desk().joined()
    number = desk.send("parent")["id"]

    by_path = desk.ask("POST", f"messages/{number}/thread", {**LINE, "data": {"text": "one"}})
    by_body = desk.ask(*SEND, {**LINE, "data": {"text": "two"}, "parentId": number})
    listed = desk.ask("GET", f"messages/{number}/thread").body

    assert (by_path.status, by_body.status) == (200, 201)
    assert [row["data"]["text"] for row in listed["data"]] == ["one", "two"]
    assert listed["meta"]["pagination"]["count"] == 2


def test_reading_marks_lower_the_unread_count() -> None:
    desk = Desk().joined()
    direct = {"receiver": "bot", "receiverType": "user"}
    first = desk.send("a", by=desk.alice)
    desk.send("b", by=desk.alice)
    desk.send("psst", by=desk.alice, **direct)
    unread = {"unread": "1", "count": "1"}

    before = desk.ask("GET", "messages", query=unread).body["data"]
    desk.ask("POST", f"messages/{first['id']}/interactions", {})
    desk.ask("POST", "users/alice/conversation/read", {})
    after = desk.ask("GET", "messages", query=unread).body["data"]
    listed = desk.ask("GET", "conversations").body["data"]

    assert [(line["entityType"], line["entityId"], line["count"]) for line in before] == [
        ("user", "alice", 1),
        ("group", "room", 2),
    ]
    assert [(line["entityId"], line["count"]) for line in after] == [("room", 1)]
    assert [(c["conversationType"], c["unreadMessageCount"]) for c in listed] == [("user", 0), ("group", 1)]


def test_marking_an_empty_conversation_is_404() -> None:
    desk = Desk().joined()

    assert desk.ask("POST", "groups/room/conversation/read", {}).status == 404
    assert desk.ask("POST", "groups/room/conversation/read", {"messageId": "x"}).status == 404


def test_cometchat_pages_its_members_and_openchat_does_not() -> None:
    openchat, cometchat = Desk().joined(), Desk("cometchat").joined()
    query = {"per_page": "1", "page": "2"}

    everybody = openchat.ask("GET", "groups/room/members", query=query).body
    page = cometchat.ask("GET", "groups/room/members", query=query).body

    assert [m["uid"] for m in everybody["data"]] == ["alice", "bot"]
    assert "meta" not in everybody
    assert [m["uid"] for m in page["data"]] == ["bot"]
    assert page["meta"]["pagination"] == {
        "total": 2,
        "count": 1,
        "per_page": 1,
        "current_page": 2,
        "total_pages": 2,
    }


def test_a_group_says_has_joined_to_members_on_cometchat_only() -> None:
    openchat, cometchat = Desk().joined(), Desk("cometchat").joined()

    assert openchat.ask("GET", "groups/room").body["data"]["hasJoined"] is False
    assert cometchat.ask("GET", "groups/room").body["data"]["hasJoined"] is True


def test_settings_need_no_token_and_name_the_host_that_was_reached() -> None:
    openchat = Desk().ask("GET", "settings", headers={"Host": "127.0.0.1:4711"})
    cometchat = Desk("cometchat").ask("GET", "settings", headers={"Host": "chat", "appId": APP_ID})
    refused = Desk("cometchat").ask("GET", "settings", headers={})

    assert openchat.body["data"]["CHAT_HOST"] == "127.0.0.1"
    assert openchat.body["data"]["CHAT_WSS_PORT"] == "4711"
    assert cometchat.body["data"]["CHAT_WSS_PORT"] == "443"
    assert refusal(refused) == (401, "AUTH_ERR_EMPTY_APPID")


def test_the_settings_have_the_fields_that_the_sdk_reads() -> None:
    data = Desk().ask("GET", "settings", headers={"Host": "127.0.0.1:4711"}).body["data"]

    fixed = {
        "CHAT_HOST_OVERRIDE": None,
        "CHAT_HOST_APP_SPECIFIC": None,
        "CHAT_USE_SSL": True,
        "CHAT_API_VERSION": "v3.0",
        "WS_API_VERSION": "v3.0",
        "APP_VERSION": 4,
        "MODE": "DEFAULT",
        "ANALYTICS_VERSION": "v1",
        "ANALYTICS_USE_SSL": True,
        "ANALYTICS_PING_DISABLED": True,
        "POLLING_ENABLED": False,
        "DENY_FALLBACK_TO_POLLING": False,
    }
    others = "CLIENT_API_HOST ADMIN_API_HOST CHAT_HOST CHAT_WSS_PORT CHAT_WS_PORT REGION EXTENSION_DOMAIN"
    others += " MAIN_DOMAIN extensions ANALYTICS_HOST SECURED_MEDIA_HOST settingsHash settingsHashReceivedAt"
    assert {name: data[name] for name in fixed} == fixed
    assert set(data) == set(fixed) | set(others.split())
    assert data["CLIENT_API_HOST"] == "127.0.0.1:4711"
    assert isinstance(data["CHAT_WSS_PORT"], str)


def test_me_has_what_a_login_needs() -> None:
    desk = Desk()

    looked, logged_in = desk.ask("GET", "me").body["data"], desk.ask("PUT", "me", {}).body["data"]

    openchat = {"authToken", "fat", "jwt", "settings", "wsChannel", "metadata", "tags"}
    assert {"uid", "name", "status", "role", "lastActiveAt"} | openchat == set(looked) == set(logged_in)
    assert looked["authToken"] == desk.bot.chat_token


def test_after_logging_out_the_token_is_dead() -> None:
    desk = Desk()

    out = desk.ask("DELETE", "me")
    after = desk.ask("GET", "me")

    assert out.body == {"data": {"success": True}}
    assert refusal(after) == (401, "ERR_NO_AUTH")


def test_cometchat_gives_token_and_settings_at_login_only() -> None:
    desk = Desk("cometchat")

    looked, logged_in = desk.ask("GET", "me"), desk.ask("PUT", "me", {"platform": "WEB"})

    assert "authToken" not in looked.body["data"]
    assert logged_in.body["data"]["authToken"] == desk.bot.chat_token
    assert logged_in.body["data"]["wsChannel"] == {"identity": f"[{APP_ID}]bot"}


def test_the_admin_key_issues_tokens_and_speaks_for_others() -> None:
    desk = Desk()
    admin = {"apikey": API_KEY}

    issued = desk.ask("POST", "users/alice/auth_tokens", {}, headers=admin)
    sent = desk.ask(*SEND, {**LINE, "sender": "app_system"}, headers=admin)
    anonymous = desk.ask(*SEND, LINE, headers={**admin, "onBehalfOf": "alice"})
    unknown = desk.ask("POST", "users/ghost/auth_tokens", {}, headers=admin)
    keyless = Desk("cometchat").ask("POST", "users/alice/auth_tokens", {}, headers={"appId": APP_ID})
    documented = Desk("cometchat").ask(
        "POST", "users/alice/auth_tokens", {}, headers={**admin, "appId": APP_ID}
    )

    assert issued.body["data"]["authToken"] == desk.alice.chat_token
    assert sent.body["data"]["sender"] == "app_system"
    assert anonymous.body["data"]["sender"] == "system"  # measured: OpenChat does not look at onBehalfOf
    assert "app_system" not in desk.world.groups["room"].members
    assert unknown.status == 404
    assert refusal(keyless) == (401, "AUTH_ERR_EMPTY_APIKEY")
    assert list(documented.body["data"]) == ["uid", "authToken", "createdAt"]


def test_srechat_numbers_by_time_and_always_has_a_muid() -> None:
    desk = Desk("srechat").joined()

    one, two = desk.send(), desk.send(muid="mine")

    assert 2**40 < one["id"] < two["id"] < 2**53
    assert one["muid"]
    assert two["muid"] == "mine"


def test_a_history_keeps_its_newest_rows_and_forgets_muids_with_the_rest() -> None:
    desk = Desk().joined()
    for n in range(60):
        desk.send(f"line {n}", muid=f"m-{n}")

    listed = desk.ask(*HISTORY, query={"limit": "100"}).body["data"]

    assert [row["muid"] for row in listed] == [f"m-{n}" for n in range(10, 60)]
    assert desk.ask("GET", "user/messages/m-9").status == 404
    assert desk.ask("GET", "user/messages/m-10").status == 200


def test_rows_older_than_30_days_are_gone() -> None:
    desk = Desk().joined()
    desk.send("old", muid="old")
    desk.seconds += 31 * 24 * 3600
    desk.send("new")

    assert [row["data"]["text"] for row in desk.ask(*HISTORY).body["data"]] == ["new"]
    assert desk.ask("GET", "user/messages/old").status == 404


def test_a_planted_row_stands_in_the_history_as_it_is() -> None:
    desk = Desk().joined()
    desk.world.store.plant("room", {"sender": None, "data": "no object"})

    assert desk.ask(*HISTORY).body["data"][0]["data"] == "no object"


def test_a_name_changes_for_others_only_when_its_user_joins_again() -> None:
    desk = Desk().joined()
    desk.people.change("alice", nickname="Alicia")

    before = desk.send(by=desk.alice)
    desk.ask("DELETE", "groups/room/members", by=desk.alice)
    desk.ask("POST", "groups/room/members", {}, by=desk.alice)
    after = desk.send(by=desk.alice)

    names = [row["data"]["entities"]["sender"]["entity"]["name"] for row in (before, after)]
    assert names == ["alice", "Alicia"]


def test_where_memberships_are_visits_they_fade_after_half_an_hour_of_absence() -> None:
    fading = replace(OPENCHAT, rules=replace(OPENCHAT.rules, visit_s=1800))
    desk = Desk(fading).joined()
    desk.online.add("alice")
    carol = desk.people.add("carol", uid="carol")
    desk.joined(carol)

    desk.seconds += 1801
    desk.ask("GET", "me")

    assert sorted(desk.world.groups["room"].members) == ["alice", "bot"]


def test_what_counts_without_an_affix_can_be_chosen() -> None:
    desk = Desk(replace(COMETCHAT, default_affix="append")).joined()
    first = desk.send()
    desk.send()

    page = desk.ask(*HISTORY, query={"limit": "1"}).body

    assert [row["id"] for row in page["data"]] == [first["id"]]


def test_the_order_of_a_list_without_an_affix_can_be_chosen() -> None:
    desk = Desk(replace(COMETCHAT, bare_newest_first=True)).joined()
    first, second = desk.send(), desk.send()

    bare = desk.ask(*HISTORY).body["data"]
    asked = desk.ask(*HISTORY, query={"affix": "prepend"}).body["data"]

    assert [row["id"] for row in bare] == [second["id"], first["id"]]
    assert [row["id"] for row in asked] == [first["id"], second["id"]]


def test_the_extension_reacts_to_a_message() -> None:
    desk = Desk().joined()
    number = desk.send()["id"]
    headers = CIMultiDict({"authtoken": desk.bot.chat_token})

    def ask(path: str, body: Json) -> Answer:
        return desk.api.answer(Call("POST", path, split_path(path), {}, headers, body))

    done = ask("/v1/react", {"messageId": None, "msgId": number, "emoji": "🔥"})
    anywhere = ask("/v3.0/extensions/reactions", {"messageId": number, "reaction": "x"})
    nothing, half = ask("/v1/react", []), ask("/v1/react", {"msgId": 1})
    ghost = ask("/v1/react", {"msgId": 9, "emoji": "x"})

    assert (done.status, len(done.pushes), anywhere.status) == (200, 2, 200)
    assert refusal(nothing) == refusal(half) == (400, "MISSING_PARAMETERS")
    assert refusal(ghost) == (400, "ERR_MESSAGE_NOT_FOUND")
    assert [count["reaction"] for count in done.body["data"]["data"]["reactions"]] == ["🔥"]


def test_a_forgotten_message_takes_its_reactions_along() -> None:
    desk = Desk().joined()
    number = desk.send()["id"]
    desk.ask("POST", f"messages/{number}/reactions/x")

    for _ in range(50):
        desk.send()

    assert reaction_rows(desk.world, number, "bot") == []


@pytest.mark.parametrize("tags", [["x"] * 26, ["x" * 101], [5]])
def test_cometchat_refuses_too_many_or_too_long_tags(tags: Json) -> None:
    desk = Desk("cometchat").joined()

    assert refusal(desk.ask(*SEND, {**LINE, "tags": tags})) == (400, "ERR_BAD_REQUEST")
    assert desk.send(tags=["fine"])["tags"] == ["fine"]


def test_a_row_that_the_server_itself_stumbles_over_is_answered() -> None:
    desk = Desk("cometchat").joined()
    desk.world.store.plant("room", {"data": "no object"})

    answer = desk.ask(*HISTORY, query={"searchKey": "x"})

    assert refusal(answer) == (400, "ERR_BAD_REQUEST")


@pytest.mark.parametrize(
    ("method", "path", "point"),
    [
        pytest.param("POST", "/v3/messages", "chat.send", id="send"),
        pytest.param("POST", "//v3.0/messages/3/thread", "chat.send", id="reply"),
        pytest.param("GET", "/v3.0/user/messages/m", "chat.lookup", id="look-up"),
        pytest.param("GET", "/v3.0/groups/g/messages", "chat.history", id="history"),
        pytest.param("GET", "/v3.0/users/u/messages", "chat.history", id="direct history"),
        pytest.param("GET", "/v3.0/messages", "chat.history", id="inbox"),
        pytest.param("PUT", "/v3.0/me", "chat.me", id="me"),
        pytest.param("POST", "/v3.0/groups/g/members", "chat.join", id="join"),
        pytest.param("GET", "/v3.0/groups/g", "chat.group", id="group"),
        pytest.param("GET", "/v3.0/messages/3", "chat.other", id="anything else"),
    ],
)
def test_each_call_has_its_fault_point(method: str, path: str, point: str) -> None:
    assert fault_point(method, split_path(path)) == point


def test_a_path_is_read_with_and_without_a_version_and_no_other_counts() -> None:
    assert split_path("/v3/me") == split_path("//v3.0/me/") == split_path("/me") == ("me",)
    assert split_path("/v2/me") == ("v2", "me")
    assert split_path("/v3.0/v3.0/me") == ("v3.0", "me")
    assert split_path("///") == ()


ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FIELDS = [
    "receiver",
    "receiverType",
    "category",
    "type",
    "data",
    "muid",
    "tags",
    "parentId",
    "parentMessageId",
    "password",
    "messageId",
    "reaction",
    "resource",
    "files",
    "uid",
    "guid",
    "scope",
    "participants",
    "moderators",
    "blockedUids",
]
PATHS = [
    "messages",
    "messages/3",
    "messages/3/thread",
    "messages/3/interactions",
    "messages/3/reactions/x",
    "me",
    "user_sessions",
    "groups/room/members",
    "groups/room/conversation/read",
    "users/alice/conversation/delivered",
    "users/alice/conversation",
    "users/alice/conversation/read",
    "users/alice/auth_tokens",
    "users",
    "groups",
    "groups/room/bannedusers/alice",
    "groups/room/members/alice",
    "blockedusers",
    "conversations",
    "me/jwt",
    "extensions/reactions",
]


@pytest.mark.parametrize("dialect", ["openchat", "cometchat"])
@settings(max_examples=100)
@given(
    key=st.sampled_from([{}, {"apikey": API_KEY}]),
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH"]),
    path=st.sampled_from(PATHS),
    body=ANY_JSON
    | st.dictionaries(st.sampled_from(FIELDS), ANY_JSON | st.sampled_from(["room", "group", "user", "3"])),
)
def test_json_of_every_shape_is_answered(
    dialect: str, key: dict[str, str], method: str, path: str, body: Json
) -> None:
    desk = Desk(dialect).joined()
    desk.send()
    headers = {"authtoken": desk.bot.chat_token, "appId": APP_ID, **key}

    answer = desk.ask(method, path, body, headers=headers)

    assert 200 <= answer.status <= 500
    assert desk.ask("GET", "me", by=desk.alice).status == 200
    assert desk.ask("GET", "groups/room/messages", by=desk.alice).status < 500

"""The REST calls without sockets, as far as no recording of OpenChat holds them: see test_replay.py."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from hangbot.sandbox.chat.call import Call, fault_point, split_path
from hangbot.sandbox.chat.changes import reaction_rows
from hangbot.sandbox.chat.dialects import COMETCHAT, OPENCHAT
from hangbot.sandbox.chat.errors import Wording
from hangbot.sandbox.chat.rows import Json
from tests.sandbox.chat.api_bench import API_KEY, APP_ID, LINE, ApiBench, refusal

DIALECTS = ("openchat", "cometchat")
SEND = ("POST", "messages")
HISTORY = ("GET", "groups/room/messages")


REFUSED = """
openchat   GET    nothing                                  404 ERR_ROUTE_NOT_FOUND
cometchat  GET    nothing                                  404 ERR_API_NOT_FOUND
openchat   GET    -                                        404 ERR_ROUTE_NOT_FOUND
openchat   GET    users/x                                  404 ERR_UID_NOT_FOUND
cometchat  GET    users/x                                  404 ERR_UID_NOT_FOUND
cometchat  GET    users/x/messages                         404 ERR_UID_NOT_FOUND
openchat   GET    groups/x                                 404 ERR_GUID_NOT_FOUND
openchat   GET    groups/x/members                         404 ERR_GUID_NOT_FOUND
openchat   POST   groups/x/members            {}           400 ERR_GUID_NOT_FOUND
cometchat  POST   groups/x/members            {}           404 ERR_GUID_NOT_FOUND
openchat   POST   groups/secret/members       {}           400 ERR_FORBIDDEN
cometchat  POST   groups/secret/members       {}           403 ERR_GROUP_JOIN_NOT_ALLOWED
openchat   POST   groups/room/join            {}           404 ERR_ROUTE_NOT_FOUND
openchat   GET    groups/secret/messages                   400 ERR_NOT_A_MEMBER
cometchat  GET    groups/room/messages                     401 ERR_GROUP_NOT_JOINED
cometchat  POST   messages  +{}                            401 ERR_GROUP_NOT_JOINED
openchat   POST   messages  +{"receiver":"x"}              400 ERR_GUID_NOT_FOUND
cometchat  POST   messages  +{"receiver":"x"}              404 ERR_GUID_NOT_FOUND
openchat   POST   messages  {}                             400 MISSING_PARAMETERS
cometchat  POST   messages  {}                             400 ERR_BAD_REQUEST
openchat   POST   messages  +{"receiver":null,"multipleReceivers":{"guids":["room"]}}  400 MISSING_PARAMETERS
openchat   POST   messages  []                             400 MISSING_PARAMETERS
openchat   POST   messages  +{"receiverType":"x"}          400 INVALID_RECEIVERTYPE
cometchat  POST   messages  +{"data":{"text":"\\t"}}       400 ERR_BAD_REQUEST
cometchat  POST   messages  +{"category":"x"}              400 ERR_BAD_REQUEST
cometchat  POST   messages  +{"type":""}                   400 ERR_BAD_REQUEST
cometchat  POST   messages  +{"category":"custom"}         400 ERR_BAD_REQUEST
openchat   POST   messages  +{"data":5}                    500 -
openchat   POST   messages  +{"data":"{"}                  500 -
openchat   POST   messages  +{"data":{"metadata":5}}       500 -
openchat   POST   messages  +{"muid":{}}                   500 -
openchat   POST   messages  +{"type":"image","data":{"attachments":"x"}}   500 -
openchat   POST   messages  +{"type":"image","data":{"attachments":{}}}    500 -
openchat   POST   messages  +{"type":"image","data":{"attachments":[5]}}   500 -
openchat   POST   messages  +{"type":"image","data":{"url":5}}             500 -
cometchat  POST   messages  +{"tags":"x"}                  400 ERR_BAD_REQUEST
cometchat  POST   messages  +{"tags":[5]}                  400 ERR_BAD_REQUEST
openchat   POST   messages  +{"parentId":[]}               400 ERR_MESSAGE_NOT_FOUND
openchat   POST   messages  +{"receiver":{}}               500 -
openchat   POST   messages  +{"receiver":true}             400 ERR_GUID_NOT_FOUND
cometchat  POST   messages  +{"receiver":["room"]}         400 ERR_BAD_REQUEST
cometchat  POST   messages  +{"receiver":"ghost","receiverType":"user"}  404 ERR_UID_NOT_FOUND
openchat   GET    messages/9                               404 ERR_MESSAGE_NOT_FOUND
cometchat  GET    messages/9                               404 ERR_MESSAGE_ID_NOT_FOUND
openchat   GET    messages/x                               404 ERR_MESSAGE_NOT_FOUND
openchat   GET    messages/999999999999999999999999999999  404 ERR_MESSAGE_NOT_FOUND
openchat   GET    user/messages/x                          404 ERR_MESSAGE_NOT_FOUND
openchat   PATCH  messages/9/interacted       {}           404 ERR_ROUTE_NOT_FOUND
openchat   DELETE groups/room/members/alice                403 ERR_FORBIDDEN
openchat   POST   messages/9/thread  +{}                   400 ERR_MESSAGE_NOT_FOUND
openchat   GET    messages/9/reactions/a/b                 404 ERR_ROUTE_NOT_FOUND
openchat   POST   v1/react  []                             400 MISSING_PARAMETERS
openchat   POST   v1/react  {"msgId":1}                    400 MISSING_PARAMETERS
openchat   POST   v1/react  {"msgId":9,"emoji":"x"}        400 ERR_MESSAGE_NOT_FOUND
openchat   PUT    settings                                 404 ERR_ROUTE_NOT_FOUND
openchat   POST   me                                       404 ERR_ROUTE_NOT_FOUND
openchat   PUT    users/bot                                403 ERR_FORBIDDEN
cometchat  PUT    users/bot                                404 ERR_API_NOT_FOUND
openchat   GET    user_sessions                            404 ERR_ROUTE_NOT_FOUND
""".strip().splitlines()
"""Dialect, call, body (`+`: a line to the room with these changes), status and code."""


@pytest.mark.parametrize("row", [pytest.param(row, id=" ".join(row.split())) for row in REFUSED])
def test_what_cannot_be_done_is_refused_as_the_dialect_does(row: str) -> None:
    dialect, method, path, *body, status, code = row.split()
    chat = ApiBench(dialect)
    text = "".join(body)
    sent = {**LINE, **json.loads(text[1:])} if text.startswith("+") else json.loads(text or "null")

    answer = chat.ask(method, path.replace("-", ""), sent)

    assert refusal(answer) == (int(status), None if code == "-" else code)
    assert chat.world.store.messages() == []


@pytest.mark.parametrize(
    ("dialect", "headers", "expected"),
    [
        ("openchat", {}, (401, "ERR_NO_AUTH")),
        ("openchat", {"authToken": "x_1f"}, (401, "ERR_NO_AUTH")),  # one of the old service
        ("cometchat", {}, (401, "AUTH_ERR_EMPTY_APPID")),
        ("cometchat", {"appId": "x"}, (401, "AUTH_ERR_INVALID_APPID")),
        ("cometchat", {"appId": APP_ID}, (401, "AUTH_ERR_EMPTY_AUTH_TOKEN")),
        ("cometchat", {"appId": APP_ID, "authToken": "x"}, (401, "AUTH_ERR_AUTH_TOKEN_NOT_FOUND")),
        ("cometchat", {"appId": APP_ID, "apikey": APP_ID}, (401, "AUTH_ERR_APIKEY_NOT_FOUND")),
    ],
)
def test_a_call_without_a_good_token_is_refused_as_the_dialect_does(
    dialect: str, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    assert refusal(ApiBench(dialect).ask("GET", "me", headers=headers)) == expected


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        pytest.param("Bearer {}", None, id="as Authorization: Bearer"),
        pytest.param(None, "{}", id="as a parameter"),
    ],
)
def test_openchat_takes_the_token_from_other_places_too(headers: str | None, query: str | None) -> None:
    for dialect, status in (("openchat", 200), ("cometchat", 401)):
        chat = ApiBench(dialect)
        token = chat.bot.chat_token

        answer = chat.ask(
            "GET",
            "me",
            headers={"appId": APP_ID} | ({"Authorization": headers.format(token)} if headers else {}),
            query={"authToken": query.format(token)} if query else {},
        )

        assert answer.status == status


def test_the_jwt_works_in_the_tokens_place_and_can_be_had_anew() -> None:
    chat = ApiBench()
    jwt = chat.ask("POST", "me/jwt", {}).body["data"]["jwt"]

    for headers in ({"authtoken": jwt}, {"Authorization": f"BEARER {jwt}"}):
        assert chat.ask("GET", "me", headers=headers).body["data"]["uid"] == "bot"
    for headers in (
        {"Authorization": chat.bot.chat_token},
        {"Authorization": f"Basic {chat.bot.chat_token}"},
        {"x-auth-token": chat.bot.chat_token},
        {"cookie": f"authToken={chat.bot.chat_token}"},
        {"authtoken": "wrong", "Authorization": f"Bearer {chat.bot.chat_token}"},
    ):
        assert refusal(chat.ask("GET", "me", headers=headers)) == (401, "ERR_NO_AUTH")


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
    assert ApiBench().ask(method, path, {}, headers=headers).status == status


def test_the_app_id_sent_as_an_apikey_is_refused_though_the_token_is_good() -> None:
    chat = ApiBench()
    headers = {"authtoken": chat.bot.chat_token, "apikey": APP_ID}

    sent = chat.ask("POST", "messages", LINE, headers=headers)
    joined = chat.ask("POST", "groups/room/members", {"participants": ["bot"]}, headers=headers)
    members = chat.ask("GET", "groups/room/members", headers=headers)
    read = chat.ask("GET", "me", headers=headers)
    joined_without_names = chat.ask("POST", "groups/room/members", {}, headers=headers)

    assert refusal(sent) == refusal(joined) == refusal(members) == (403, "ERR_FORBIDDEN")
    assert read.status == joined_without_names.status == 200


def test_cometchat_names_the_faulty_field() -> None:
    answer = ApiBench("cometchat").ask("POST", "messages", {**LINE, "receiver": ""})

    error = answer.body["error"]
    assert list(error) == ["code", "message", "devMessage", "details", "source"]
    assert list(error["details"]) == ["receiver"]


SDK_JOIN = {"hasJoined": False, "membersCount": 0, "isBanned": False, "guid": "room", "type": "public"}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(SDK_JOIN, id="the SDK's"),
        pytest.param({"participants": ["bot"], "participantType": "user"}, id="participants as uids"),
        pytest.param({"participants": [{"uid": "bot"}]}, id="participants as objects"),
        pytest.param({"members": [{"uid": "bot", "scope": "participant"}]}, id="members"),
        pytest.param(None, id="none"),
    ],
)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_join_body_joins_the_caller(dialect: str, body: Json) -> None:
    chat = ApiBench(dialect)

    answer = chat.ask("POST", "groups/room/members", body)

    joined = answer.body["data"]["data"]["entities"]["for"]["entity"]
    assert answer.status == 200
    assert (joined["guid"], joined["hasJoined"], joined["membersCount"]) == ("room", True, 1)
    assert list(chat.world.groups["room"].members) == ["bot"]


def test_joining_twice_is_the_same_again_on_openchat_and_417_on_cometchat() -> None:
    openchat, cometchat = ApiBench().joined(), ApiBench("cometchat").joined()

    again = openchat.ask("POST", "groups/room/members", {})
    refused = cometchat.ask("POST", "groups/room/members", {})

    assert (again.status, again.body["data"]["hasJoined"], again.pushes) == (200, True, [])
    assert refusal(refused) == (417, "ERR_ALREADY_JOINED")


def test_cometchat_tells_a_missing_password_from_a_wrong_one() -> None:
    chat = ApiBench("cometchat")
    chat.world.ensure_group("pw", kind="password", password="sesame")

    answers = [chat.ask("POST", "groups/pw/members", body) for body in ({}, {"password": "open"})]

    assert [refusal(answer)[1] for answer in answers] == ["ERR_EMPTY_GROUP_PASS", "ERR_WRONG_GROUP_PASS"]


def test_with_the_admin_key_cometchat_adds_others_and_says_how_it_went_for_each() -> None:
    chat = ApiBench("cometchat").joined(ApiBench("cometchat").bot)
    admin = {"apikey": API_KEY, "appId": APP_ID}
    people = {"participants": ["alice", "ghost"], "moderators": ["bot"], "usersToBan": ["alice"]}

    answer = chat.ask("POST", "groups/room/members", people, headers=admin)
    too_many = chat.ask(
        "POST", "groups/room/members", {"admins": [f"u{n}" for n in range(26)]}, headers=admin
    )

    outcomes = answer.body["data"]
    assert outcomes["alice"]["success"] is True
    assert outcomes["ghost"]["error"]["code"] == "ERR_UID_NOT_FOUND"
    assert outcomes["bot"]["error"]["code"] == "ERR_ALREADY_JOINED"
    assert chat.world.groups["room"].banned == {"alice"}
    assert refusal(too_many) == (400, "ERR_BAD_REQUEST")


def test_a_full_group_lets_nobody_in() -> None:
    chat = ApiBench()
    for n in range(1000):
        chat.world.add_member(chat.world.groups["room"], f"user-{n}")

    assert refusal(chat.ask("POST", "groups/room/members", {})) == (400, "ERR_LIMIT_EXCEEDED")


def test_a_send_is_201_with_an_integer_id_on_openchat_and_200_with_a_string_on_cometchat() -> None:
    openchat, cometchat = ApiBench().joined(), ApiBench("cometchat").joined()

    one = openchat.ask(*SEND, LINE)
    other = cometchat.ask(*SEND, LINE)

    assert (one.status, one.body["data"]["id"]) == (201, 3)
    assert (other.status, other.body["data"]["id"]) == (200, "3")


def test_cometchat_lower_cases_guids_and_uids() -> None:
    chat = ApiBench("cometchat").joined()

    sent = chat.ask(*SEND, {**LINE, "receiver": "ROOM"})

    assert sent.body["data"]["receiver"] == "room"
    assert chat.ask("GET", "groups/ROOM").status == 200
    assert chat.ask("GET", "users/Alice").body["data"]["uid"] == "alice"
    assert ApiBench().joined().ask("GET", "groups/ROOM").status == 404


def test_how_long_data_may_be_is_a_variant_where_it_is_validated() -> None:
    too_long = {**LINE, "data": {"text": "x" * 65_537}}
    long = {**LINE, "data": {"text": "hi", "metadata": {"pad": "x" * 20_000}}}
    chat = ApiBench("cometchat").joined()
    strict = ApiBench(replace(COMETCHAT, data_limit=10_240)).joined()

    assert refusal(chat.ask(*SEND, too_long)) == (400, "ERR_BAD_REQUEST")
    assert chat.ask(*SEND, long).status == 200
    assert refusal(strict.ask(*SEND, long)) == (400, "ERR_BAD_REQUEST")
    assert ApiBench().joined().ask(*SEND, long).status == 201


def test_whether_a_muid_makes_one_message_or_two_is_a_variant() -> None:
    chat = ApiBench(replace(OPENCHAT, rules=replace(OPENCHAT.rules, muid_once=True))).joined()

    first, again = chat.send("one", muid="m"), chat.send("two", muid="m")
    foreign = chat.send("three", muid="m", by=chat.alice)

    assert first["id"] == again["id"] != foreign["id"]
    assert [m["data"]["text"] for m in chat.world.store.messages()] == ["one", "three"]


def test_which_headers_every_call_needs_is_a_variant() -> None:
    chat = ApiBench(replace(OPENCHAT, required_headers=frozenset({"origin", "sdk"})))
    headers = {"authtoken": chat.bot.chat_token, "Origin": "https://tt.live"}

    refused = chat.ask("GET", "me", headers=headers)

    assert refusal(refused) == (403, "ERR_FORBIDDEN")
    assert "sdk" in refused.body["error"]["message"]
    assert chat.ask("GET", "me", headers={**headers, "SDK": "javascript@3.0.10"}).status == 200


def test_a_status_that_nobody_knows_can_be_chosen() -> None:
    errors = {**COMETCHAT.errors, "bad_token": Wording(403, "AUTH_ERR_AUTH_TOKEN_NOT_FOUND", "gone")}
    chat = ApiBench(replace(COMETCHAT, errors=errors))

    answer = chat.ask("GET", "me", headers={"appId": APP_ID, "authtoken": "x"})

    assert refusal(answer) == (403, "AUTH_ERR_AUTH_TOKEN_NOT_FOUND")


def test_cometchat_shows_conversations_in_its_own_names() -> None:
    chat = ApiBench("cometchat").joined()
    sent = chat.send(by=chat.alice, receiver="bot", receiverType="user")

    (shown,) = chat.ask("GET", "conversations", query={"conversationType": "user"}).body["data"]

    assert (shown["conversationId"], shown["updatedAt"]) == ("alice_user_bot", sent["updatedAt"])
    assert shown["lastMessage"]["id"] == sent["id"]


def test_cometchat_takes_the_analytics_of_its_sdk() -> None:
    call = Call("POST", "/v1/ping", split_path("/v1/ping"), {}, CIMultiDict())

    assert ApiBench("cometchat").api.answer(call).body == {"data": {"success": True}}


def test_cometchat_refuses_an_edit_without_an_object() -> None:
    chat = ApiBench("cometchat").joined()

    assert refusal(chat.ask("PUT", f"messages/{chat.send()['id']}", {"data": 5})) == (400, "ERR_BAD_REQUEST")


def test_a_message_is_marked_as_interacted_on_cometchat_only() -> None:
    openchat, cometchat = ApiBench().joined(), ApiBench("cometchat").joined()

    statuses = [
        chat.ask("PATCH", f"messages/{chat.send()['id']}/interacted", {}).status
        for chat in (openchat, cometchat)
    ]

    assert statuses == [404, 200]


def test_a_direct_message_to_an_unknown_uid_makes_that_user_on_openchat_only() -> None:
    openchat, cometchat = ApiBench(), ApiBench("cometchat")
    line = {**LINE, "receiver": "ghost", "receiverType": "user"}

    made = openchat.ask(*SEND, line)
    refused = cometchat.ask(*SEND, line)

    assert (made.status, made.body["data"]["conversationId"]) == (201, "user_bot_ghost")
    assert openchat.ask("GET", "users/ghost").status == 200
    assert refusal(refused) == (404, "ERR_UID_NOT_FOUND")


def test_cometchat_writes_ids_as_texts_and_names_direct_conversations_its_own_way() -> None:
    chat = ApiBench("cometchat").joined()
    line = {**LINE, "receiver": "alice", "receiverType": "user"}

    sent = chat.ask(*SEND, line).body["data"]
    reply = chat.send("re", parentId=int(sent["id"]), receiver="alice", receiverType="user")
    edited = chat.ask("PUT", f"messages/{reply['id']}", {"data": {"text": "new"}}).body["data"]

    assert sent["conversationId"] == "alice_user_bot"
    assert reply["parentId"] == sent["id"]
    assert edited["data"]["entities"]["on"]["entity"]["id"] == reply["id"]


def test_a_direct_message_is_acknowledged_to_both_whether_its_receiver_is_there_or_not() -> None:
    chat = ApiBench()
    line = {**LINE, "receiver": "alice", "receiverType": "user"}

    unseen = chat.ask(*SEND, line).pushes
    chat.online.add("alice")
    seen = chat.ask(*SEND, line).pushes
    to_oneself = chat.ask(*SEND, {**line, "receiver": "bot"}).pushes

    assert [(push.type, set(push.to)) for push in seen] == [
        ("message", {"bot", "alice"}),
        ("receipts", {"bot", "alice"}),
    ]
    assert [push.type for push in unseen] == ["message", "receipts"]
    assert [push.type for push in to_oneself] == ["message"]


def test_reactions_are_counted_shown_and_taken_back() -> None:
    chat = ApiBench().joined()
    number = chat.send()["id"]
    path = f"messages/{number}/reactions/%F0%9F%94%A5"

    added = chat.ask("POST", path)
    chat.ask("POST", path, by=chat.alice)
    twice = chat.ask("POST", path)
    listed = chat.ask("GET", f"messages/{number}/reactions").body
    of_one = chat.ask("GET", path).body["data"]
    seen_by_bot = chat.ask("GET", f"messages/{number}").body["data"]["data"]["reactions"]
    removed = chat.ask("DELETE", path)
    never_made = chat.ask("DELETE", f"messages/{number}/reactions/x")

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
    assert len(chat.ask(*HISTORY).body["data"]) == 1


def test_marking_an_empty_conversation_is_404() -> None:
    chat = ApiBench().joined()

    assert chat.ask("POST", "groups/room/conversation/read", {}).status == 404
    assert chat.ask("POST", "groups/room/conversation/read", {"messageId": "x"}).status == 404


def test_cometchat_pages_its_members_and_openchat_does_not() -> None:
    openchat, cometchat = ApiBench().joined(), ApiBench("cometchat").joined()
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


def test_settings_need_no_token_and_name_the_host_that_was_reached() -> None:
    openchat = ApiBench().ask("GET", "settings", headers={"Host": "127.0.0.1:4711"})
    cometchat = ApiBench("cometchat").ask("GET", "settings", headers={"Host": "chat", "appId": APP_ID})
    refused = ApiBench("cometchat").ask("GET", "settings", headers={})

    assert openchat.body["data"]["CHAT_HOST"] == "127.0.0.1"
    assert openchat.body["data"]["CHAT_WSS_PORT"] == "4711"
    assert cometchat.body["data"]["CHAT_WSS_PORT"] == "443"
    assert refusal(refused) == (401, "AUTH_ERR_EMPTY_APPID")


def test_the_settings_have_the_fields_that_the_sdk_reads() -> None:
    data = ApiBench().ask("GET", "settings", headers={"Host": "127.0.0.1:4711"}).body["data"]

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


def test_after_logging_out_the_token_is_dead() -> None:
    chat = ApiBench()

    out = chat.ask("DELETE", "me")
    after = chat.ask("GET", "me")

    assert out.body == {"data": {"success": True}}
    assert refusal(after) == (401, "ERR_NO_AUTH")


def test_cometchat_gives_token_and_settings_at_login_only() -> None:
    chat = ApiBench("cometchat")

    looked, logged_in = chat.ask("GET", "me"), chat.ask("PUT", "me", {"platform": "WEB"})

    assert "authToken" not in looked.body["data"]
    assert logged_in.body["data"]["authToken"] == chat.bot.chat_token
    assert logged_in.body["data"]["wsChannel"] == {"identity": f"[{APP_ID}]bot"}


def test_the_admin_key_issues_tokens_and_speaks_for_others() -> None:
    chat = ApiBench()
    admin = {"apikey": API_KEY}

    issued = chat.ask("POST", "users/alice/auth_tokens", {}, headers=admin)
    sent = chat.ask(*SEND, {**LINE, "sender": "app_system"}, headers=admin)
    anonymous = chat.ask(*SEND, LINE, headers={**admin, "onBehalfOf": "alice"})
    unknown = chat.ask("POST", "users/ghost/auth_tokens", {}, headers=admin)
    keyless = ApiBench("cometchat").ask("POST", "users/alice/auth_tokens", {}, headers={"appId": APP_ID})
    documented = ApiBench("cometchat").ask(
        "POST", "users/alice/auth_tokens", {}, headers={**admin, "appId": APP_ID}
    )

    assert issued.body["data"]["authToken"] == chat.alice.chat_token
    assert sent.body["data"]["sender"] == "app_system"
    assert anonymous.body["data"]["sender"] == "system"  # measured: OpenChat does not look at onBehalfOf
    assert "app_system" not in chat.world.groups["room"].members
    assert unknown.status == 404
    assert refusal(keyless) == (401, "AUTH_ERR_EMPTY_APIKEY")
    assert list(documented.body["data"]) == ["uid", "authToken", "createdAt"]


def test_srechat_numbers_by_time_and_always_has_a_muid() -> None:
    chat = ApiBench("srechat").joined()

    one, two = chat.send(), chat.send(muid="mine")

    assert 2**40 < one["id"] < two["id"] < 2**53
    assert one["muid"]
    assert two["muid"] == "mine"


def test_a_history_keeps_its_newest_rows_and_forgets_muids_with_the_rest() -> None:
    chat = ApiBench().joined()
    for n in range(60):
        chat.send(f"line {n}", muid=f"m-{n}")

    listed = chat.ask(*HISTORY, query={"limit": "100"}).body["data"]

    assert [row["muid"] for row in listed] == [f"m-{n}" for n in range(10, 60)]
    assert chat.ask("GET", "user/messages/m-9").status == 404
    assert chat.ask("GET", "user/messages/m-10").status == 200


def test_rows_older_than_30_days_are_gone() -> None:
    chat = ApiBench().joined()
    chat.send("old", muid="old")
    chat.seconds += 31 * 24 * 3600
    chat.send("new")

    assert [row["data"]["text"] for row in chat.ask(*HISTORY).body["data"]] == ["new"]
    assert chat.ask("GET", "user/messages/old").status == 404


def test_a_planted_row_stands_in_the_history_as_it_is() -> None:
    chat = ApiBench().joined()
    chat.world.store.plant("room", {"sender": None, "data": "no object"})

    assert chat.ask(*HISTORY).body["data"][0]["data"] == "no object"


def test_a_planted_row_without_a_time_stops_no_way_of_reading() -> None:
    chat = ApiBench().joined()
    chat.world.store.plant("room", {"data": {}, "sentAt": "yesterday"})
    cursor = {"affix": "append", "id": "0", "updatedAt": "1", "per_page": "50"}

    page = chat.ask(*HISTORY, query=cursor)
    newest = chat.ask("GET", "conversations")

    assert [row["sentAt"] for row in page.body["data"]] == ["yesterday"]
    assert newest.body["data"][0]["lastMessage"]["sentAt"] == "yesterday"


def test_a_name_changes_for_others_only_when_its_user_joins_again() -> None:
    chat = ApiBench().joined()
    chat.people.change("alice", nickname="Alicia")

    before = chat.send(by=chat.alice)
    chat.ask("DELETE", "groups/room/members", by=chat.alice)
    chat.ask("POST", "groups/room/members", {}, by=chat.alice)
    after = chat.send(by=chat.alice)

    names = [row["data"]["entities"]["sender"]["entity"]["name"] for row in (before, after)]
    assert names == ["alice", "Alicia"]


def test_where_memberships_are_visits_they_fade_after_half_an_hour_of_absence() -> None:
    fading = replace(OPENCHAT, rules=replace(OPENCHAT.rules, visit_s=1800))
    chat = ApiBench(fading).joined()
    chat.online.add("alice")
    carol = chat.people.add("carol", uid="carol")
    chat.joined(carol)

    chat.seconds += 1801
    chat.ask("GET", "me")

    assert sorted(chat.world.groups["room"].members) == ["alice", "bot"]


def test_what_counts_without_an_affix_can_be_chosen() -> None:
    chat = ApiBench(replace(COMETCHAT, default_affix="append")).joined()
    first = chat.send()
    chat.send()

    page = chat.ask(*HISTORY, query={"limit": "1"}).body

    assert [row["id"] for row in page["data"]] == [first["id"]]


def test_the_order_of_a_list_without_an_affix_can_be_chosen() -> None:
    chat = ApiBench(replace(COMETCHAT, bare_newest_first=True)).joined()
    first, second = chat.send(), chat.send()

    bare = chat.ask(*HISTORY).body["data"]
    asked = chat.ask(*HISTORY, query={"affix": "prepend"}).body["data"]

    assert [row["id"] for row in bare] == [second["id"], first["id"]]
    assert [row["id"] for row in asked] == [first["id"], second["id"]]


def test_reactions_come_in_pages_the_newest_first() -> None:
    chat = ApiBench().joined()
    number = chat.send()["id"]
    for emoji in "abc":
        chat.ask("POST", f"messages/{number}/reactions/{emoji}")

    def page(**query: str) -> tuple[list[str], dict[str, Json]]:
        answer = chat.ask("GET", f"messages/{number}/reactions", query=query).body
        return [row["reaction"] for row in answer["data"]], answer["meta"]

    newest, meta = page(limit="2")
    older, last = page(limit="2", affix="prepend", id=str(meta["previous"]["cursorId"]))

    assert (newest, older) == (["c", "b"], ["a"])
    assert (meta["pagination"]["total"], meta["pagination"]["total_pages"]) == (3, 2)
    assert last["previous"]["affix"] == "prepend"
    assert page(affix="append")[0] == ["a", "b", "c"]
    assert page(affix="append")[1]["next"]["cursorValue"] == 3
    assert chat.ask("GET", f"messages/{number}/reactions/none").body["meta"] == {
        "pagination": {"count": 0, "current_page": 1, "per_page": 10, "total": 0, "total_pages": 0}
    }


@pytest.mark.parametrize("path", ["v1/react", "extensions/reactions"])
@pytest.mark.parametrize(
    "names", [("messageId", "reaction"), ("msgId", "emoji")], ids=["as messages", "as the web client"]
)
def test_the_extension_reacts_to_a_message(path: str, names: tuple[str, str]) -> None:
    chat = ApiBench().joined()
    body = {"messageId": None, names[0]: chat.send()["id"], names[1]: "🔥"}

    answer = chat.ask("POST", path, body)

    assert (answer.status, len(answer.pushes)) == (200, 2)
    assert [count["reaction"] for count in answer.body["data"]["data"]["reactions"]] == ["🔥"]


def test_a_forgotten_message_takes_its_reactions_along() -> None:
    chat = ApiBench().joined()
    number = chat.send()["id"]
    chat.ask("POST", f"messages/{number}/reactions/x")

    for _ in range(50):
        chat.send()

    assert reaction_rows(chat.world, number, "bot") == []


def test_a_row_that_the_server_itself_stumbles_over_is_answered() -> None:
    chat = ApiBench("cometchat").joined()
    chat.world.store.plant("room", {"data": "no object"})

    answer = chat.ask(*HISTORY, query={"searchKey": "x"})

    assert refusal(answer) == (400, "ERR_BAD_REQUEST")


@pytest.mark.parametrize(
    ("call", "point"),
    [
        ("POST /v3/messages", "chat.send"),
        ("POST //v3.0/messages/3/thread", "chat.send"),
        ("GET /v3.0/user/messages/m", "chat.lookup"),
        ("GET /v3.0/groups/g/messages", "chat.history"),
        ("GET /v3.0/users/u/messages", "chat.history"),
        ("GET /v3.0/messages", "chat.history"),
        ("PUT /v3.0/me", "chat.me"),
        ("POST /v3.0/groups/g/members", "chat.join"),
        ("GET /v3.0/groups/g", "chat.group"),
        ("GET /v3.0/messages/3", "chat.other"),
    ],
)
def test_each_call_has_its_fault_point(call: str, point: str) -> None:
    method, path = call.split()

    assert fault_point(method, split_path(path)) == point


def test_people_that_never_called_are_users_of_the_chat_too() -> None:
    chat = ApiBench()
    chat.people.add("Carol", uid="carol")

    listed = chat.ask("GET", "users").body["data"]

    assert [row["uid"] for row in listed] == ["alice", "bot", "carol"]
    assert ApiBench().ask("GET", "users/alice").body["data"]["name"] == "alice"


def test_a_group_shows_a_member_that_it_has_joined_on_cometchat_only() -> None:
    openchat, cometchat = (ApiBench(dialect).joined().ask("GET", "groups/room") for dialect in DIALECTS)

    common = {"guid", "name", "type", "owner", "membersCount", "hasJoined", "createdAt", "metadata", "tags"}
    assert (set(openchat.body["data"]), openchat.body["data"]["hasJoined"]) == (common, False)
    assert set(cometchat.body["data"]) - common == {"scope", "joinedAt", "conversationId"}
    assert cometchat.body["data"]["hasJoined"] is True


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
NAMES = """receiver receiverType category type data muid tags parentId parentMessageId password messageId
    reaction resource files uid guid scope participants moderators blockedUids"""
PATHS = """messages messages/3 messages/3/thread messages/3/interactions messages/3/reactions/x me
    user_sessions groups/room/members groups/room/conversation/read users/alice/conversation/delivered
    users/alice/conversation users/alice/conversation/read users/alice/auth_tokens users groups
    groups/room/bannedusers/alice groups/room/members/alice blockedusers conversations me/jwt
    extensions/reactions"""


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=100)
@given(
    key=st.sampled_from([{}, {"apikey": API_KEY}]),
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH"]),
    path=st.sampled_from(PATHS.split()),
    body=ANY_JSON
    | st.dictionaries(
        st.sampled_from(NAMES.split()), ANY_JSON | st.sampled_from(["room", "group", "user", "3"])
    ),
)
def test_json_of_every_shape_is_answered(
    dialect: str, key: dict[str, str], method: str, path: str, body: Json
) -> None:
    chat = ApiBench(dialect).joined()
    chat.send()
    headers = {"authtoken": chat.bot.chat_token, "appId": APP_ID, **key}

    answer = chat.ask(method, path, body, headers=headers)

    assert 200 <= answer.status <= 500
    assert chat.ask("GET", "me", by=chat.alice).status == 200
    assert chat.ask("GET", "groups/room/messages", by=chat.alice).status < 500

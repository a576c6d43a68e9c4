"""How far a conversation is read, and what its list says of it."""

from typing import Any

import pytest

from tests.sandbox.chat.api_bench import ApiBench, refusal

TO_BOT = {"receiver": "bot", "receiverType": "user"}


def conversation(chat: ApiBench, path: str = "users/alice/conversation") -> dict[str, Any]:
    found: dict[str, Any] = chat.ask("GET", path).body["data"]
    return found


def told(chat: ApiBench) -> list[tuple[str, int]]:
    return [
        (line["conversationId"], line["unreadMessageCount"])
        for line in chat.ask("GET", "conversations").body["data"]
    ]


def test_a_read_mark_goes_on_and_never_back_by_being_set() -> None:
    chat = ApiBench()
    first, second, third = (chat.send(text, by=chat.alice, **TO_BOT)["id"] for text in "abc")

    def mark(number: object) -> str:
        answer = chat.ask("POST", "users/alice/conversation/read", {"messageId": number})
        marked: str = answer.body["data"]["messageId"]
        return marked

    assert [mark(second), mark(str(first)), mark(third), mark(first)] == [
        str(second),
        str(second),
        str(third),
        str(third),
    ]


def test_a_read_mark_is_taken_back_to_before_a_message() -> None:
    chat = ApiBench()
    first, second = (chat.send(text, by=chat.alice, **TO_BOT)["id"] for text in "ab")
    chat.ask("POST", "users/alice/conversation/read", {})

    before_second = chat.ask("DELETE", "users/alice/conversation/read", {"messageId": second})
    seen = conversation(chat)
    before_first = chat.ask("DELETE", "users/alice/conversation/read", {"messageId": first})

    assert before_second.body["data"]["conversation"] == seen
    assert (seen["lastReadMessageId"], seen["unreadMessageCount"]) == (str(first), 1)
    last = before_first.body["data"]["conversation"]
    assert (last["lastReadMessageId"], last["unreadMessageCount"]) == ("", 2)


@pytest.mark.parametrize("action", ["read", "delivered"])
def test_a_mark_of_another_conversations_message_is_refused(action: str) -> None:
    chat = ApiBench().joined()
    in_room = chat.send(by=chat.alice)["id"]
    direct = chat.send(by=chat.alice, **TO_BOT)["id"]

    wrong = [
        chat.ask("POST", f"users/alice/conversation/{action}", {"messageId": in_room}),
        chat.ask("POST", f"groups/room/conversation/{action}", {"messageId": direct}),
        chat.ask("POST", f"users/nobody/conversation/{action}", {"messageId": direct}),
    ]

    assert {refusal(answer) for answer in wrong} == {(403, "ERR_FORBIDDEN")}


def test_a_direct_message_counts_as_delivered_at_once_and_a_line_in_a_group_does_not() -> None:
    chat = ApiBench().joined()
    number = chat.send(by=chat.alice, **TO_BOT)["id"]
    in_room = chat.send(by=chat.alice)["id"]

    direct, group = conversation(chat), conversation(chat, "groups/room/conversation")
    chat.ask("POST", "groups/room/conversation/delivered", {"messageId": in_room})
    marked = conversation(chat, "groups/room/conversation")

    assert (direct["lastDeliveredMessageId"], direct["deliveredAt"]) == (str(number), 1_000_000)
    assert (group["lastDeliveredMessageId"], group["deliveredAt"]) == ("", None)
    assert (marked["lastDeliveredMessageId"], marked["deliveredAt"]) == (str(in_room), 1_000_000)


def test_conversations_stand_newest_first_and_page_and_filter() -> None:
    chat = ApiBench().joined()
    chat.send(by=chat.alice)
    chat.seconds += 1
    chat.send(by=chat.alice, **TO_BOT)
    chat.seconds += 1
    chat.people.add("carol", uid="carol")
    chat.send(receiver="carol", receiverType="user")

    def listed(**query: str) -> list[str]:
        found = chat.ask("GET", "conversations", query=query).body["data"]
        return [line["conversationId"] for line in found]

    everything = ["user_bot_carol", "user_alice_bot", "group_room"]
    assert listed() == everything
    assert listed(conversationType="user") == everything[:2]
    assert listed(conversationType="group") == everything[2:]
    assert [listed(limit="1", page=str(page)) for page in (1, 2, 3, 4)] == [
        *([name] for name in everything),
        [],
    ]
    assert listed(limit="0") == listed(limit="x") == everything[:1]


def test_a_hidden_conversation_comes_back_with_the_next_message_and_keeps_its_rows() -> None:
    chat = ApiBench()
    number = chat.send(by=chat.alice, **TO_BOT)["id"]

    hidden = chat.ask("DELETE", "users/alice/conversation").body["data"]
    while_hidden = (told(chat), conversation(chat))
    rows = chat.ask("GET", "users/alice/messages").body["data"]
    chat.send("again", by=chat.alice, **TO_BOT)

    assert hidden == {
        "conversationId": "user_alice_bot",
        "uid": "alice",
        "messageId": str(number),
        "hiddenAt": 1_000_000,
        "success": True,
    }
    assert while_hidden == ([], {})
    assert [row["id"] for row in rows] == [number]
    assert told(chat) == [("user_alice_bot", 2)]


def test_what_was_never_said_is_an_empty_conversation_and_can_be_hidden() -> None:
    chat = ApiBench()

    assert conversation(chat, "users/nobody/conversation") == {}
    assert chat.ask("DELETE", "users/nobody/conversation").body["data"]["messageId"] == "0"
    assert chat.ask("GET", "conversations").body["data"] == []


@pytest.mark.parametrize(("method", "action"), [("POST", "read"), ("POST", "delivered"), ("DELETE", "read")])
def test_where_nothing_was_said_nothing_is_marked(method: str, action: str) -> None:
    answer = ApiBench().ask(method, f"users/alice/conversation/{action}", {"messageId": None})

    assert refusal(answer) == (404, "ERR_MESSAGE_NOT_FOUND")
    assert answer.body["error"]["message"] == "Message 0 was not found."


def test_edits_of_others_count_as_unread_and_deleted_rows_do_not() -> None:
    chat = ApiBench().joined()
    numbers = [chat.send(text, by=chat.alice)["id"] for text in "abc"]

    chat.ask("PUT", f"messages/{numbers[0]}", {"data": {"text": "A"}}, by=chat.alice)
    chat.ask("DELETE", f"messages/{numbers[1]}", by=chat.alice)

    # a, c, and the actions that say "edited" and "deleted"
    assert told(chat) == [("group_room", 4)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["alice", "room"]),
        ({"receiverType": "user"}, ["alice"]),
        ({"receiverType": "group"}, ["room"]),
    ],
)
@pytest.mark.parametrize("yes", ["1", "true"])
def test_unread_counts_are_those_of_one_kind_where_that_is_asked(
    query: dict[str, str], expected: list[str], yes: str
) -> None:
    chat = ApiBench().joined()
    chat.send(by=chat.alice)
    chat.send(by=chat.alice, **TO_BOT)

    counts = chat.ask("GET", "messages", query={"unread": yes, "count": yes, **query}).body["data"]

    assert [line["entityId"] for line in counts] == expected


def test_the_list_of_messages_knows_a_whole_conversation_and_one_writers_part_of_it() -> None:
    chat = ApiBench().joined()
    chat.send("hers", by=chat.alice, **TO_BOT)
    chat.send("mine", receiver="alice", receiverType="user")
    chat.send("in the room")

    def texts(**query: str) -> list[str]:
        return [row["data"]["text"] for row in chat.ask("GET", "messages", query=query).body["data"]]

    assert texts(receiverType="user", receiver="alice") == ["hers", "mine"]
    assert texts(receiverType="user", sender="alice") == ["hers"]
    assert texts(receiverType="user", sender="bot") == []
    assert texts(receiverType="group", receiver="room") == ["in the room"]
    assert texts(receiverType="group") == texts(sender="alice") == texts(receiver="room") == []
    assert refusal(chat.ask("GET", "messages", query={"receiverType": "group", "receiver": "secret"})) == (
        400,
        "ERR_NOT_A_MEMBER",
    )

"""What is attached to a message, as OpenChat stores and shows it."""

import re
from typing import Any

import pytest

from hangbot.sandbox.chat.media import Upload, uploads
from hangbot.sandbox.ids import Ids
from tests.sandbox.chat.api_bench import LINE, ApiBench, refusal

URL = "http://127.0.0.1/a.png"
PICTURE = {"url": URL, "name": "a.png", "extension": "png", "mimeType": "image/png", "size": 7}


def said(row: dict[str, Any]) -> dict[str, Any]:
    """What the invented line shows beside its sender."""
    line = row["metadata"]["chatMessage"]
    return {name: line[name] for name in ("message", "imageUrls", "media") if name in line}


def test_an_address_becomes_an_attachment_and_a_caption_that_is_empty() -> None:
    chat = ApiBench().joined()

    row = chat.send(type="video", data={"url": "http://127.0.0.1/a.mp4"})

    assert row["data"]["attachments"] == [
        {
            "url": "http://127.0.0.1/a.mp4",
            "name": "a.mp4",
            "extension": "mp4",
            "mimeType": "video/mp4",
        }
    ]
    assert (row["type"], row["data"]["caption"], "text" in row["data"]) == ("video", "", False)
    assert said(row) == {}


def test_of_a_picture_by_its_address_the_line_says_where_it_is() -> None:
    row = ApiBench().joined().send(type="image", data={"url": URL})

    assert said(row) == {"imageUrls": [URL]}


@pytest.mark.parametrize("kind", ["image", "text"])
def test_what_the_client_attached_stays_as_it_is_and_stands_in_the_line(kind: str) -> None:
    row = ApiBench().joined().send(type=kind, data={"attachments": [PICTURE], "text": "see"})

    assert row["data"]["attachments"] == [PICTURE]
    assert (row["type"], row["data"]["caption"], row["data"]["text"]) == (kind, "see", "see")
    assert said(row) == {
        "message": "see",
        "imageUrls": [URL],
        "media": {"name": "a.png", "type": "image/png", "uri": URL, "url": URL},
    }


def test_without_a_text_the_line_says_the_name_of_what_is_attached() -> None:
    row = (
        ApiBench()
        .joined()
        .send(type="file", data={"attachments": [{"url": "http://x/a.txt", "name": "a.txt"}]})
    )

    assert said(row) == {
        "message": "a.txt",
        "media": {"name": "a.txt", "uri": "http://x/a.txt", "url": "http://x/a.txt"},
    }


def test_a_picture_without_an_address_is_none_in_the_line() -> None:
    picture = {"mimeType": "image/png", "name": "a.png"}

    row = ApiBench().joined().send(type="image", data={"attachments": [picture]})

    assert said(row) == {"message": "a.png", "media": {"name": "a.png", "type": "image/png"}}


@pytest.mark.parametrize("data", [{}, {"attachments": []}, {"attachments": None}])
@pytest.mark.parametrize("kind", ["image", "file", "audio", "video"])
def test_a_picture_without_a_picture_is_a_text(kind: str, data: dict[str, Any]) -> None:
    row = ApiBench().joined().send(type=kind, data=data)

    assert (row["type"], row["data"]["text"], row["data"]["caption"]) == ("text", None, "")
    assert "attachments" not in row["data"]


@pytest.mark.parametrize(
    "data", [{"attachments": "x"}, {"attachments": {}}, {"url": 5}, {"attachments": [5]}]
)
def test_what_cannot_be_attached_crashes_it(data: dict[str, Any]) -> None:
    chat = ApiBench().joined()

    assert refusal(chat.ask("POST", "messages", {**LINE, "type": "image", "data": data})) == (500, None)


def test_a_custom_message_is_stored_as_it_is() -> None:
    row = ApiBench().joined().send(category="custom", type="image", data={"url": URL, "customData": 5})

    assert row["data"]["url"] == URL
    assert "attachments" not in row["data"]
    assert "metadata" not in row


def test_of_a_deleted_picture_less_is_told() -> None:
    chat = ApiBench().joined()
    number = chat.send(type="image", data={"attachments": [PICTURE], "url": URL})["id"]

    deleted = chat.ask("DELETE", f"messages/{number}").body["data"]["data"]["entities"]["on"]["entity"]

    assert deleted["data"]["attachments"] == [{name: PICTURE[name] for name in PICTURE if name != "size"}]
    assert "url" not in deleted["data"]


@pytest.mark.parametrize(
    ("body", "data", "top"),
    [
        pytest.param({"data": {"text": "b"}}, {"text": "b", "metadata": {"a": 1}}, {"a": 1}, id="a text"),
        pytest.param({"text": "b"}, {"text": "b", "metadata": {"a": 1}}, {"a": 1}, id="at the top"),
        pytest.param(
            {"data": {"metadata": {"b": 2}}}, {"text": "a", "metadata": {"b": 2}}, {"a": 1}, id="metadata"
        ),
        pytest.param(
            {"data": {"extra": 1}, "tags": ["x"], "muid": "m", "category": "custom"},
            {"text": "a", "extra": 1, "metadata": {"a": 1}},
            {"a": 1},
            id="anything else in data, and nothing else beside it",
        ),
        pytest.param({"data": "x"}, {"text": "a", "metadata": {"a": 1}}, {"a": 1}, id="no object"),
        pytest.param({}, {"text": "a", "metadata": {"a": 1}}, {"a": 1}, id="nothing"),
    ],
)
def test_an_edit_changes_what_it_names_and_the_metadata_at_the_top_stays(
    body: dict[str, Any], data: dict[str, Any], top: dict[str, Any]
) -> None:
    chat = ApiBench().joined()
    line = {"chatMessage": {"id": "mine"}}
    number = chat.send(data={"text": "a", "metadata": {"a": 1, **line}})["id"]

    action = chat.ask("PUT", f"messages/{number}", body).body["data"]
    row = chat.ask("GET", f"messages/{number}").body["data"]

    kept = {name: row["data"][name] for name in row["data"] if name not in ("entities", "reactions")}
    if "metadata" not in body.get("data", {}):
        data = {**data, "metadata": {**data["metadata"], **line}}
    assert kept == data
    assert row["metadata"] == {**top, **line}
    assert (row["category"], row.get("muid"), row.get("tags")) == ("message", None, None)
    assert action["data"]["action"] == "edited"


@pytest.mark.parametrize(
    ("more", "field", "value"),
    [
        ({"category": 5}, "category", 5),
        ({"category": None, "type": None}, "category", "message"),
        ({"type": ""}, "type", ""),
        ({"muid": 77}, "muid", 77),
        ({"muid": ""}, "muid", ""),
        ({"muid": ["a", "b"]}, "muid", ["a", "b"]),
        ({"tags": []}, "tags", []),
        ({"resource": "mine"}, "resource", "mine"),
        ({"receiverType": "GROUP"}, "receiverType", "group"),
        ({"receiver": ["ro", "om"]}, "receiver", "room"),
        ({"sender": "alice", "sentAt": 5, "id": 9}, "sender", "bot"),
    ],
)
def test_a_sends_fields_are_kept_as_they_came(more: dict[str, Any], field: str, value: object) -> None:
    row = ApiBench().joined().send(**more)

    assert row[field] == value


def test_without_a_receiver_type_the_receiver_is_a_user() -> None:
    chat = ApiBench().joined()

    for body in ({"receiver": "room", "data": {"text": "lost"}}, {**LINE, "receiverType": None}):
        row = chat.ask("POST", "messages", body).body["data"]

        assert (row["receiverType"], row["conversationId"]) == ("user", "user_bot_room")


@pytest.mark.parametrize(
    ("muid", "word"), [(77, "77"), (1.5, "1.5"), (True, "true"), ("ü /", "%C3%BC%20%2F")]
)
def test_a_muid_is_looked_up_as_text(muid: object, word: str) -> None:
    chat = ApiBench().joined()
    number = chat.send(muid=muid)["id"]

    assert chat.ask("GET", f"user/messages/{word}").body["data"]["id"] == number


@pytest.mark.parametrize("name", ["parentId", "parentMessageId"])
@pytest.mark.parametrize("as_text", [False, True])
def test_a_reply_keeps_its_parent_as_it_was_sent_and_its_conversation(name: str, *, as_text: bool) -> None:
    chat = ApiBench().joined()
    number = chat.send()["id"]
    direct = chat.send(receiver="alice", receiverType="user")["id"]
    parent = str(number) if as_text else number

    assert chat.ask("POST", "messages", {**LINE, name: parent}).body["data"]["parentId"] == parent
    assert refusal(chat.ask("POST", "messages", {**LINE, name: direct})) == (403, "ERR_FORBIDDEN")
    assert refusal(chat.ask("POST", f"messages/{direct}/thread", LINE)) == (403, "ERR_FORBIDDEN")
    assert chat.ask("POST", f"messages/{number}/thread", LINE).body["data"]["parentId"] == str(number)


def test_an_upload_has_an_address_of_its_own() -> None:

    one, two = uploads(
        [Upload(name="a.txt", mimeType="text/plain", size=5), Upload(name="b", mimeType="x/y", size=0)],
        Ids(),
    )

    assert re.fullmatch(r"/media/[\w-]+-upload\.txt", one["url"])
    assert (one["extension"], two["extension"]) == ("txt", "")

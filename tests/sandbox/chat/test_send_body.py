"""What is sent: by clients, and by the people of the sandbox."""

import re

import pytest

from hangbot.sandbox.chat.media import Upload, uploads
from hangbot.sandbox.chat.send_body import web_client_line
from hangbot.sandbox.ids import Ids
from hangbot.sandbox.people import People
from tests.sandbox.chat.api_bench import ApiBench


def test_a_line_has_the_fields_that_the_web_client_shows() -> None:
    alice, ids = People(lambda: 0.0).add("alice"), Ids()

    line = web_client_line(alice, "hello", ids)

    said = line["metadata"]["chatMessage"]
    assert line["text"] == said["message"] == "hello"
    assert (said["userName"], said["userUuid"], said["avatarId"]) == ("alice", alice.uid, alice.avatar_id)
    assert said["color"].startswith("#")
    assert (said["badges"], said["mentions"], said["type"]) == ([], [], "user")
    assert said["id"] != web_client_line(alice, "hello", ids)["metadata"]["chatMessage"]["id"]


@pytest.mark.parametrize(
    ("muid", "word"), [(77, "77"), (1.5, "1.5"), (True, "true"), ("ü /", "%C3%BC%20%2F")]
)
def test_a_muid_is_looked_up_as_text(muid: object, word: str) -> None:
    chat = ApiBench().joined()
    number = chat.send(muid=muid)["id"]

    assert chat.ask("GET", f"user/messages/{word}").body["data"]["id"] == number


def test_an_upload_has_an_address_of_its_own() -> None:

    one, two = uploads(
        [Upload(name="a.txt", mimeType="text/plain", size=5), Upload(name="b", mimeType="x/y", size=0)],
        Ids(),
    )

    assert re.fullmatch(r"/media/[\w-]+-upload\.txt", one["url"])
    assert (one["extension"], two["extension"]) == ("txt", "")


@pytest.mark.parametrize("kind", ["image", "file", "audio", "video"])
def test_what_attaches_nothing_is_a_text(kind: str) -> None:
    row = ApiBench().joined().send(type=kind, data={"attachments": []})

    assert (row["type"], row["data"]["text"], row["data"]["caption"]) == ("text", None, "")
    assert "attachments" not in row["data"]

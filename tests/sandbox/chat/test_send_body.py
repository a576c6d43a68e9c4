"""What the people of the sandbox write."""

from hangbot.sandbox.chat.send_body import web_client_line
from hangbot.sandbox.ids import Ids
from hangbot.sandbox.people import People


def test_a_line_has_the_fields_that_the_web_client_shows() -> None:
    alice, ids = People(lambda: 0.0).add("alice"), Ids()

    line = web_client_line(alice, "hello", ids)

    said = line["metadata"]["chatMessage"]
    assert line["text"] == said["message"] == "hello"
    assert (said["userName"], said["userUuid"], said["avatarId"]) == ("alice", alice.uid, alice.avatar_id)
    assert said["color"].startswith("#")
    assert (said["badges"], said["mentions"], said["type"]) == ([], [], "user")
    assert said["id"] != web_client_line(alice, "hello", ids)["metadata"]["chatMessage"]["id"]

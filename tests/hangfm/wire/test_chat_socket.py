import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hangbot.bot.events import ChatMessage
from hangbot.bot.ports import Unreadable
from hangbot.hangfm.wire.chat_socket import (
    AuthAccepted,
    AuthRefused,
    OtherFrame,
    Pong,
    decode,
    encode_auth,
    own_host,
    socket_url,
)
from tests.cases import cases
from tests.hangfm.wire.documents import ANY_JSON

KINDS = st.sampled_from(["auth", "message", "receipts", "reaction", "pong", "typing_indicator", None, 5])
READ = ChatMessage | Unreadable | AuthAccepted | AuthRefused | Pong | OtherFrame


@given(st.text() | st.binary())
@example("[" * 100_000)
@example('{"type":"message","body":{"id":' + "9" * 5000 + "}}")
def test_any_bytes_are_read(frame: str | bytes) -> None:
    assert isinstance(decode(frame), READ)


@given(KINDS, ANY_JSON, ANY_JSON)
def test_any_body_is_read(kind: str | None, body: object, device: object) -> None:
    assert isinstance(decode(json.dumps({"type": kind, "deviceId": device, "body": body})), READ)


@cases(
    "frame read",
    ("accepted", {"type": "auth", "body": {"status": "OK", "code": "200"}}, AuthAccepted()),
    ("accepted, as a number", {"type": "auth", "body": {"code": 200}}, AuthAccepted()),
    (
        "refused",
        {"type": "auth", "body": {"status": "ERROR", "code": "ERR_NO_AUTH"}},
        AuthRefused("ERR_NO_AUTH"),
    ),
    ("refused without a code", {"type": "auth", "body": None}, AuthRefused("no code")),
    ("a pong", {"action": "pong"}, Pong()),
    ("a receipt", {"type": "receipts", "body": {"action": "read"}}, OtherFrame("receipts")),
    ("without a type", {}, OtherFrame("no type")),
)
def test_a_frame_is_read_as_what_it_is(frame: object, read: object) -> None:
    assert decode(json.dumps(frame)) == read


def test_the_envelope_says_which_client_wrote_a_row_that_does_not() -> None:
    body = {"id": 5, "sender": "ann", "data": {"text": "hi"}}

    told, kept = (
        decode(json.dumps({"type": "message", "deviceId": "phone", "body": row}))
        for row in (body, {**body, "resource": "laptop"})
    )

    assert isinstance(told, ChatMessage)
    assert isinstance(kept, ChatMessage)
    assert (told.raw["resource"], kept.raw["resource"]) == ("phone", "laptop")


def test_the_bot_says_who_it_is() -> None:
    frame = json.loads(encode_auth(app_id=None, device="d", uid="bot", token="jwt"))

    assert frame["type"] == "auth"
    assert (frame["sender"], frame["deviceId"], frame["body"]["auth"]) == ("bot", "d", "jwt")


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://openchat.example", "wss://openchat.example/"),
        ("http://127.0.0.1:8080/", "ws://127.0.0.1:8080/"),
        ("https://host.example/chat/", "wss://host.example/chat/"),
    ],
)
def test_the_socket_is_at_the_servers_own_address(base: str, url: str) -> None:
    assert socket_url(base) == url


@cases(
    "settings url",
    ("named", {"CHAT_HOST": "h.example", "CHAT_WSS_PORT": "443"}, "wss://h.example:443/"),
    ("without a port", {"CHAT_HOST": "h.example"}, "wss://h.example/"),
    ("overridden", {"CHAT_HOST": "h.example", "CHAT_HOST_OVERRIDE": "o.example"}, "wss://o.example/"),
    ("not named", {}, None),
    ("named as nothing", {"CHAT_HOST": None}, None),
    ("for this app", {"CHAT_HOST": "h.example", "CHAT_HOST_APP_SPECIFIC": "a.example"}, "wss://a.example/"),
    ("an address with more", {"CHAT_HOST": "u@h.example/path?"}, None),
    ("not on one line", {"CHAT_HOST": "h.example\n"}, None),
    ("no text", {"CHAT_HOST": ["h.example"]}, None),
    ("a number for a port", {"CHAT_HOST": "h.example", "CHAT_WSS_PORT": 8443}, "wss://h.example:8443/"),
    ("no port", {"CHAT_HOST": "h.example", "CHAT_WSS_PORT": "99999"}, "wss://h.example/"),
)
def test_cometchats_socket_is_a_host_of_its_own(settings: dict[str, object], url: str | None) -> None:
    assert own_host("https://app.apiclient-us.cometchat.io", settings) == url
    assert own_host("https://openchat.example", settings) is None

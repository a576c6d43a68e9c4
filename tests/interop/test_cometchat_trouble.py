"""npm `@cometchat/chat-sdk-javascript` 4.2.0, unmodified, when the sandbox is in trouble, and over TLS."""

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hangbot.sandbox import Sandbox

if TYPE_CHECKING:
    from tests.interop.conftest import OpenProgram, OpenSandboxProcess, Program

# The first test of a run waits for npm as well.
pytestmark = [pytest.mark.interop, pytest.mark.timeout(240)]


def texts(messages: list[dict[str, Any]]) -> list[str]:
    return [message["text"] for message in messages]


async def test_its_heartbeat_is_answered_and_its_device_report_is_taken(
    chat: "Program", sandbox: Sandbox
) -> None:
    for _ in range(2):
        await chat.hears("frame", action="pong")
    await sandbox.journal.wait_for(lambda event: str(event.get("path", "")).endswith("/user_sessions"))

    assert await chat.do("status") == "connected"
    assert chat.heard("Disconnected") == []
    assert sandbox.journal.unrouted == []


@pytest.mark.parametrize("deed", ["close", "abort"])
async def test_a_lost_socket_comes_back_by_itself_and_what_was_missed_is_in_the_history(
    chat: "Program", sandbox: Sandbox, deed: str
) -> None:
    alice, room = sandbox.users.add("alice"), sandbox.room_uuid
    await alice.join()
    last = await chat.do("send", to=room, text="before")
    sandbox.faults.add("chat.ws", deed)

    await alice.say("missed")
    await chat.hears("Connected")
    await chat.hears("frame", type="auth", code="200")
    await alice.say("heard")
    heard = await chat.hears("TextMessageReceived")
    await chat.do("open", **{"as": "missed"}, guid=room, **{"from": last["id"]})

    assert heard["value"]["text"] == "heard"
    assert texts(await chat.do("next", **{"as": "missed"})) == ["missed", "heard"]
    assert not sandbox.faults.leftovers()


@pytest.mark.parametrize(
    ("fault", "code", "stored"),
    [
        pytest.param({"do": "refuse"}, "FAILED_TO_FETCH", [], id="refused"),
        pytest.param({"do": "garbage"}, "FAILED_TO_FETCH", [], id="html-from-a-proxy"),
        pytest.param({"do": "cut_before_store"}, "FAILED_TO_FETCH", [], id="cut-before-it-was-stored"),
        pytest.param({"do": "cut_after_store"}, "FAILED_TO_FETCH", ["hello"], id="cut-after-it-was-stored"),
        pytest.param(
            {
                "do": "status",
                "status": 429,
                "body": {"error": {"code": "ERR_TOO_MANY_REQUESTS", "message": "…"}},
            },
            "ERR_TOO_MANY_REQUESTS",
            [],
            id="rate-limited",
        ),
    ],
)
async def test_a_failed_send_is_told_once_and_never_repeated(
    chat: "Program", sandbox: Sandbox, fault: dict[str, Any], code: str, stored: list[str]
) -> None:
    sandbox.faults.add("chat.send", **fault)

    refusal = await chat.refusal("send", to=sandbox.room_uuid, text="hello")

    assert refusal["code"] == code
    assert [message["data"]["text"] for message in sandbox.messages if "text" in message["data"]] == stored
    assert len([row for row in chat.heard("request") if row["path"].endswith("/messages")]) == 1
    assert not sandbox.faults.leftovers()


async def test_a_wrong_token_an_unknown_group_and_a_logout_are_told_in_the_dialects_own_codes(
    chat: "Program", sandbox: Sandbox
) -> None:
    unknown = await chat.refusal("group", guid="no-such-group")
    await chat.do("leave", guid=sandbox.room_uuid)
    await chat.do("logout")
    nobody = await chat.do("loggedIn")
    wrong = await chat.refusal("login", token="nonsense")

    assert unknown["code"] == "ERR_GUID_NOT_FOUND"
    assert nobody is None
    codes = {"openchat": "ERR_NO_AUTH", "cometchat": "AUTH_ERR_AUTH_TOKEN_NOT_FOUND"}
    assert wrong["code"] == codes[sandbox.dialect]


@pytest.mark.parametrize("dialect", ["openchat", "cometchat"])
async def test_over_tls_every_address_of_the_sdk_is_the_sandbox_processs_own(
    open_program: "OpenProgram", open_sandbox_process: "OpenSandboxProcess", tmp_path: Path, dialect: str
) -> None:
    cert, key = certificate(tmp_path)
    ready = await open_sandbox_process("--dialect", dialect, "--tls-cert", str(cert), "--tls-key", str(key))
    host = ready["chat_url"].removeprefix("https://")
    chat = await open_program("chat.mjs", ready["chat_url"], env={"NODE_EXTRA_CA_CERTS": str(cert)})

    await chat.do("init", appId=ready["app_id"], host=f"{host}/v3.0")
    user = await chat.do("login", token=ready["chat_token"])
    await chat.hears("Connected")
    await chat.do("join", guid=ready["room_uuid"])
    sent = await chat.do("send", to=ready["room_uuid"], text="sealed")

    assert user["uid"] == ready["bot_uid"]
    assert sent["text"] == "sealed"
    assert {row["host"] for row in chat.heard("request")} == {host}
    assert [row["address"] for row in chat.heard("socket")] == [f"wss://{host}/"]


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no proof over TLS: `openssl` is not on the PATH to make a certificate with")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    paths = ["-keyout", str(key), "-out", str(cert)]
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, *paths]
    subprocess.run(command, check=True, capture_output=True, timeout=60)  # noqa: S603  nothing from outside
    return cert, key

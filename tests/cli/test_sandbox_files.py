"""The files of ``hangbot sandbox``: whose they are, what is kept of them, and nothing half done."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import ssl
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver
from websockets.asyncio.client import connect

from hangbot.cli.sandbox_env import MARK
from hangbot.config import Settings
from tests.bounds import WITHIN
from tests.cli.stories import control, until
from tests.cli.test_sandbox import first_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aiohttp.abc import ResolveResult

    from tests.cli.conftest import Call, Command, Start


@pytest.fixture
def taken() -> Iterator[str]:
    """Give a port that is not to be had: what fails after everything else was looked at."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield str(other.getsockname()[1])


def names(folder: Path) -> list[str]:
    """What lies there, but for what the commands of a test print."""
    return sorted(path.name for path in folder.iterdir() if path.suffix not in {".err", ".out"})


def is_there(bot: Command) -> bool:
    return "reading the chat" in bot.err and "[SOCKET] joined" in bot.err


def has_answered(ready: dict[str, Any]) -> bool:
    return "has been up" in str(control(ready, "GET", "/messages"))


@pytest.mark.slow
def test_the_bot_and_the_room_outlive_a_sandbox_so_that_the_outbox_fits(start: Start, folder: Path) -> None:
    file = folder / "sandbox.env"
    lives: list[dict[str, Any]] = []
    said: list[str] = []
    for text in ("/uptime", "/uptime"):
        sandbox = start("sandbox", "--env-out", "sandbox.env")
        ready = first_line(sandbox)
        if not lives:
            file.write_text(file.read_text() + "HANGBOT_RATE=0\n")  # the user's own, from now on
        bot = start("run", "--env-file", "sandbox.env")
        until(bot, partial(is_there, bot))
        alice = control(ready, "POST", "/users", {"nickname": "alice"})["uid"]
        control(ready, "POST", f"/users/{alice}/join", {})
        control(ready, "POST", f"/users/{alice}/say", {"text": text})
        until(bot, partial(has_answered, ready))
        for command in (bot, sandbox):
            command.send(signal.SIGTERM)
            assert command.wait() == 0, command.err
        lives.append(ready)
        said.append(bot.err)

    kept = ("bot_uid", "bot_token", "chat_token", "room_uuid", "room_slug")
    assert [lives[0][name] for name in kept] == [lives[1][name] for name in kept]
    warned = [line for line in "".join(said).splitlines() if "WARNING" in line]
    assert [bool(re.search("began anew|from the beginning again", line)) for line in warned] == [True]
    assert "ERROR" not in "".join(said)
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text().endswith("HANGBOT_RATE=0\n")
    settings = Settings.load(file, {})
    assert settings.warnings == ()
    assert {lives[0]["bot_token"], lives[0]["chat_token"]} <= set(settings.secrets())


def test_the_file_holds_the_names_of_other_bots_too(start: Start, folder: Path) -> None:
    ready = first_line(start("sandbox", "--env-out", "sandbox.env"))

    values = dict(
        line.split("=", 1) for line in (folder / "sandbox.env").read_text().splitlines() if "=" in line
    )

    assert values["HANGOUT_ID"] == values["ROOM_UUID"] == ready["room_uuid"]
    assert values["BOT_UID"] == values["CHAT_USER_ID"] == values["COMETCHAT_UID"] == ready["bot_uid"]
    assert values["TTL_USER_TOKEN"] == values["BOT_USER_TOKEN"] == ready["bot_token"]
    assert values["CHAT_TOKEN"] == values["COMETCHAT_AUTH"] == ready["chat_token"]
    assert values["COMET_BASE_URL"] == values["OPENCHAT_BASE_URL"] == ready["chat_url"]


FOREIGN = "BOT_USER_TOKEN=of-a-live-bot\n"


@pytest.mark.parametrize(
    ("argv", "code", "says"),
    [
        pytest.param(["--env-out", "live.env"], 2, "live.env was not made by this command", id="another's"),
        pytest.param(["--env-out", "link.env"], 2, "link.env is a symbolic link", id="a link"),
        pytest.param(["--env-out", "dangling.env"], 2, "dangling.env is a symbolic link", id="a dead link"),
        pytest.param(["--env-out", "folder"], 1, "folder: Is a directory", id="a folder"),
        pytest.param(["--env-out", "folder", "--force"], 1, "folder: Is a directory", id="a folder by force"),
        pytest.param(["--env-out", "pipe"], 1, "pipe is no regular file", id="a pipe"),
        pytest.param(["--env-out", "/dev/null", "--force"], 1, "/dev/null is no regular file", id="a device"),
        pytest.param(["--env-out", "live.env/x"], 1, "live.env/x: Not a directory", id="below a file"),
        pytest.param(["--env-out", "x" * 300], 1, "File name too long", id="a name that is too long"),
        pytest.param(["--tls", "--env-out", "ca.env"], 2, "ca.ca.pem was not made by", id="an authority"),
        pytest.param(
            ["--tls", "--env-out", "dir.env"], 1, "dir.ca.pem: Is a dir", id="a folder in its place"
        ),
        pytest.param(["--force"], 2, "--force goes with --env-out", id="force without a file"),
        pytest.param(["--env-out", "no/such/file"], 1, "no/such/file: No such file", id="no folder"),
        pytest.param(["--record", "no/such/file"], 1, "no/such/file: No such file", id="no folder to record"),
        pytest.param(["--tls-cert", "x"], 2, "both --tls-cert and --tls-key", id="half of TLS"),
        pytest.param(["--tls-cert", "x", "--tls-key", "y"], 1, "cannot be used for TLS", id="no certificate"),
        pytest.param(["--tls-cert", "pipe", "--tls-key", "pipe"], 1, "it is no file", id="a pipe for TLS"),
        pytest.param(["--tls", "--room-port", "1"], 2, "there is one port", id="a room port with --tls"),
        pytest.param(
            ["--tls", "--tls-cert", "x", "--tls-key", "y"], 2, "a certificate of its own", id="two of TLS"
        ),
        pytest.param(
            ["--env-out", "own.env", "--http-port", "TAKEN"], 1, "in use", id="a port that is taken"
        ),
        pytest.param(
            ["--tls", "--env-out", "own.env", "--http-port", "TAKEN"], 1, "in use", id="… and an authority"
        ),
    ],
)
def test_what_cannot_be_written_is_one_line_and_leaves_everything_as_it_was(
    argv: list[str], code: int, says: str, *, folder: Path, taken: str, call: Call
) -> None:
    for name in ("live.env", "ca.ca.pem"):
        (folder / name).write_text(FOREIGN)
    (folder / "own.env").write_text(f"{MARK}\nBOT_USER_TOKEN=damaged\n")
    (folder / "link.env").symlink_to("live.env")
    (folder / "dangling.env").symlink_to("nowhere")
    for name in ("folder", "dir.ca.pem"):
        (folder / name).mkdir()
    os.mkfifo(folder / "pipe")
    before = names(folder)

    said = call("sandbox", *(taken if arg == "TAKEN" else arg for arg in argv))

    lines = [line for line in said.err.splitlines() if "names no bot" not in line]
    assert (said.code, said.out) == (code, "")
    assert len(lines) == 1
    assert says in lines[0]
    assert names(folder) == before
    assert (folder / "live.env").read_text() == (folder / "ca.ca.pem").read_text() == FOREIGN
    assert (folder / "own.env").read_text() == f"{MARK}\nBOT_USER_TOKEN=damaged\n"


def test_with_force_a_link_gives_way_and_what_it_leads_to_does_not(start: Start, folder: Path) -> None:
    live = folder / "live.env"
    live.write_text(FOREIGN)
    (folder / "sandbox.env").symlink_to(live)

    ready = first_line(start("sandbox", "--env-out", "sandbox.env", "--force"))

    assert live.read_text() == FOREIGN
    assert not (folder / "sandbox.env").is_symlink()
    assert ready["bot_token"] in (folder / "sandbox.env").read_text()


def test_an_own_file_that_was_damaged_is_told_and_made_anew(start: Start, folder: Path) -> None:
    (folder / "sandbox.env").write_text(f"{MARK}\nBOT_USER_TOKEN=ey.no.jwt\nROOM_UUID=x\n")
    sandbox = start("sandbox", "--env-out", "sandbox.env")

    ready = first_line(sandbox)

    assert ready["bot_token"] in (folder / "sandbox.env").read_text()
    assert sandbox.err == (
        "hangbot: sandbox.env names no bot and room that can be kept; these are new ones.\n"
    )


def test_without_the_extra_tls_names_what_to_add(
    folder: Path, monkeypatch: pytest.MonkeyPatch, call: Call
) -> None:
    monkeypatch.setitem(sys.modules, "trustme", None)

    said = call("sandbox", "--tls")

    assert said.code == 2
    assert said.err == (
        "hangbot: --tls makes its certificate with the library trustme, which is not installed. "
        "Install it (`pip install 'hangbot[tls]'`), or give --tls-cert and --tls-key.\n"
    )
    assert names(folder) == []


# -- a client with the service's addresses in its code


class HostsFile(AbstractResolver):
    """Leads every name to the sandbox, as /etc/hosts and its port 443 would."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_INET) -> list[ResolveResult]:  # noqa: ARG002  aiohttp's signature
        return [
            {
                "hostname": host,
                "host": "127.0.0.1",
                "port": self._port,
                "family": socket.AF_INET,
                "proto": 0,
                "flags": 0,
            }
        ]

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("beside", [True, False])
async def test_by_host_names_with_its_own_authority_every_service_is_found(
    start: Start, folder: Path, *, beside: bool
) -> None:
    sandbox = start("sandbox", "--tls", "--http-port", "0", *(["--env-out", "sandbox.env"] if beside else []))
    ready = first_line(sandbox)
    port = int(ready["chat_url"].rpartition(":")[2])
    advised = dict(line.split("=", 1) for line in sandbox.err.splitlines() if "=" in line)
    trusted = ssl.create_default_context(cafile=advised["SSL_CERT_FILE"])
    bearer = {"Authorization": f"Bearer {ready['bot_token']}"}
    connector = aiohttp.TCPConnector(resolver=HostsFile(port), ssl=trusted, use_dns_cache=False)
    async with aiohttp.ClientSession(connector=connector) as http:

        async def ask(method: str, url: str, **more: Any) -> tuple[int, Any]:  # noqa: ANN401  what aiohttp takes
            async with http.request(method, url, **more) as answer:
                return answer.status, await answer.json()

        exchange = "https://gateway.prod.tt.fm/api/user-service/comet-chat/user-token"
        chat_token = (await ask("GET", exchange, headers=bearer))[1]["cometAuthToken"]
        mine = {"authtoken": chat_token}
        me = await ask("GET", "https://openchat.prod.tt.fm/v3.0/me", headers=mine)
        regional = await ask("GET", "https://anything.apiclient-us.cometchat.io/v3/me", headers=mine)
        slug = ready["room_slug"]
        room = await ask("POST", f"https://rooms.prod.tt.fm/rooms/{slug}/join", headers=bearer)
        async with http.ws_connect("wss://x.websocket-eu.cometchat.io/") as ws:
            await ws.send_json({"type": "auth", "body": {"auth": me[1]["data"]["jwt"]}})
            let_in = await ws.receive_json(timeout=WITHIN)
        elsewhere = await ask("GET", "https://openchat.prod.tt.fm/api/user-service/users/profile")
        url = f"wss://socket.prod.tt.fm/primus?token={ready['bot_token']}"
        async with connect(url, host="127.0.0.1", port=port, ssl=trusted, proxy=None) as socket_:
            welcome = json.loads(await socket_.recv())
    sandbox.send(signal.SIGTERM)
    assert sandbox.wait() == 0, sandbox.err

    assert me[1]["data"]["uid"] == regional[1]["data"]["uid"] == ready["bot_uid"]
    assert room[1]["uuid"] == ready["room_uuid"]
    assert let_in["body"]["code"] == "200"
    assert welcome["context"] == "api"
    assert elsewhere[0] == 404
    assert advised["NODE_EXTRA_CA_CERTS"] == advised["REQUESTS_CA_BUNDLE"] == advised["SSL_CERT_FILE"]
    assert "127.0.0.1 socket.prod.tt.fm openchat.prod.tt.fm gateway.prod.tt.fm" in sandbox.err
    assert sandbox.out.count("\n") == 1
    assert names(folder) == (["sandbox.ca.pem", "sandbox.env"] if beside else [])
    assert await asyncio.to_thread(os.path.exists, advised["SSL_CERT_FILE"]) is beside


@pytest.mark.slow
def test_an_authority_gives_way_to_the_next_one(start: Start, folder: Path) -> None:
    made = []
    for _ in range(2):
        sandbox = start("sandbox", "--tls", "--http-port", "0", "--env-out", "sandbox.env")
        first_line(sandbox)
        made.append((folder / "sandbox.ca.pem").read_text())
        sandbox.send(signal.SIGTERM)
        assert sandbox.wait() == 0, sandbox.err

    assert made[0] != made[1]
    assert "PRIVATE KEY" not in "".join(made)
    assert names(folder) == ["sandbox.ca.pem", "sandbox.env"]

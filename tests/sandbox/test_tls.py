"""`https` and `wss` with a certificate made on the spot."""

import asyncio
import json
import shutil
import ssl
import subprocess
from pathlib import Path

import aiohttp
import pytest
from websockets.asyncio.client import connect

from hangbot.sandbox import open_sandbox
from tests.bounds import WITHIN

OPENSSL = shutil.which("openssl")

pytestmark = pytest.mark.skipif(OPENSSL is None, reason="makes its certificate with the program openssl")


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = (
        f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -out {cert} -keyout {key}"
    )
    named = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([OPENSSL or "openssl", *made.split(), *named], check=True, capture_output=True)  # noqa: S603  our own arguments
    return cert, key


async def test_room_chat_and_gateway_speak_tls_and_the_control_api_does_not(
    certificate: tuple[Path, Path],
) -> None:
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(*certificate)
    trusting = ssl.create_default_context(cafile=certificate[0])
    async with open_sandbox(tls=server) as sandbox, aiohttp.ClientSession() as http:
        headers = {"Authorization": f"Bearer {sandbox.bot.token}"}
        exchange = f"{sandbox.gateway_url}/api/user-service/comet-chat/user-token"
        async with http.get(exchange, headers=headers, ssl=trusting) as answer:
            token = (await answer.json())["cometAuthToken"]
        async with http.get(
            f"{sandbox.chat_url}/v3.0/me", headers={"authtoken": token}, ssl=trusting
        ) as answer:
            me = (await answer.json())["data"]
        async with http.ws_connect(sandbox.chat_url, ssl=trusting) as socket:
            await socket.send_json({"type": "auth", "body": {"auth": me["jwt"]}})
            let_in = await socket.receive_json(timeout=WITHIN)
        url = f"{sandbox.room_url.replace('http', 'ws', 1)}/primus?token={sandbox.bot.token}"
        async with connect(url, ssl=trusting, proxy=None) as room:
            welcome = json.loads(await asyncio.wait_for(room.recv(), WITHIN))
        async with http.get(sandbox.control_url + "/state") as answer:
            control = answer.status

        assert sandbox.room_url.startswith("https://")
        assert me["uid"] == sandbox.bot.uid
        assert let_in["body"]["code"] == "200"
        assert welcome["context"] == "api"
        assert control == 200


async def test_plain_text_on_the_tls_ports_disturbs_nobody(certificate: tuple[Path, Path]) -> None:
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(*certificate)
    trusting = ssl.create_default_context(cafile=certificate[0])
    async with open_sandbox(tls=server, control=False) as sandbox, aiohttp.ClientSession() as http:
        for port in (sandbox.room_port, sandbox.http_port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            async with asyncio.timeout(WITHIN):
                answer = await asyncio.gather(reader.read(), return_exceptions=True)
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)
            assert b"200" not in (answer[0] if isinstance(answer[0], bytes) else b"")

        async with http.get(sandbox.room_url + "/primus/spec", ssl=trusting) as spec:
            assert spec.status == 200


async def test_frames_of_many_tls_records_are_all_read(certificate: tuple[Path, Path]) -> None:
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(*certificate)
    trusting = ssl.create_default_context(cafile=certificate[0])
    ids = [f"{number}:" + "x" * 3000 for number in range(40)]
    async with open_sandbox(tls=server, control=False) as sandbox:
        url = sandbox.room_url.replace("http", "ws", 1) + f"/primus?token={sandbox.bot.token}"
        async with connect(url, ssl=trusting, proxy=None, ping_interval=None, compression=None) as ws:
            await asyncio.wait_for(ws.recv(), WITHIN)

            for one in ids:
                await ws.send(json.dumps({"event": "roomView", "messageId": one}))
            answers = [json.loads(await asyncio.wait_for(ws.recv(), WITHIN)) for _ in ids]

    assert [answer["messageId"] for answer in answers] == ids

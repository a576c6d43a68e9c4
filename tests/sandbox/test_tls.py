"""`https` and `wss` with a certificate made on the spot."""

import asyncio
import json
import ssl

import aiohttp
from websockets.asyncio.client import connect

from hangbot.sandbox import open_sandbox
from tests.bounds import WITHIN


async def test_all_but_the_control_api_speak_tls(tls: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    async with open_sandbox(tls=tls) as sandbox, aiohttp.ClientSession() as http:
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


async def test_plain_text_on_a_tls_port_disturbs_none(tls: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    async with open_sandbox(tls=tls, control=False) as sandbox, aiohttp.ClientSession() as http:
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


async def test_frames_of_many_tls_records_are_all_read(tls: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    ids = [f"{number}:" + "x" * 3000 for number in range(40)]
    async with open_sandbox(tls=tls, control=False) as sandbox:
        url = sandbox.room_url.replace("http", "ws", 1) + f"/primus?token={sandbox.bot.token}"
        async with connect(url, ssl=trusting, proxy=None, ping_interval=None, compression=None) as ws:
            await asyncio.wait_for(ws.recv(), WITHIN)

            for one in ids:
                await ws.send(json.dumps({"event": "roomView", "messageId": one}))
            answers = [json.loads(await asyncio.wait_for(ws.recv(), WITHIN)) for _ in ids]

    assert [answer["messageId"] for answer in answers] == ids

"""A bot in Python without hangbot: it answers /ping. pip install websockets httpx; python bot.py."""

import asyncio
import contextlib
import json
import os
import uuid

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

TOKEN, ROOM = os.environ["BOT_USER_TOKEN"], os.environ["ROOM_UUID"]
SOCKET = os.environ.get("SOCKET_SERVER_URL", "https://socket.prod.tt.fm").replace("http", "ws", 1)
CHAT = os.environ.get("OPENCHAT_BASE_URL", "https://openchat.prod.tt.fm") + "/v3.0"
GATEWAY = os.environ.get("TTFM_GATEWAY_BASE_URL", "https://gateway.prod.tt.fm")
GROUP = f"{CHAT}/groups/{ROOM}"
JOIN = {"event": "action", "params": {"roomUuid": ROOM, "action": "joinRoom"}, "messageId": 1}


async def stay_in_the_room() -> None:
    while True:  # a close without a code ends a connection without an exception: come back in any case
        with contextlib.suppress(OSError, WebSocketException):
            async with connect(f"{SOCKET}/primus?token={TOKEN}", max_size=2**24) as socket:
                async for text in socket:
                    match json.loads(text):
                        case {"welcome": _}:  # what is sent before the welcome may be lost
                            await socket.send(json.dumps(JOIN))
                        case {"messageId": 1, "error": error}:
                            raise SystemExit(f"not let in: {error}")
                        case str() as beat if beat.startswith("primus::ping::"):  # both with their quotes
                            await socket.send(json.dumps(beat.replace("ping", "pong")))
                        case _:
                            pass
        await asyncio.sleep(1)


async def log_in(http: httpx.AsyncClient) -> tuple[str, int]:
    exchange, bearer = (
        f"{GATEWAY}/api/user-service/comet-chat/user-token",
        {"Authorization": f"Bearer {TOKEN}"},
    )
    token = (await http.get(exchange, headers=bearer)).raise_for_status().json()["cometAuthToken"]
    http.headers.update({"authtoken": token, "appid": os.environ.get("COMETCHAT_APPID", "")})
    own = (await http.get(f"{CHAT}/me")).raise_for_status().json()["data"]["uid"]
    await http.post(f"{GROUP}/members", json={"participants": [own], "participantType": "user"})
    newest = await http.get(f"{GROUP}/messages", params={"per_page": 1, "affix": "prepend"})
    return own, max((int(row["id"]) for row in newest.raise_for_status().json()["data"]), default=0)


async def answer(http: httpx.AsyncClient, own: str, last: int) -> None:
    while True:
        with contextlib.suppress(httpx.HTTPError):
            page = await http.get(f"{GROUP}/messages", params={"per_page": 50, "affix": "append", "id": last})
            for row in page.raise_for_status().json()["data"]:
                last = int(row["id"])  # before the answer: a message is answered once or not at all
                if row["sender"] != own and row["data"].get("text") == "/ping":
                    (await http.post(f"{CHAT}/messages", json=line(own, "pong"))).raise_for_status()
        await asyncio.sleep(0.5)


def line(own: str, text: str) -> dict[str, object]:
    shown = {"id": str(uuid.uuid4()), "message": text, "userUuid": own, "userName": "bot", "type": "user"}
    data = {"text": text, "metadata": {"chatMessage": shown}}
    return {"receiver": ROOM, "receiverType": "group", "category": "message", "type": "text", "data": data}


async def main() -> None:
    async with httpx.AsyncClient(timeout=10) as http, asyncio.TaskGroup() as both:
        own, last = await log_in(http)  # the chat first: who is in the room is expected to listen
        both.create_task(stay_in_the_room())
        both.create_task(answer(http, own, last))


asyncio.run(main())

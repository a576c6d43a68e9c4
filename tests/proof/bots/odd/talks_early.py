"""A sound bot, but that votes before it has joined the room, and greets in the chat before anything else."""

import asyncio
import json
import sys
import uuid

from websockets.asyncio.client import connect

from tests.proof.bots.python.bot import main
from tests.proof.bots.python.common import CHAT, GATEWAY, ROOM, SOCKET, TOKEN
from tests.proof.bots.python.web import request


async def talk() -> None:
    exchange = f"{GATEWAY}/api/user-service/comet-chat/user-token"
    answer = await request("GET", exchange, {"Authorization": f"Bearer {TOKEN}"})
    line = {"id": str(uuid.uuid4()), "message": "good evening", "userName": "bot", "type": "user"}
    data = {"text": "good evening", "metadata": {"chatMessage": line}}
    message = {"receiver": ROOM, "receiverType": "group", "category": "message", "type": "text", "data": data}
    await request("POST", f"{CHAT}/messages", {"authtoken": answer.json()["cometAuthToken"]}, message)
    params = {"roomUuid": ROOM, "action": "voteOnSong", "songVotes": {"like": True}}
    async with connect(f"{SOCKET}/primus?token={TOKEN}", proxy=None) as socket:
        await socket.send(json.dumps({"event": "action", "params": params, "messageId": 1}))
        await socket.recv()


async def talk_and_run() -> int:
    await talk()
    return await main()


sys.exit(asyncio.run(talk_and_run()))

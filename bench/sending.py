"""The whole delivery path against bare httpx: the same bodies to the same chat server."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

import httpx

from bench.accepting import TEXT
from hangbot.config import Settings
from hangbot.delivery.courier import Courier
from hangbot.delivery.message import Outgoing
from hangbot.factory import make_courier, open_chat, open_outbox
from hangbot.hangfm.wire.chat import message_body

__all__ = ["Sender"]

_WARM_UP: Final = 5
_names = count()


class Sender:
    """Sends to the users of one chat server, in two ways.

    Args:
        world: The answer of `bench.servers` with as many clients as there are receivers.
        folder: Where outboxes are made.
    """

    def __init__(self, world: dict[str, Any], folder: Path) -> None:
        self._world = world
        self._folder = folder
        self._receivers = [client["uid"] for client in world["clients"]]

    async def bare(self, number: int, senders: int) -> float:
        """Return the seconds for each of so many messages over one bare `httpx.AsyncClient`."""
        url = self._world["chat_url"] + "/v3.0/messages"
        headers = {"authToken": self._world["chat_token"]}
        async with httpx.AsyncClient(trust_env=False, verify=False, timeout=60) as http:  # noqa: S501  plain HTTP on loopback; a TLS context takes 50 ms

            async def send(message: Outgoing) -> None:
                answer = await http.post(url, headers=headers, json=self._body(message))
                answer.raise_for_status()

            return await self._time(send, number, senders)

    async def delivered(self, number: int, senders: int) -> float:
        """Return the same through the outbox and the courier: accepted, sent, settled."""
        async with self._courier() as courier:

            async def send(message: Outgoing) -> None:
                await courier.accept(message)
                end = await courier.settled(message.id)
                if end.state != "delivered":
                    raise ConnectionError(f"{message.id} ended {end.state}: {end.reason}")

            return await self._time(send, number, senders)

    @asynccontextmanager
    async def _courier(self) -> AsyncIterator[Courier]:
        outbox = self._folder / f"sending-{next(_names)}.sqlite3"
        settings = Settings.from_env(
            self._world["env"] | {"HANGBOT_RATE": "0", "HANGBOT_OUTBOX": str(outbox)}
        )
        async with open_outbox(settings) as box, open_chat(settings) as chat:
            courier = make_courier(settings, box, chat)
            running = asyncio.create_task(courier.run(), name="bench-courier")
            try:
                yield courier
            finally:
                courier.stop()
                await running

    async def _time(self, send: Any, number: int, senders: int) -> float:  # noqa: ANN401  either of the two above
        run = next(_names)
        texts = self._messages(run, number + _WARM_UP * senders, senders)

        async def work(mine: Sequence[Outgoing]) -> None:
            for message in mine:
                await send(message)

        # Warm: connections made, receivers looked up.
        await asyncio.gather(*(work(lane[:_WARM_UP]) for lane in texts))
        started = time.perf_counter()
        await asyncio.gather(*(work(lane[_WARM_UP:]) for lane in texts))
        return (time.perf_counter() - started) / number

    def _messages(self, run: int, number: int, senders: int) -> list[list[Outgoing]]:
        return [
            [
                Outgoing(f"b{run}-{lane}-{at}", self._receivers[lane], TEXT, direct=True)
                for at in range(number // senders)
            ]
            for lane in range(senders)
        ]

    def _body(self, message: Outgoing) -> dict[str, object]:
        return message_body(message, sender=None, name=None)

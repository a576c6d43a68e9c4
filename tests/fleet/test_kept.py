"""How much of what is delivered a room in a cluster keeps."""

import asyncio

from hangbot.config import Settings
from hangbot.config.cluster import parse_address
from hangbot.factory import open_outbox
from hangbot.factory.outbox import KEPT_IN_A_CLUSTER
from tests.delivery.builders import DELIVERED, message


async def test_a_room_keeps_no_more_than_a_new_owner_can_read_quickly(
    hangfm_settings: Settings, address: str
) -> None:
    settings = hangfm_settings.with_changes(cluster=parse_address(address))
    keys = [f"m{number}" for number in range(KEPT_IN_A_CLUSTER + 50)]

    async with open_outbox(settings, patience=10.0) as outbox:
        await asyncio.gather(*(outbox.put([message(key)], 10.0) for key in keys))
        await asyncio.gather(*(outbox.settle(key, DELIVERED, [], 20.0) for key in keys))
        await outbox.prune(20.0 + 6 * 3600.0)

        assert [row.message.id for row in await outbox.rows()] == keys[-KEPT_IN_A_CLUSTER:]

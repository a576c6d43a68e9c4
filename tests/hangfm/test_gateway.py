"""The gateway client on the sandbox; what its answers mean, the table of the wire says."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from hangbot.errors import AckTimeout, ConnectionLost, NotFound, ServiceError, TokenRejected, Unavailable
from hangbot.factory import open_gateway
from pytest_hangfm.manual_clock import ManualClock
from tests.cases import rows

if TYPE_CHECKING:
    from hangbot.config import Settings
    from hangbot.hangfm.gateway import GatewayClient
    from hangbot.sandbox import Sandbox


async def test_a_room_and_profile_are_found(hangfm_sandbox: Sandbox, hangfm_gateway: GatewayClient) -> None:
    token = await hangfm_gateway.exchange_token()
    by_uuid = await hangfm_gateway.room(hangfm_sandbox.room_uuid)
    by_slug = await hangfm_gateway.room(hangfm_sandbox.room_slug)
    profile = await hangfm_gateway.profile()

    assert token == hangfm_sandbox.bot.chat_token
    assert by_uuid["uuid"] == by_slug["uuid"] == hangfm_sandbox.room_uuid
    assert profile["uuid"] == hangfm_sandbox.bot.uid


@pytest.mark.parametrize("room", ["nowhere", "a/b?c#d e", "00000000-0000-4000-8000-000000000000"])
async def test_an_unknown_room_is_not_found_by_any_name(room: str, hangfm_gateway: GatewayClient) -> None:
    with pytest.raises(NotFound, match="room"):
        await hangfm_gateway.room(room)


async def test_an_expired_token_is_told_by_age(hangfm_sandbox: Sandbox, hangfm_settings: Settings) -> None:
    token = hangfm_sandbox.people.issue(hangfm_sandbox.bot.uid, lifetime_s=-3 * 86_400)

    async with open_gateway(hangfm_settings.with_changes(bot_user_token=token)) as gateway:
        with pytest.raises(TokenRejected, match="expired 3 days ago"):
            await gateway.exchange_token()


@rows("deed kind", ("cut_after_store", ConnectionLost), ("hang", AckTimeout), ("garbage", Unavailable))
async def test_an_exchange_without_an_answer_may_be_made_again(
    deed: str, kind: type[ServiceError], hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    fault = hangfm_sandbox.faults.add("gateway.token", deed)
    clock = ManualClock()

    async with open_gateway(hangfm_settings, clock=clock) as gateway:
        asking = asyncio.create_task(gateway.exchange_token(), name="exchange")
        await hangfm_sandbox.journal.wait_for(lambda row: row.get("fault") == fault.id)
        if kind is AckTimeout:
            await clock.advance(600)
        with pytest.raises(kind) as failed:
            await asking

        assert failed.value.retryable
        assert await gateway.exchange_token()

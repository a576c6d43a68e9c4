"""Does the room socket take the bot, and does the room let it in?"""

import pytest

from hangbot import preflight
from pytest_hangfm import Check

pytestmark = pytest.mark.asyncio


@pytest.mark.preflight(preflight.room_reach.id)
async def test_room_socket_can_be_reached(hangfm_check: Check) -> None:
    await hangfm_check(preflight.room_reach)


@pytest.mark.preflight(preflight.room_connect.id)
async def test_room_socket_connects(hangfm_check: Check) -> None:
    await hangfm_check(preflight.room_connect)


@pytest.mark.preflight(preflight.room_heartbeat.id)
async def test_room_socket_has_a_heartbeat(hangfm_check: Check) -> None:
    await hangfm_check(preflight.room_heartbeat)


@pytest.mark.preflight(preflight.room_joined.id)
async def test_bot_is_in_the_room(hangfm_check: Check) -> None:
    await hangfm_check(preflight.room_joined)


@pytest.mark.preflight(preflight.clock_offset.id)
async def test_clock_agrees_with_the_server(hangfm_check: Check) -> None:
    await hangfm_check(preflight.clock_offset)

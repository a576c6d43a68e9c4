"""Does the room socket take the bot, and does the room let it in?"""

import pytest

from hangbot import preflight
from pytest_hangfm import Check

pytestmark = pytest.mark.asyncio


@pytest.mark.preflight("room.reach")
@pytest.mark.remedy("Check SOCKET_SERVER_URL, the network, and HTTPS_PROXY.")
async def test_room_socket_can_be_reached(hangfm_check: Check) -> None:
    await hangfm_check(preflight.room_reach)


@pytest.mark.preflight("room.connect")
@pytest.mark.remedy("Check SOCKET_SERVER_URL, and that no proxy or firewall keeps websockets out.")
async def test_room_socket_connects(hangfm_check: Check) -> None:
    await hangfm_check(preflight.room_connect)


@pytest.mark.preflight("room.heartbeat")
@pytest.mark.remedy("Ask whoever runs the room server to set pingInterval.")
async def test_room_socket_has_a_heartbeat(hangfm_check: Check) -> None:
    await hangfm_check(preflight.room_heartbeat)


@pytest.mark.preflight("room.joined")
@pytest.mark.remedy("Check ROOM_UUID, and ask the room's owner whether the bot is banned or the room full.")
async def test_bot_is_in_the_room(hangfm_check: Check) -> None:
    await hangfm_check(preflight.room_joined)


@pytest.mark.preflight("clock")
@pytest.mark.remedy("Set the clock: `timedatectl set-ntp true`.")
async def test_clock_agrees_with_the_server(hangfm_check: Check) -> None:
    await hangfm_check(preflight.clock_offset)

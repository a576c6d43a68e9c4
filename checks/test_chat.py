"""Are gateway and chat there, do they know the bot, and may it read its group?"""

import pytest

from hangbot import preflight
from pytest_hangfm import Check

pytestmark = pytest.mark.asyncio


@pytest.mark.preflight("gateway.reach")
@pytest.mark.remedy("Check TTFM_GATEWAY_BASE_URL, the network, and HTTPS_PROXY.")
async def test_gateway_can_be_reached(hangfm_check: Check) -> None:
    await hangfm_check(preflight.gateway_reach)


@pytest.mark.preflight("gateway.token")
@pytest.mark.remedy("Check TTFM_GATEWAY_BASE_URL; renew BOT_USER_TOKEN when the gateway refuses it.")
async def test_gateway_accepts_the_bot_token(hangfm_check: Check) -> None:
    await hangfm_check(preflight.gateway_token)


@pytest.mark.preflight("chat.reach")
@pytest.mark.remedy("Check OPENCHAT_BASE_URL, the network, and HTTPS_PROXY.")
async def test_chat_can_be_reached(hangfm_check: Check) -> None:
    await hangfm_check(preflight.chat_reach)


@pytest.mark.preflight("chat.server")
@pytest.mark.remedy("Check OPENCHAT_BASE_URL: it must end before /v3.0.")
async def test_chat_host_is_a_chat_server(hangfm_check: Check) -> None:
    await hangfm_check(preflight.chat_server)


@pytest.mark.preflight("chat.token")
@pytest.mark.remedy("Remove COMETCHAT_AUTH, so that a token is exchanged for BOT_USER_TOKEN.")
async def test_chat_token_is_accepted(hangfm_check: Check) -> None:
    await hangfm_check(preflight.chat_token)


@pytest.mark.preflight("chat.uid")
@pytest.mark.remedy("Remove COMETCHAT_UID and COMETCHAT_AUTH: both are derived from BOT_USER_TOKEN.")
async def test_chat_token_is_the_bots_own(hangfm_check: Check) -> None:
    await hangfm_check(preflight.chat_uid)


@pytest.mark.preflight("chat.group")
@pytest.mark.remedy("Check ROOM_UUID and COMETCHAT_RECEIVER.")
async def test_chat_group_exists(hangfm_check: Check) -> None:
    await hangfm_check(preflight.chat_group)


@pytest.mark.preflight("chat.member")
@pytest.mark.remedy("Ask the room's moderators whether the bot is banned.")
async def test_bot_is_in_the_chat_group(hangfm_check: Check) -> None:
    await hangfm_check(preflight.chat_member)


@pytest.mark.preflight("chat.history")
@pytest.mark.remedy("Let the bot join the chat group: AUTO_JOIN=true.")
async def test_chat_history_is_readable(hangfm_check: Check) -> None:
    await hangfm_check(preflight.chat_history)

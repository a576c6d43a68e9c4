"""Are gateway and chat there, do they know the bot, and may it read its group?"""

import pytest

from hangbot import preflight
from pytest_hangfm import Check

pytestmark = pytest.mark.asyncio


@pytest.mark.preflight(preflight.gateway_reach.id)
async def test_gateway_can_be_reached(hangfm_check: Check) -> None:
    await hangfm_check(preflight.gateway_reach)


@pytest.mark.preflight(preflight.gateway_token.id)
async def test_gateway_accepts_the_bot_token(hangfm_check: Check) -> None:
    await hangfm_check(preflight.gateway_token)


@pytest.mark.preflight(preflight.chat_reach.id)
async def test_chat_can_be_reached(hangfm_check: Check) -> None:
    await hangfm_check(preflight.chat_reach)


@pytest.mark.preflight(preflight.chat_server.id)
async def test_chat_host_is_a_chat_server(hangfm_check: Check) -> None:
    await hangfm_check(preflight.chat_server)


@pytest.mark.preflight(preflight.chat_token.id)
async def test_chat_token_is_accepted(hangfm_check: Check) -> None:
    await hangfm_check(preflight.chat_token)


@pytest.mark.preflight(preflight.chat_uid.id)
async def test_chat_token_is_the_bots_own(hangfm_check: Check) -> None:
    await hangfm_check(preflight.chat_uid)


@pytest.mark.preflight(preflight.chat_group.id)
async def test_chat_group_exists(hangfm_check: Check) -> None:
    await hangfm_check(preflight.chat_group)


@pytest.mark.preflight(preflight.chat_member.id)
async def test_bot_is_in_the_chat_group(hangfm_check: Check) -> None:
    await hangfm_check(preflight.chat_member)


@pytest.mark.preflight(preflight.chat_history.id)
async def test_chat_history_is_readable(hangfm_check: Check) -> None:
    await hangfm_check(preflight.chat_history)

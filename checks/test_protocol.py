"""Do the services speak as hangbot knows them, and does a message arrive?"""

import pytest

from hangbot import preflight
from pytest_hangfm import Check

pytestmark = pytest.mark.asyncio


@pytest.mark.preflight(preflight.protocol_drift.id)
async def test_services_speak_as_hangbot_knows_them(hangfm_check: Check) -> None:
    await hangfm_check(preflight.protocol_drift)


@pytest.mark.preflight(preflight.canary_message.id)
async def test_a_message_arrives(hangfm_check: Check) -> None:
    await hangfm_check(preflight.canary_message)

"""Do the services speak as hangbot knows them, and does a message arrive?"""

import pytest

from hangbot import preflight
from pytest_hangfm import Check

pytestmark = pytest.mark.asyncio


@pytest.mark.preflight("drift")
@pytest.mark.remedy("Update hangbot: `pip install --upgrade hangbot`.")
async def test_services_speak_as_hangbot_knows_them(hangfm_check: Check) -> None:
    await hangfm_check(preflight.protocol_drift)


@pytest.mark.preflight("canary")
@pytest.mark.remedy("Check that the bot may write in the group; `hangbot outbox list --failed` shows more.")
async def test_a_message_arrives(hangfm_check: Check) -> None:
    await hangfm_check(preflight.canary_message)

"""Is the configuration complete, and will its token last?"""

import pytest

from hangbot import preflight
from pytest_hangfm import Check

pytestmark = pytest.mark.asyncio


@pytest.mark.preflight("config")
@pytest.mark.remedy("Copy hang-fm-config.example.env to hang-fm-config.env, or run `hangbot init`.")
async def test_configuration_is_complete(hangfm_check: Check) -> None:
    await hangfm_check(preflight.configuration)


@pytest.mark.preflight("token.expiry")
@pytest.mark.remedy("Renew BOT_USER_TOKEN.")
async def test_bot_token_is_not_about_to_expire(hangfm_check: Check) -> None:
    await hangfm_check(preflight.token_expiry)


@pytest.mark.preflight("outbox")
@pytest.mark.remedy("Check HANGBOT_OUTBOX: its folder must exist and be writable.")
async def test_outbox_is_writable(hangfm_check: Check) -> None:
    await hangfm_check(preflight.outbox_writable)


@pytest.mark.preflight("files")
@pytest.mark.remedy("Let nobody else read the configuration, and keep the outbox in a folder that lasts.")
async def test_files_are_private_and_in_a_lasting_place(hangfm_check: Check) -> None:
    await hangfm_check(preflight.files_safe)

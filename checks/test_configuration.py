"""Is the configuration complete, and will its token last?"""

import pytest

from hangbot import preflight
from pytest_hangfm import Check

pytestmark = pytest.mark.asyncio


@pytest.mark.preflight(preflight.configuration.id)
async def test_configuration_is_complete(hangfm_check: Check) -> None:
    await hangfm_check(preflight.configuration)


@pytest.mark.preflight(preflight.token_expiry.id)
async def test_bot_token_is_not_about_to_expire(hangfm_check: Check) -> None:
    await hangfm_check(preflight.token_expiry)


@pytest.mark.preflight(preflight.outbox_writable.id)
async def test_outbox_is_writable(hangfm_check: Check) -> None:
    await hangfm_check(preflight.outbox_writable)


@pytest.mark.preflight(preflight.files_safe.id)
async def test_files_are_private_and_in_a_lasting_place(hangfm_check: Check) -> None:
    await hangfm_check(preflight.files_safe)

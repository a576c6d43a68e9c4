"""The rest of the faults of `stages/test_faults.py`, in the same story."""

import pytest

from hangbot.sandbox import Actor, Sandbox
from pytest_hangfm import OpenBot
from stages.test_faults import MORE, Trouble, hangfm_sandbox_options, hangfm_settings, play

__all__ = ["hangfm_sandbox_options", "hangfm_settings"]

pytestmark = [pytest.mark.asyncio, pytest.mark.slow, pytest.mark.virtual_time]


@pytest.mark.parametrize("trouble", MORE, ids=lambda trouble: trouble.name.replace(" ", "-"))
async def test_a_fault_that_passes_costs_no_line_and_no_answer(
    trouble: Trouble, hangfm_sandbox: Sandbox, hangfm_open_bot: OpenBot, hangfm_user: Actor
) -> None:
    await play(trouble, hangfm_sandbox, hangfm_open_bot, hangfm_user)

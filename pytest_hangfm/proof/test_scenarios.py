"""Each scenario is a test: what a bot does wrong fails it, with what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_hangfm.proof.scenario import Scenario, load
from pytest_hangfm.proof.search.searching import SEARCH

if TYPE_CHECKING:
    from pytest_hangfm.proof.session import Setting


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("scenario", [pytest.param(each, id=each.id) for each in (*load().values(), SEARCH)])
async def test_a_scenario(scenario: Scenario, setting: Setting, request: pytest.FixtureRequest) -> None:
    """Play one scenario with the bot; a rule above the tier asked for does not fail the run."""
    __tracebackhide__ = True
    ending = await setting.play(scenario, request.node)
    if ending.skip:
        pytest.skip(ending.skip)
    if ending.beyond:
        pytest.xfail(ending.beyond)
    if ending.failure:
        pytest.fail(ending.failure, pytrace=False)

"""The proof's own hooks: pytest loads them with this package's tests, and in no other run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
import pytest_asyncio

from pytest_hangfm.proof.options import PROOF_OPTIONS, REPORTER
from pytest_hangfm.proof.report.reporter import Reporter
from pytest_hangfm.proof.session import PROOF, Proof

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator

    from pytest_hangfm.proof.session import Setting

_DATA: Final = "hangfm_proof"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Look at the bot's command and profile, and leave out what this run is not to play.

    Raises:
        pytest.UsageError: No bot is named, or the command or the profile cannot be used.
    """
    options = config.stash.get(PROOF_OPTIONS, None)
    if options is None:
        raise pytest.UsageError('say which bot: --hangfm-bot "node bot.js"')
    reporter = config.pluginmanager.get_plugin(REPORTER)
    config.stash[PROOF] = proof = Proof.of(options, reporter or Reporter(options))
    if config.pluginmanager.hasplugin("timeout"):
        for item in items:  # each scenario has a bound of its own
            item.add_marker(pytest.mark.timeout(0))
    if left_out := proof.choose(items):
        config.hook.pytest_deselected(items=left_out)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Take down what is left to be played after every other choice; where that was refused, nothing is."""
    if (proof := session.config.stash.get(PROOF, None)) is not None:
        proof.expect(session.items)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def setting(request: pytest.FixtureRequest) -> AsyncIterator[Setting]:
    """What is known of the bot, and what plays scenarios with it, for the whole run."""
    async with request.config.stash[PROOF].open(request.session.items) as opened:
        yield opened


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let the report carry the outcome: it crosses processes with xdist."""
    report = yield
    if report.when == "call":
        setattr(report, _DATA, item.config.stash[PROOF].row_of(item.nodeid))
    return report

"""The plugin's hooks: options, markers, collection, guards, and what a report says.

Every pytest run of the environment loads this module, so it imports nothing heavy at its top.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from pytest_hangfm import reporting
from pytest_hangfm.async_tests import QuietLoopScope, mark_for_asyncio, reason_not_to_run
from pytest_hangfm.collection import arrange, unfreeze, without_garbage_collection
from pytest_hangfm.configuration import HandOver
from pytest_hangfm.explanations import explain, refusal, unread_actions
from pytest_hangfm.items import remedy_of, target_of_item, uses_plugin
from pytest_hangfm.options import OPTIONS, add_options, read_options
from pytest_hangfm.preflight_summary import PreflightSummary
from pytest_hangfm.proof.options import PROOF_OPTIONS, REPORTER
from pytest_hangfm.proof.options import add_options as add_proof_options
from pytest_hangfm.proof.options import read_options as read_proof_options
from pytest_hangfm.simulated_tests import refuse_fixture, run_simulated, take_over
from pytest_hangfm.socket_guard import guard_sockets
from pytest_hangfm.stage_summary import StageSummary, stage_row
from pytest_hangfm.stash import CHECK, MEASURES, PASSED, SOCKET_GUARD, STAGE, put_on_report

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = [
    "pytest_addoption",
    "pytest_collection",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_fixture_setup",
    "pytest_pycollect_makeitem",
    "pytest_pyfunc_call",
    "pytest_report_header",
    "pytest_runtest_call",
    "pytest_runtest_makereport",
    "pytest_runtest_protocol",
    "pytest_runtest_setup",
    "pytest_runtest_teardown",
]

_MARKERS: Final = (
    "preflight(id): a check to make before a deploy; `id` names it for --hangfm-only and in the JSON",
    "stage: a stage test; live with --hangfm-target=live --hangfm-live-writes; takes back what it did there",
    "live: runs on what is configured, and only with --hangfm-target=live; skipped otherwise",
    "remedy(text): what to do when this test fails, as a command or a setting by name",
    "virtual_time: the event loop's clock jumps over waits, so that a back-off of 30 s takes no time",
    (
        "simulation(seeds=200, check=function): the test is played in so many simulated worlds, in which "
        "things go wrong; `check(history)` asserts what is to be true of each: docs/simulation.md"
    ),
    (
        "allow_failed_actions: room actions of the plugin's bots may end failed without anybody reading so; "
        "otherwise that fails the test"
    ),
)


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the options, and register what must act before other plugins are configured."""
    add_options(parser)
    add_proof_options(parser)
    pluginmanager.register(QuietLoopScope(), "hangfm-loop-scope")


def pytest_configure(config: pytest.Config) -> None:
    """Read the options, declare the markers, and register what reports."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    config.stash[OPTIONS] = options = read_options(config)
    if options.bot or config.getoption("hangfm_proof_docker"):
        config.stash[PROOF_OPTIONS] = proof = read_proof_options(config, options.bot)
        if not hasattr(config, "workerinput"):  # with xdist, only in the process that prints
            from pytest_hangfm.proof.report.reporter import Reporter  # noqa: PLC0415  heavy: loaded on use

            config.pluginmanager.register(Reporter(proof), REPORTER)
    config.add_cleanup(lambda: unfreeze(config))
    reporting.start(config)
    if not hasattr(config, "workerinput"):  # with xdist, only in the process that prints
        if options.configuration:
            config.pluginmanager.register(HandOver(options.configuration), "hangfm-hand-over")
        stages = StageSummary()
        config.pluginmanager.register(stages, "hangfm-stages")
        config.pluginmanager.register(PreflightSummary(config.stash[OPTIONS], stages), "hangfm-preflight")


def pytest_report_header(config: pytest.Config) -> str:
    """Return what the tests of this run touch."""
    return config.stash[OPTIONS].header()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Choose, order, skip and guard the tests of the run."""
    arrange(session, items)


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Let a preflight-only run begin quickly."""
    with without_garbage_collection(session.config):
        return (yield)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_pycollect_makeitem() -> Generator[None, object, object]:
    """Mark async tests that use the plugin before pytest-asyncio collects its own."""
    collected = yield
    take_over(collected)
    mark_for_asyncio(collected)
    return collected


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Keep a test that is not live on loopback, from set-up to tear-down."""
    if PASSED not in item.stash or target_of_item(item) == "live":
        return (yield)
    with guard_sockets() as guard:
        item.stash[SOCKET_GUARD] = guard
        return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail a test that the plugin's async fixtures cannot serve, before any of them is set up."""
    if reason := reason_not_to_run(item):
        pytest.fail(reason, pytrace=False)


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest) -> None:
    """Make no fixture of the plugin for a test that is simulated."""
    __tracebackhide__ = True
    refuse_fixture(request, fixturedef.argname)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is marked ``simulation`` in its worlds."""
    return run_simulated(pyfuncitem) or None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that wanted to leave this machine, and attach what happened to the report."""
    __tracebackhide__ = True
    guard = item.stash.get(SOCKET_GUARD, None)
    if guard is not None:
        guard.calling = True
    try:
        result = yield
    finally:
        if guard is not None:
            guard.calling = False
        reporting.attach(item)
    if guard is not None and guard.refused:
        pytest.fail(refusal(guard.refused), pytrace=False)
    _fail_for_unread_actions(item)
    item.stash[PASSED] = True
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that left sockets open, after everything had its chance to close them."""
    __tracebackhide__ = True
    result = yield
    if item.stash.get(PASSED, True):
        _fail_for_unread_actions(item)  # those that ended while its bots drained
    guard = item.stash.get(SOCKET_GUARD, None)
    if guard is not None and item.stash.get(PASSED, False) and (left := guard.left_open()):
        pytest.fail(
            f"the test left {len(left)} socket(s) open: {', '.join(left)}; close what it opens", pytrace=False
        )
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put on a report what to do about a failure and what happened, and the data of the summaries."""
    report = yield
    has_remedy = False
    if item.get_closest_marker("preflight") is not None:
        from pytest_hangfm.check_runner import row_from_report  # noqa: PLC0415  only a run with checks pays for it

        row = row_from_report(item, report, call, remedy_of(item))
        if row is not None:
            put_on_report(report, CHECK, row.as_dict())
            has_remedy = bool(row.remedy) and row.remedy in report.longreprtext
    if report.failed:
        report.sections += explain(item, report.longreprtext, with_remedy=not has_remedy)
    if item.get_closest_marker("stage") and (report.when == "call" or report.failed):
        put_on_report(report, STAGE, stage_row(item, report))
    if report.when == "call" and uses_plugin(item):
        put_on_report(report, MEASURES, reporting.measured(item))
    item.config.stash[reporting.REDACTION].report(item, report)
    return report


def _fail_for_unread_actions(item: pytest.Item) -> None:
    __tracebackhide__ = True
    if failure := unread_actions(item):
        pytest.fail(failure, pytrace=False)

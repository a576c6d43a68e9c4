"""The plugin's hooks: options, markers, what runs against what, guards, and what a report says.

Loaded by every pytest run of its environment, so nothing heavy is imported up here.
"""

from __future__ import annotations

import difflib
import gc
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

import pytest

from pytest_hangfm import reporting
from pytest_hangfm.async_tests import (
    QuietLoopScope,
    mark_for_asyncio,
    reason_not_to_run,
    shares_our_loop,
)
from pytest_hangfm.items import (
    check_id,
    checks_alone,
    packaged_checks,
    remedy_of,
    target_of_item,
    uses_plugin,
)
from pytest_hangfm.options import OPTIONS, add_options, read_options
from pytest_hangfm.preflight_summary import ROW, PreflightSummary
from pytest_hangfm.socket_guard import guard_sockets
from pytest_hangfm.stage_summary import STAGE, StageSummary, stage_row
from pytest_hangfm.stash import ACKS, ACTION_RESULTS, PASSED, SANDBOX, SOCKET_GUARD

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = [
    "pytest_addoption",
    "pytest_collection",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_pycollect_makeitem",
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
        "allow_failed_actions: room actions of the plugin's bots may end failed without anybody reading so; "
        "otherwise that fails the test"
    ),
)
_NEEDS_TARGET: Final = "live: runs with --hangfm-target=live only"
_NEEDS_WRITES: Final = "on a live target this test is seen by others: it runs with --hangfm-live-writes only"
_LEAK_FIXTURE: Final = "hangfm_no_leaks"
_VIRTUAL_FIXTURE: Final = "hangfm_virtual_time"
_LINES: Final = 30
_FROZEN: Final = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the options, and be there before other plugins are configured."""
    add_options(parser)
    pluginmanager.register(QuietLoopScope(), "hangfm-loop-scope")


def pytest_configure(config: pytest.Config) -> None:
    """Read the options, declare the markers, and let the summary listen."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    config.stash[OPTIONS] = read_options(config)
    config.add_cleanup(lambda: gc.unfreeze() if config.stash.get(_FROZEN, False) else None)
    reporting.start(config)
    if not hasattr(config, "workerinput"):  # of xdist's processes only the one that prints
        stages = StageSummary()
        config.pluginmanager.register(stages, "hangfm-stages")
        config.pluginmanager.register(PreflightSummary(config.stash[OPTIONS], stages), "hangfm-preflight")


def pytest_report_header(config: pytest.Config) -> str:
    """Say what the tests of this run touch."""
    return config.stash[OPTIONS].header()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Choose and order the checks, skip what others would see, and guard the rest.

    Where ``-m preflight`` finds no check of the project's own, those that come with the plugin are made:
    a gate that selects nothing would let everything through, or stop everything.
    """
    options = config.stash[OPTIONS]
    if not items and checks_alone(config) and not session.testsfailed:
        items += _packaged_checks(session)
    if options.only or options.ignore:
        _choose_checks(config, items)
    _order_checks(items)
    used = any(uses_plugin(item) for item in items)
    for item in items:
        _skip_live(item)
        if item.get_closest_marker("virtual_time") is not None:
            _use(item, _VIRTUAL_FIXTURE)
        if _is_guarded(item, used=used):
            item.stash[PASSED] = False
            _use(item, _LEAK_FIXTURE)


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Spare a run of checks alone the search for garbage among what it imports.

    That lives as long as the run; looking through it again and again took a tenth of the time, and
    a twentieth while it was imported.
    """
    if not checks_alone(session.config) or not gc.isenabled():
        return (yield)
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()
        session.config.stash[_FROZEN] = True


def _packaged_checks(session: pytest.Session) -> list[pytest.Item]:
    """Collect the checks that come with the plugin; they are parts of this very run, also for xdist."""
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None:  # a worker of xdist has none
        terminal.write_line("hangfm: no check of this project's own: making those that come with the plugin")
    found = session.genitems(pytest.Dir.from_parent(session, path=packaged_checks()))
    return [item for item in found if item.get_closest_marker("preflight")]


def _choose_checks(config: pytest.Config, items: list[pytest.Item]) -> None:
    from hangbot.preflight import CHECKS  # noqa: PLC0415  only a run that names checks pays for it

    options = config.stash[OPTIONS]
    checks = [item for item in items if item.get_closest_marker("preflight")]
    known = sorted({check.id for check in CHECKS} | {check_id(item) for item in checks})
    for option, patterns in (("--hangfm-only", options.only), ("--hangfm-ignore", options.ignore)):
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in known):
                near = difflib.get_close_matches(pattern, known, 1)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
                raise pytest.UsageError(f"{option}: no check is called {pattern!r}; {hint}")
    left_out = [
        item
        for item in checks
        if any(fnmatchcase(check_id(item), pattern) for pattern in options.ignore)
        or (options.only and not any(fnmatchcase(check_id(item), pattern) for pattern in options.only))
    ]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def _order_checks(items: list[pytest.Item]) -> None:
    """Ask in the order of preflight, however a plugin shuffled: a cause comes before what it causes."""
    places = [place for place, item in enumerate(items) if item.get_closest_marker("preflight")]
    if not places:
        return
    from hangbot.preflight import CHECKS  # noqa: PLC0415  only a run with checks pays for it

    order = {check.id: place for place, check in enumerate(CHECKS)}
    checks = sorted(
        (items[place] for place in places), key=lambda item: order.get(check_id(item), len(order))
    )
    for place, item in zip(places, checks, strict=True):
        items[place] = item


def _skip_live(item: pytest.Item) -> None:
    """Skip, not deselect: who reads the summary is to see what was not run."""
    options = item.config.stash[OPTIONS]
    if item.get_closest_marker("live") and options.target != "live":
        item.add_marker(pytest.mark.skip(reason=_NEEDS_TARGET))
    elif item.get_closest_marker("stage") and target_of_item(item) == "live" and not options.live_writes:
        item.add_marker(pytest.mark.skip(reason=_NEEDS_WRITES))


def _is_guarded(item: pytest.Item, *, used: bool) -> bool:
    guard = item.config.stash[OPTIONS].guard
    return guard == "all" or (guard == "auto" and used)


def _use(item: pytest.Item, fixture: str) -> None:
    """Give an async test one more fixture, set up before and torn down after all others."""
    if isinstance(item, pytest.Function) and shares_our_loop(item) and fixture not in item.fixturenames:
        item.fixturenames.insert(0, fixture)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_pycollect_makeitem() -> Generator[None, object, object]:
    """Mark async tests that use the plugin before pytest-asyncio looks which ones are its own."""
    collected = yield
    mark_for_asyncio(collected)
    return collected


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Keep a test that is not live on loopback, from set-up to tear-down."""
    if PASSED not in item.stash or target_of_item(item) == "live":
        return (yield)
    with guard_sockets() as watch:
        item.stash[SOCKET_GUARD] = watch
        return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Say in one sentence where our async fixtures cannot work, before any of them is set up."""
    if reason := reason_not_to_run(item):
        pytest.fail(reason, pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that wanted to leave this machine; hand the report what happened."""
    __tracebackhide__ = True
    watch = item.stash.get(SOCKET_GUARD, None)
    if watch is not None:
        watch.calling = True
    try:
        result = yield
    finally:
        if watch is not None:
            watch.calling = False
        reporting.attach(item)
    if watch is not None and watch.refused:
        pytest.fail(_refusal(watch.refused), pytrace=False)
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
    watch = item.stash.get(SOCKET_GUARD, None)
    if watch is not None and item.stash.get(PASSED, False) and (left := watch.left_open()):
        pytest.fail(
            f"the test left {len(left)} socket(s) open: {', '.join(left)}; close what it opens", pytrace=False
        )
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put beside a failure what to do about it and what happened; tell the summary of checks."""
    report = yield
    told = False
    if item.get_closest_marker("preflight") is not None:
        from pytest_hangfm.check_runner import row_from_report  # noqa: PLC0415  only a run with checks pays for it

        row = row_from_report(item, report, call, remedy_of(item))
        if row is not None:
            report.__dict__[ROW] = row.as_dict()
            told = bool(row.remedy) and row.remedy in report.longreprtext
    if report.failed:
        report.sections += _explanations(item, report, with_remedy=not told)
    if item.get_closest_marker("stage") and (report.when == "call" or report.failed):
        report.__dict__[STAGE] = stage_row(item, report)
    if report.when == "call" and uses_plugin(item):
        report.__dict__[reporting.MEASURES] = reporting.measured(item)
    item.config.stash[reporting.REDACTION].report(item, report)
    return report


def _explanations(
    item: pytest.Item, report: pytest.TestReport, *, with_remedy: bool
) -> list[tuple[str, str]]:
    found = []
    if with_remedy and remedy_of(item):
        found.append(("what to do", remedy_of(item)))
    watch = item.stash.get(SOCKET_GUARD, None)
    if watch is not None and watch.refused and _refusal(watch.refused) not in report.longreprtext:
        found.append(("socket guard", _refusal(watch.refused)))
    acks = item.stash.get(ACKS, None)
    if acks is not None and acks.steps:
        found.append(("deliveries", acks.timeline()))
    sandbox = item.stash.get(SANDBOX, None)
    if sandbox is not None:
        from pytest_hangfm.room_log import TRANSCRIPT_HEADING  # noqa: PLC0415  only failures pay for it
        from pytest_hangfm.transcript import transcript  # noqa: PLC0415  only failures pay for it

        if TRANSCRIPT_HEADING in report.longreprtext:  # the expectation that failed shows it already
            return found

        if lines := transcript(sandbox):
            found.append(("on the sandbox's wires", "\n".join(lines[-_LINES:])))
    return found


def _fail_for_unread_actions(item: pytest.Item) -> None:
    __tracebackhide__ = True
    acts = item.stash.get(ACTION_RESULTS, None)
    unread = acts.take_unread() if acts else []
    if unread and item.get_closest_marker("allow_failed_actions") is None:
        pytest.fail(
            "nobody looked at the result of " + "; of ".join(unread) + ". Assert on what `act` returns "
            "(or mark the test `allow_failed_actions`)",
            pytrace=False,
        )


def _refusal(refused: list[str]) -> str:
    where = ", ".join(dict.fromkeys(refused))
    return (
        f"the test wanted to reach {where}: only loopback is allowed "
        "(mark it `live`, or set hangfm_guard = off)"
    )

"""Running a check of preflight in a test: its result decides the test, and is kept for the summary."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest

from hangbot.errors import ConfigError, HangbotError
from hangbot.exit_codes import CANNOT_TELL
from hangbot.factory import open_subject
from hangbot.net import check_environment
from hangbot.preflight import (
    CANARY,
    CHECKS,
    Check,
    CheckContext,
    CheckResult,
    Finding,
    describe_target,
    find_check,
    result_lines,
    result_of,
    run_check,
    skipped_because,
)
from pytest_hangfm.items import check_id, target_of_item, title_of
from pytest_hangfm.options import OPTIONS
from pytest_hangfm.preflight_summary import CheckRow
from pytest_hangfm.read_only import NEEDS_WRITES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hangbot.config import Settings

__all__ = ["row_from_report", "run_in_order", "run_in_test"]

_EARLIER: Final = pytest.StashKey[dict[str, CheckResult]]()
_RESULT: Final = pytest.StashKey[CheckResult]()
_WHERE: Final = pytest.StashKey[str]()
_NOT_ASKED: Final = pytest.StashKey[bool]()
"""Set on the canary where writing is not allowed: like `hangbot preflight`, such a run has no line for it."""


async def run_in_test(
    item: pytest.Item,
    function: Callable[[CheckContext], Awaitable[Finding]],
    settings: Settings | ConfigError,
) -> None:
    """Run a check, and pass, skip or fail the test with the words of its result.

    Args:
        item: The test.
        function: A check of `hangbot.preflight`, or one of your own.
        settings: What to check, or why there is nothing.
    """
    __tracebackhide__ = True
    options = item.config.stash[OPTIONS]
    if function is CANARY and target_of_item(item) == "live" and not options.live_writes:
        item.stash[_NOT_ASKED] = True
        pytest.skip(NEEDS_WRITES)
    result = await run_in_order(item, _as_check(item, function), settings)
    earlier = item.config.stash[_EARLIER]
    item.stash[_RESULT] = result
    item.stash[_WHERE] = (
        f"the configuration in {options.origin}"
        if isinstance(settings, ConfigError)
        else describe_target(settings, tuple(earlier.values()))
    )
    if result.verdict == "skipped":
        pytest.skip(result.message)
    if result.verdict in {"rejected", "cannot_tell"}:
        pytest.fail("\n".join(result_lines(result)), pytrace=False)


async def run_in_order(item: pytest.Item, check: Check, settings: Settings | ConfigError) -> CheckResult:
    """Run a check after those of this run that it needs, and keep its result.

    Tests come in the order of the checks. One that has not run yet is on another worker of xdist, or its
    test was stopped: it runs here too, so that a cause makes the same checks pointless wherever they run.
    """
    earlier = item.config.stash.setdefault(_EARLIER, {})
    missing = {needed for needed in check.needs if needed not in earlier}
    if missing:
        missing &= {check_id(each) for each in item.session.items if each.get_closest_marker("preflight")}
    for needed in CHECKS:
        if needed.id in missing:
            await run_in_order(item, needed, settings)
    in_order = tuple(earlier[known.id] for known in CHECKS if known.id in earlier)
    result = await _run(check, settings, in_order)
    if result.verdict == "warn" and item.config.stash[OPTIONS].strict:
        result = replace(result, verdict="rejected")
    earlier[result.id] = result
    return result


async def _run(
    check: Check, settings: Settings | ConfigError, earlier: tuple[CheckResult, ...]
) -> CheckResult:
    if not isinstance(settings, ConfigError):
        try:  # a proxy that no client can use is a fault of the configuration
            check_environment(settings.chat_url, settings.gateway_url, settings.room_url)
        except ConfigError as exc:
            settings = exc
    if isinstance(settings, ConfigError):
        return skipped_because(check, earlier) or result_of(check, settings)
    async with open_subject(settings) as context:
        return await run_check(check, context, earlier)


def _as_check(item: pytest.Item, function: Callable[[CheckContext], Awaitable[Finding]]) -> Check:
    """Return a check of preflight as it is; one of a bot author has the test's id and title."""
    return function if isinstance(function, Check) else Check(check_id(item), title_of(item.name), function)


def row_from_report(
    item: pytest.Item, report: pytest.TestReport, call: pytest.CallInfo[Any], remedy: str
) -> CheckRow | None:
    """Return how a phase of a preflight test ended, also where it ran no check, or ``None``."""
    if item.stash.get(_NOT_ASKED, False):
        return None
    result = item.stash.get(_RESULT, None)
    if result is None or report.when != "call":
        if report.when != "call" and report.passed:
            return None
        result = _result_of(item, report, call)
    return CheckRow(
        result.id,
        result.title,
        result.verdict,
        result.message,
        result.remedy or (remedy if result.verdict in {"rejected", "cannot_tell"} else ""),
        result.duration_ms,
        target_of_item(item),
        item.stash.get(_WHERE, "what is configured"),
    )


def _result_of(item: pytest.Item, report: pytest.TestReport, call: pytest.CallInfo[Any]) -> CheckResult:
    """Make a result of a test's outcome: a failed assertion rejects, any other error is none."""
    verdict, message = "ok", "as expected"
    if report.skipped:
        verdict = "skipped"
        message = _skip_reason(report)
    elif report.failed:
        error = call.excinfo.value if call.excinfo else None
        rejected = isinstance(error, AssertionError | pytest.fail.Exception) or (
            isinstance(error, HangbotError) and error.exit_code != CANNOT_TELL
        )
        verdict = "rejected" if rejected else "cannot_tell"
        text = str(error) or type(error).__name__
        message = text.strip().splitlines()[0]
        if not isinstance(error, AssertionError | HangbotError | pytest.fail.Exception):
            message = f"the check itself broke: {type(error).__name__}: {message}"
    known = find_check(check_id(item))
    title = known.title if known else title_of(item.name)
    duration = round(report.duration * 1000, 1)
    return CheckResult(check_id(item), title, verdict, message, "", duration)  # type: ignore[arg-type]  # one of the verdicts


def _skip_reason(report: pytest.TestReport) -> str:
    longrepr = report.longrepr
    text = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr or "skipped")
    return text.removeprefix("Skipped: ")

"""Preflight: checks that each end with a finding or with an error that has a remedy.

`hangbot run`, `hangbot preflight` and the tests in ``checks/`` run the same checks. None of them
changes what others can see, except that the bot joins its room and its chat group, which counts
as reading; and the canary, which only the plugin runs.

A check is one function with the decorator `check` in the module of its service; naming it in that
module's ``__all__`` makes it public here. The order of `CHECKS` is that of the modules and of the
functions in them. It separates the causes: a check whose ``needs`` have failed is skipped.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from hangbot.errors import ConfigError
from hangbot.preflight import canary, chat, gateway, group, protocol, room, settings, storage
from hangbot.preflight.canary import *  # noqa: F403  every check is public, without being listed twice
from hangbot.preflight.chat import *  # noqa: F403  likewise
from hangbot.preflight.gateway import *  # noqa: F403  likewise
from hangbot.preflight.group import *  # noqa: F403  likewise
from hangbot.preflight.model import (
    Check,
    CheckContext,
    CheckResult,
    Finding,
    Overall,
    Service,
    Verdict,
    check,
    exit_code,
    overall,
    result_of,
    run_check,
    skipped_because,
)
from hangbot.preflight.protocol import *  # noqa: F403  likewise
from hangbot.preflight.render import (
    append_step_summary,
    coloured,
    describe_target,
    preflight_row,
    result_lines,
    unwritable_summary,
    verdict_line,
)
from hangbot.preflight.room import *  # noqa: F403  likewise
from hangbot.preflight.settings import *  # noqa: F403  likewise
from hangbot.preflight.storage import *  # noqa: F403  likewise

__all__ = [
    "CANARY",
    "CHECKS",
    "Check",
    "CheckContext",
    "CheckResult",
    "Finding",
    "Overall",
    "Service",
    "Verdict",
    "append_step_summary",
    "check",
    "coloured",
    "describe_target",
    "examine",
    "exit_code",
    "find_check",
    "overall",
    "preflight_row",
    "result_lines",
    "result_of",
    "results_for_bad_config",
    "run_check",
    "skipped_because",
    "unwritable_summary",
    "verdict_line",
]
__all__ += canary.__all__
__all__ += chat.__all__
__all__ += gateway.__all__
__all__ += group.__all__
__all__ += protocol.__all__
__all__ += room.__all__
__all__ += settings.__all__
__all__ += storage.__all__

CHECKS: Final[Sequence[Check]] = tuple(
    value
    for module in (settings, gateway, chat, group, room, protocol, storage)
    for value in vars(module).values()
    if isinstance(value, Check)
)
"""What `hangbot preflight` runs, in this order."""

CANARY: Final = canary.canary_message
"""What the plugin runs besides where writing is allowed."""


def find_check(id: str) -> Check | None:  # noqa: A002  as the JSON calls it
    """Return the check with this id, if there is one."""
    return next((each for each in (*CHECKS, CANARY) if each.id == id), None)


def results_for_bad_config(error: ConfigError) -> list[CheckResult]:
    """Return the results where the configuration cannot be used: one rejection, the rest skipped."""
    results: list[CheckResult] = []
    for each in CHECKS:
        results.append(skipped_because(each, results) or result_of(each, error))
    return results


async def examine(context: CheckContext) -> AsyncIterator[CheckResult]:
    """Run every check in order and yield each result as it comes."""
    results: list[CheckResult] = []
    for each in CHECKS:
        result = await run_check(each, context, results)
        results.append(result)
        yield result

"""Checks on the sandbox: all of them, or one by its id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import pytest

from hangbot.factory import open_subject
from hangbot.preflight import examine, find_check, run_check

if TYPE_CHECKING:
    from hangbot.clock import Clock
    from hangbot.config import Settings
    from hangbot.ids import Rng
    from hangbot.preflight import CheckResult


Json: TypeAlias = Any


class RunAll(Protocol):
    async def __call__(self, *, clock: Clock | None = None, **changes: Json) -> dict[str, CheckResult]: ...


class RunOne(Protocol):
    async def __call__(
        self, check: str, *, clock: Clock | None = None, rng: Rng | None = None, **changes: Json
    ) -> CheckResult: ...


@pytest.fixture
def checked(hangfm_settings: Settings) -> RunAll:
    """Run every check with these changes of the settings, and return the results by id."""

    async def run(*, clock: Clock | None = None, **changes: Json) -> dict[str, CheckResult]:
        async with open_subject(hangfm_settings.with_changes(**changes), clock=clock) as context:
            return {result.id: result async for result in examine(context)}

    return run


@pytest.fixture
def check(hangfm_settings: Settings) -> RunOne:
    """Run one check alone with these changes of the settings."""

    async def run(
        check: str, *, clock: Clock | None = None, rng: Rng | None = None, **changes: Json
    ) -> CheckResult:
        found = find_check(check)
        assert found is not None
        async with open_subject(hangfm_settings.with_changes(**changes), clock=clock, rng=rng) as context:
            return await run_check(found, context)

    return run

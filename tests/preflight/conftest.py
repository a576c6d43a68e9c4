"""Checks on the sandbox: all of them, or one by its id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from hangbot.factory import open_subject
from hangbot.preflight import examine, find_check, run_check

if TYPE_CHECKING:
    from hangbot.clock import Clock
    from hangbot.config import Settings
    from hangbot.ids import Rng
    from hangbot.preflight import CheckResult
    from hangbot.sandbox import Sandbox


Json: TypeAlias = Any


@dataclass(frozen=True, slots=True)
class Bench:
    """A sandbox, and a preflight of a bot in it."""

    sandbox: Sandbox
    settings: Settings

    async def all(self, *, clock: Clock | None = None, **changes: Json) -> dict[str, CheckResult]:
        """Run every check with these changes of the settings, and return the results by id."""
        async with open_subject(self.settings.with_changes(**changes), clock=clock) as context:
            return {result.id: result async for result in examine(context)}

    async def check(
        self, name: str, *, clock: Clock | None = None, rng: Rng | None = None, **changes: Json
    ) -> CheckResult:
        """Run one check alone with these changes of the settings."""
        found = find_check(name)
        assert found is not None
        async with open_subject(self.settings.with_changes(**changes), clock=clock, rng=rng) as context:
            return await run_check(found, context)

    def fault(self, on: str, do: str = "status", **more: Json) -> None:
        self.sandbox.faults.add(on, do, **more)


@pytest.fixture
def bench(hangfm_sandbox: Sandbox, hangfm_settings: Settings) -> Bench:
    return Bench(hangfm_sandbox, hangfm_settings)

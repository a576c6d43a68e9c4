"""What a run leaves behind: Allure's report where that plugin is at work, and no secret anywhere.

Nothing of Allure is imported before a run asks for a report (``--alluredir``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_hangfm.reporting.redaction import REDACTION, Redaction
from pytest_hangfm.stash import ACKS, SANDBOX

if TYPE_CHECKING:
    import pytest

__all__ = [
    "REDACTION",
    "Redaction",
    "allure_is_at_work",
    "attach",
    "measured",
    "start",
]


def allure_is_at_work(config: pytest.Config) -> bool:
    """Whether this run writes an Allure report."""
    return bool(
        config.pluginmanager.hasplugin("allure_pytest") and config.getoption("allure_report_dir", None)
    )


def start(config: pytest.Config) -> None:
    """Let redaction listen, and Allure where it is at work."""
    redaction = config.stash[REDACTION] = Redaction(config)
    config.pluginmanager.register(redaction, "hangfm-redaction")
    if allure_is_at_work(config):
        from pytest_hangfm.reporting.allure_hooks import register  # noqa: PLC0415  only where it is at work

        register(config, redaction)


def attach(item: pytest.Item) -> None:
    """Give Allure what a test leaves: its deliveries and the sandbox's journal.

    Called in the call phase: what a fixture attaches while it is torn down is buried in the
    report under "Tear down".
    """
    if allure_is_at_work(item.config):
        from pytest_hangfm.reporting.attachments import attach_all  # noqa: PLC0415  only where it is at work

        attach_all(item, item.config.stash[REDACTION])


def measured(item: pytest.Item) -> dict[str, Any]:
    """Return a test's numbers, for its report."""
    from pytest_hangfm.reporting.metrics import measures_of  # noqa: PLC0415  only tests that use the plugin pay for it

    acks, sandbox = item.stash.get(ACKS, None), item.stash.get(SANDBOX, None)
    if acks is None or not acks.steps:
        return measures_of(())
    disturbed = sandbox is not None and any("fault" in event for event in sandbox.journal.since(0)[0])
    return measures_of(acks.steps, disturbed=disturbed)

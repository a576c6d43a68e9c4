"""Allure's results made readable and free of secrets, just before they are written.

The hooks are of two sides: pytest reports what became of each test, and Allure hands over each result,
container and attachment (in its own plugin manager, where these hooks come first).
"""

from __future__ import annotations

import inspect
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import allure_commons  # type: ignore[import-untyped,unused-ignore]  # it has no types
import pytest
from allure_commons.model2 import (  # type: ignore[import-untyped,unused-ignore]  # it has no types
    Label,
    StatusDetails,
    TestStepResult,
)

from pytest_hangfm.fenced import RUNNER_FIXTURES, rewrite_result
from pytest_hangfm.items import remedy_of, title_of, uses_plugin
from pytest_hangfm.reporting.escaping import escape_surrogates
from pytest_hangfm.reporting.failure import as_html, headline, picture, said_once
from pytest_hangfm.reporting.labels import labels_of
from pytest_hangfm.reporting.metrics import Measures
from pytest_hangfm.reporting.run_info import write_run_info
from pytest_hangfm.reporting.steps import StepNode, begin_steps, take_steps
from pytest_hangfm.reporting.timeline import timeline
from pytest_hangfm.stash import ACKS, CHECK, MEASURES, report_data

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping

    from pytest_hangfm.reporting.redaction import Redaction

__all__ = ["AllureHooks", "register"]

F = TypeVar("F", bound="Callable[..., Any]")

_hook: Callable[..., Callable[[F], F]] = allure_commons.hookimpl
_PLUMBING: Final = frozenset(
    {
        *RUNNER_FIXTURES,
        "event_loop_policy",
        "hangfm_allow_unknown_requests",
        "hangfm_allow_unused_faults",
        "hangfm_no_leaks",
        "hangfm_sandbox_options",
        "hangfm_target",
        "tmp_path",
        "tmp_path_factory",
    }
)
"""Fixtures that no reader needs to see, unless they failed."""
_TAGS: Final = frozenset({"asyncio", "anyio", "preflight", "stage", "live", "remedy"})
"""Markers that Allure would show as tags, and that the report says in other ways."""


def register(config: pytest.Config, redaction: Redaction) -> None:
    """Let the hooks of this run listen to both sides."""
    hooks = AllureHooks(config, redaction)
    config.pluginmanager.register(hooks, "hangfm-allure")
    allure_commons.plugin_manager.register(hooks, "hangfm-allure")
    config.add_cleanup(lambda: allure_commons.plugin_manager.unregister(hooks))


class AllureHooks:
    """Names, places, tidies and masks what Allure writes.

    Args:
        config: The run's configuration.
        redaction: Masks.
    """

    def __init__(self, config: pytest.Config, redaction: Redaction) -> None:
        self._config = config
        self._redaction = redaction
        self._folder = Path(config.invocation_params.dir, config.getoption("allure_report_dir"))
        self._item: pytest.Item | None = None
        self._row: Mapping[str, Any] = {}
        self._params: frozenset[str] = frozenset()
        self._measures = Measures()
        self._concerned = False
        self._began = _now_ms()

    # -- pytest's side

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Remember whose result comes next."""
        self._item, self._row = item, {}
        callspec = getattr(item, "callspec", None)
        self._params = frozenset(callspec.params if callspec is not None else ())
        begin_steps()
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take a check's result and a test's numbers, in whichever process it ran."""
        self._row = report_data(report, CHECK) or self._row
        if (measures := report_data(report, MEASURES)) is not None:
            self._concerned = True
            self._measures.add(measures)

    def pytest_sessionfinish(self) -> None:
        """Write the run's facts and metrics, once, where the results of all processes lie."""
        if self._concerned and not hasattr(self._config, "workerinput"):
            write_run_info(self._folder, self._config)
            self._measures.write(self._folder, self._began, _now_ms())

    # -- Allure's side

    @_hook(tryfirst=True)
    def report_result(self, result: Any) -> None:  # noqa: ANN401  Allure's, untyped
        """Name and place a test, put its remedy into words, and mask everything."""
        steps = [_as_allure(node) for node in take_steps()]
        item = self._item
        if item is not None and uses_plugin(item):
            result.steps = sorted([*result.steps, *steps], key=lambda step: step.start or 0)
            self._name(result, item)
            if result.status in {"failed", "broken"}:
                self._show_failure(result, item)
        self._mask(result, item)

    @_hook(tryfirst=True)
    def report_container(self, container: Any) -> None:  # noqa: ANN401  Allure's, untyped
        """Drop plumbing from set-up and tear-down, and mask the rest."""
        container.befores = [each for each in container.befores if not self._is_plumbing(each)]
        container.afters = [each for each in container.afters if not self._is_plumbing(each)]
        for fixture in container.befores:
            fixture.name = self._with_purpose(fixture.name)
        for fixture in container.afters:
            fixture.name = str(fixture.name).removesuffix("::finalizer")
        self._mask(container, self._item)

    @_hook(tryfirst=True)
    def report_globals(self, globals_item: Any) -> None:  # noqa: ANN401  Allure's, untyped
        """Mask what belongs to no test."""
        self._mask(globals_item, None)

    @_hook(trylast=True)
    def report_attached_data(self, body: Any, file_name: str) -> None:  # noqa: ANN401  text or bytes
        """Mask an attachment: what is handed to the hooks cannot be replaced, the file can."""
        if self._item is None or self._redaction.concerns(self._item):
            self._mask_file(self._folder / file_name, body)

    @_hook(trylast=True)
    def report_attached_file(self, source: str, file_name: str) -> None:
        """Mask the copy of an attached file; the file itself stays as it is."""
        if self._item is None or self._redaction.concerns(self._item):
            self._mask_file(self._folder / file_name, Path(source).read_bytes())

    def _mask_file(self, path: Path, body: str | bytes) -> None:
        text = body if isinstance(body, str) else body.decode("utf-8", "surrogateescape")
        if (masked := self._redaction.text(text)) != text:
            path.write_bytes(masked.encode("utf-8", "surrogateescape"))

    # -- how

    def _name(self, result: Any, item: pytest.Item) -> None:  # noqa: ANN401  Allure's, untyped
        if result.name == item.name:  # otherwise the test has a title of its own
            result.name = self._row.get("title") or title_of(item.name)
        place = labels_of(item.nodeid, {marker.name for marker in item.iter_markers()})
        given = {label.name for label in result.labels}
        wanted = {
            "epic": place.epic,
            "feature": place.feature,
            "story": place.story,
            "severity": place.severity,
            "layer": place.epic,
        }
        result.labels = [label for label in result.labels if label.name != "tag" or label.value not in _TAGS]
        result.labels += [
            Label(name=name, value=value) for name, value in wanted.items() if value and name not in given
        ]
        result.labels.append(Label(name="hangfm", value=place.kind))
        result.description = "\n\n".join(self._description(result.description or "", item))

    def _description(self, own: str, item: pytest.Item) -> Iterable[str]:
        if own:
            yield own
        if self._row.get("verdict") in {"ok", "warn", "skipped"}:  # otherwise the error says it
            yield f"**Found:** {self._row['message']}"
        remedy = self._row.get("remedy") or remedy_of(item)
        if remedy and remedy not in own:
            yield f"**If it fails:** {remedy}"

    def _show_failure(self, result: Any, item: pytest.Item) -> None:  # noqa: ANN401  Allure's, untyped
        """Show the error once, and put the picture of the deliveries where a failed test is read first."""
        acks = item.stash.get(ACKS, None)
        steps = acks.steps if acks is not None else ()
        details = result.statusDetails
        if details is not None:
            details.trace = said_once(details.message or "", details.trace or "")
        if not steps:
            return
        if details is not None:
            details.message = headline(details.message or "")
        for step in result.steps:
            _shorten(step)  # to the same words, by which Allure knows that it is the same error
        own = result.descriptionHtml or as_html(result.description.split("\n\n"))
        result.descriptionHtml = picture(self._redaction.text(timeline(steps))) + own

    def _is_plumbing(self, fixture: Any) -> bool:  # noqa: ANN401  Allure's, untyped
        """Whether a line of set-up or tear-down is of no interest: no error, no step, a helper's."""
        if fixture.status in {"failed", "broken"} or fixture.steps or fixture.attachments:
            return False
        name, _, finalizer = str(fixture.name).partition("::")
        is_inner = finalizer not in {"", "finalizer"}
        return is_inner or name in _PLUMBING or name in self._params

    def _with_purpose(self, name: str) -> str:
        """Return a fixture's name with the first sentence of its docstring, if it is one of the plugin."""
        plugin = self._config.pluginmanager.get_plugin("pytest_hangfm")
        purpose = inspect.getdoc(getattr(plugin, name, None)) if name.startswith("hangfm_") else None
        return f"{name}: {purpose.splitlines()[0].rstrip('.').replace('``', '')}" if purpose else name

    def _mask(self, thing: Any, item: pytest.Item | None) -> None:  # noqa: ANN401  Allure's, untyped
        masks = item is None or self._redaction.concerns(item)
        rewrite_result(thing, self._redaction.shown if masks else escape_surrogates)


def _shorten(step: Any) -> None:  # noqa: ANN401  Allure's, untyped
    if step.statusDetails is not None:
        step.statusDetails.message = headline(step.statusDetails.message or "")
    for child in step.steps:
        _shorten(child)


def _as_allure(node: StepNode) -> Any:  # noqa: ANN401  Allure's, untyped
    error = node.error
    step = TestStepResult(name=node.name, start=node.start, stop=node.stop or _now_ms())
    if node.stop is None:
        step.statusDetails = StatusDetails(message="had not ended when the test did")
    elif isinstance(error, pytest.skip.Exception):
        step.status = "skipped"
    elif error is None:
        step.status = "passed"
    else:
        wrong = isinstance(error, AssertionError | pytest.fail.Exception)
        step.status = "failed" if wrong else "broken"
        step.statusDetails = StatusDetails(message=f"{type(error).__name__}: {error}")
    step.steps = [_as_allure(child) for child in node.children]
    return step


def _now_ms() -> int:
    return round(time.time() * 1000)

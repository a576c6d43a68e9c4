"""Each private name that `pytest_hangfm.fenced` uses exists; a failing test names what would break."""

import asyncio
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import pytest_asyncio.plugin
from allure_commons import model2

from pytest_hangfm.fenced import (
    LOG_HANDLERS,
    RUNNER_FIXTURES,
    MaskedFailure,
    crash_of,
    drop_fixtures,
    failure_text,
    fixture_names,
    loop_select,
    pytest_log_handlers,
    replace_in_loop,
    rewrite_result,
    use_fixture,
)

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


@pytest.mark.parametrize("cap", ["pytest>=9,<10", "pytest-asyncio>=1.4,<2", "allure-pytest>=2.16,<3"])
def test_a_version_that_may_lack_a_name_is_not_installed(cap: str) -> None:
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]

    assert cap in project["optional-dependencies"]["test"]


def test_guards_and_virtual_time_are_given_by_fixturenames(request: pytest.FixtureRequest) -> None:
    names = fixture_names(request.node)
    before = list(names)

    use_fixture(request.node, "tmp_path")
    use_fixture(request.node, "request")
    given, *others = names
    names[:] = before

    assert "request" in before
    assert given == "tmp_path"
    assert others == before


def test_what_a_simulated_test_has_otherwise_is_taken_from_fixturenames(
    request: pytest.FixtureRequest,
) -> None:
    names = fixture_names(request.node)
    before = list(names)

    drop_fixtures(request.node, lambda name: name == "request")
    left = list(request.node.fixturenames)
    names[:] = before

    assert "request" in before
    assert left == [name for name in before if name != "request"]


@pytest.mark.parametrize("name", LOG_HANDLERS)
def test_secrets_in_logs_are_masked_by_pytests_handlers(pytestconfig: pytest.Config, name: str) -> None:
    handler = getattr(pytestconfig.pluginmanager.get_plugin("logging-plugin"), name)

    assert handler in pytest_log_handlers(pytestconfig)


def test_caplog_stays_unmasked(pytestconfig: pytest.Config, caplog: pytest.LogCaptureFixture) -> None:
    assert caplog.handler not in pytest_log_handlers(pytestconfig)


def test_a_masked_failure_keeps_the_line_of_the_short_summary() -> None:
    with pytest.raises(ValueError, match="secret") as caught:
        raise ValueError("a secret\nand more of it")
    written: list[str] = []
    report: Any = SimpleNamespace(longrepr=caught.getrepr())

    masked = MaskedFailure("all of it", crash_of(report))
    masked.toterminal(SimpleNamespace(line=written.append))

    assert (str(masked), written) == ("all of it", ["all of it"])
    assert masked.reprcrash.message == "ValueError: a secret\nand more of it"
    assert str(masked.reprcrash) == str(report.longrepr.reprcrash)


def test_a_failure_is_masked_as_the_terminal_would_show_it() -> None:
    def show(writer: Any) -> None:  # noqa: ANN401  pytest's terminal writer
        writer.line("    def test_it():", red=True)
        writer.line(">       fails()")

    assert failure_text(cast("pytest.TestReport", SimpleNamespace(toterminal=show))) == (
        "    def test_it():\n>       fails()"
    )


@pytest.mark.parametrize("name", RUNNER_FIXTURES)
def test_what_is_left_out_of_a_report_is_a_fixture_of_pytest_asyncio(name: str) -> None:
    assert hasattr(pytest_asyncio.plugin, name)


async def test_a_loop_is_given_another_time_and_wait_and_its_own_afterwards() -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, asyncio.SelectorEventLoop)
    own, waits = loop_select(loop), list[float | None]()

    def select(timeout: float | None) -> object:
        waits.append(timeout)
        return own(timeout)

    with replace_in_loop(loop, time=lambda: 1e9, run_in_executor=loop.run_in_executor, select=select):
        during = loop.time()
        await asyncio.sleep(0)

    assert during == 1e9
    assert waits
    assert loop.time() < 1e9
    assert loop_select(loop) == own


def test_every_text_of_an_allure_result_is_rewritten() -> None:
    step = model2.TestStepResult(name="a", parameters=[model2.Parameter(name="a", value="a")])
    result = model2.TestResult(name="a", steps=[step], statusDetails=model2.StatusDetails(message="a"))

    rewrite_result(result, str.upper)

    assert (result.name, step.name, step.parameters[0].value, result.statusDetails.message) == tuple("AAAA")

"""What Allure gets: inner runs of pytest, each in a process of its own, read from its result files."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cases import cases

pytest.importorskip("allure_pytest")

SUITE = '''
    import asyncio
    import pytest
    from pytest_hangfm import hangfm_step


    @pytest.mark.asyncio
    @pytest.mark.stage
    @pytest.mark.remedy("Ask again tomorrow.")
    @pytest.mark.parametrize("attempts", [2], ids=["two"])
    async def test_a_lost_answer(hangfm_sandbox, hangfm_bot, hangfm_acks, attempts):
        hangfm_sandbox.faults.add("chat.send", "cut_before_store")
        with hangfm_step("the bot speaks"):
            await hangfm_bot.say("hello", key="m-1")
            await hangfm_acks.settled("m-1", within=60)
        hangfm_acks.assert_delivered("m-1", tier=2, attempts=attempts)


    @pytest.mark.asyncio
    async def test_at_once(hangfm_bot, hangfm_acks):
        """In the author's own words."""
        await hangfm_bot.say("hello", key="m-2")
        await hangfm_acks.settled("m-2", within=60)


    @pytest.mark.live
    @pytest.mark.asyncio
    async def test_the_real_thing():
        raise AssertionError("not to be run")


    def test_of_somebody_else():
        pass
'''


FAILS = """
    import pytest
    from pytest_hangfm import hangfm_step

    @pytest.mark.asyncio
    @pytest.mark.remedy("Ask again <tomorrow>.")
    async def test_at_once(hangfm_sandbox, hangfm_bot, hangfm_acks):
        hangfm_sandbox.faults.add("chat.send", "cut_before_store", times=1)
        await hangfm_bot.say("hello", key="m-1")
        await hangfm_acks.settled("m-1")
        with hangfm_step("it was delivered at once"):
            hangfm_acks.assert_delivered("m-1", tier=1)
"""


class Results:
    """The result files of an inner run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tests = [json.loads(path.read_text()) for path in folder.glob("*-result.json")]
        self.containers = [json.loads(path.read_text()) for path in folder.glob("*-container.json")]

    def test(self, part: str) -> dict[str, Any]:
        (found,) = [test for test in self.tests if part in test["fullName"]]
        return dict(found)

    def labels(self, part: str) -> dict[str, str]:
        return {label["name"]: label["value"] for label in self.test(part)["labels"]}

    def attached(self, part: str) -> dict[str, str]:
        attachments = self.test(part)["attachments"]
        return {each["name"]: (self.folder / each["source"]).read_text() for each in attachments}


def run(inner: pytest.Pytester, text: str, *args: str, **outcomes: int) -> Results:
    inner.makepyfile(text)
    inner.runpytest_subprocess("--alluredir=results", *args).assert_outcomes(**outcomes)
    return Results(inner.path / "results")


def test_an_inner_run_leaves_a_report_that_people_can_read(inner: pytest.Pytester) -> None:
    results = run(inner, SUITE, passed=3, skipped=1)

    lost, own = results.test("test_a_lost_answer"), results.test("test_at_once")
    assert lost["name"] == "A lost answer (two)"
    assert lost["description"] == "**If it fails:** Ask again tomorrow."
    assert (own["name"], own["description"].strip()) == ("At once", "In the author's own words.")
    labels = results.labels("test_a_lost_answer")
    assert (labels["epic"], labels["severity"], labels["hangfm"]) == ("Stages", "critical", "stage")
    assert [label["value"] for label in lost["labels"] if label["name"] == "tag"] == []
    assert results.labels("test_the_real_thing")["epic"] == "Tests"

    attached = results.attached("test_a_lost_answer")
    wires = ["On the sandbox's wires", "Journal, raw"]
    assert list(attached) == ["Timeline", "Events", "Deliveries, raw", *wires]
    assert "delivered · tier 2" in attached["Timeline"]
    assert "ConnectionLost" in attached["Events"]
    assert json.loads(attached["Deliveries, raw"])[0]["id"] == "m-1"

    (step,) = lost["steps"]
    assert (step["name"], step["status"]) == ("the bot speaks", "passed")
    assert step["stop"] >= step["start"] > 0

    other = results.test("test_of_somebody_else")
    assert other["name"] == "test_of_somebody_else"
    assert "epic" not in results.labels("test_of_somebody_else")

    fixtures = [each.get(part, ()) for each in results.containers for part in ("befores", "afters")]
    prepared = {each["name"] for found in fixtures for each in found}
    assert "hangfm_sandbox: Hang.fm on 127.0.0.1, fresh for each test" in prepared
    assert [name for name in prepared if "lambda" in name or name.startswith("_") or name == "attempts"] == []
    assert not prepared & {"event_loop_policy", "tmp_path_factory", "hangfm_no_leaks"}


def test_a_failed_delivery_shows_its_picture_and_says_its_error_once(inner: pytest.Pytester) -> None:
    failed = run(inner, FAILS, failed=1).test("test_at_once")

    error = failed["statusDetails"]
    assert error["message"].startswith("Failed: m-1 was to be delivered in tier 1")
    assert "\n" not in error["message"]
    assert "was to be delivered in tier 1" not in error["trace"]
    assert ">   " in error["trace"]  # where
    (step,) = failed["steps"]
    assert step["statusDetails"]["message"] == error["message"]  # by which Allure joins the two
    assert failed["descriptionHtml"].startswith("<div")
    assert "data:image/svg+xml;base64," in failed["descriptionHtml"]
    assert "Ask again &lt;tomorrow&gt;." in failed["descriptionHtml"]


@pytest.mark.parametrize("processes", ["0", "2"])
def test_the_run_as_a_whole_has_its_facts_and_the_numbers_of_all_processes(
    inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, processes: str
) -> None:
    monkeypatch.setenv("GITHUB_RUN_ID", "77")
    monkeypatch.setenv("GITHUB_RUN_NUMBER", "5")
    monkeypatch.setenv("GITHUB_REPOSITORY", "somebody/bot")
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.com")

    results = run(inner, SUITE, "-n", processes, passed=3, skipped=1)

    executor = json.loads((results.folder / "executor.json").read_text())
    categories = json.loads((results.folder / "categories.json").read_text())
    (perf,) = [json.loads(path.read_text()) for path in results.folder.glob("*-perf.json")]
    numbers = {row["key"]: row["value"] for row in perf}
    assert "Target = everything on the sandbox" in (results.folder / "environment.properties").read_text()
    assert executor["buildUrl"] == "https://github.com/somebody/bot/actions/runs/77"
    assert executor["buildOrder"] == 5
    assert categories[0]["name"].startswith("Not ready")
    assert numbers["hangfm.delivered"] == 1  # the other test had a fault
    assert numbers["hangfm.first_try"] == 100
    assert 0 < numbers["hangfm.ack.p50"] <= numbers["hangfm.ack.max"]


def test_a_rejected_check_says_so_in_its_description_and_its_error(with_checks: pytest.Pytester) -> None:
    with_checks.path.joinpath("hang-fm-config.env").write_text("ROOM_UUID=\n", encoding="utf-8")

    argv = ("checks", "--alluredir=results", "--hangfm-only=config,chat.server")
    done = with_checks.runpytest_subprocess(*argv)

    assert done.ret == 1
    results = Results(with_checks.path / "results")
    config = results.test("test_configuration_is_complete")
    assert config["status"] == "failed"
    assert "[FAIL] Configuration is complete" in config["statusDetails"]["message"]
    assert "**If it fails:**" in config["description"]


@cases("option", ("absent", "-pno:allure_pytest"), ("not-asked-for", "-q"))
def test_without_allure_nothing_of_it_is_imported(inner: pytest.Pytester, option: str) -> None:
    inner.makepyfile(
        """
        import sys
        from pytest_hangfm import hangfm_step

        def test_it(hangfm_target):
            with hangfm_step("unheard"):
                assert "pytest_hangfm.reporting.allure_hooks" not in sys.modules
                assert "pytest_hangfm.reporting.attachments" not in sys.modules
        """
    )

    inner.runpytest_subprocess(option).assert_outcomes(passed=1)


def test_the_plugin_itself_imports_neither_allure_nor_the_redactor(inner: pytest.Pytester) -> None:
    unwanted = "{'allure', 'allure_commons', 'hangbot.redact'}"
    code = f"import sys, pytest_hangfm; print(sorted({unwanted} & set(sys.modules)))"

    inner.run(sys.executable, "-c", code).stdout.fnmatch_lines(["[[]]"])

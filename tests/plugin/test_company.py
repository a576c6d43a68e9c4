"""The plugin in the company of others: asyncio modes and loops, xdist, random order, no configuration."""

import sys

import pytest

from hangbot.preflight import CHECKS
from tests.cases import cases
from tests.plugin.conftest import WITHOUT_ALLURE

TESTS = """
    import asyncio
    import pytest

    async def test_as_the_readme_has_it(hangfm_sandbox, hangfm_bot):
        hangfm_sandbox.faults.add("chat.send", "cut_after_store")
        (stored,) = await hangfm_bot.say("hello")
        assert (await hangfm_bot.settled(stored.message.id)).tier == 2

    class TestAClass:
        async def test_in_a_class(self, hangfm_bot):
            await hangfm_bot.ready()

    @pytest.mark.asyncio
    async def test_with_a_mark_of_its_own(hangfm_room, hangfm_room_events, hangfm_user):
        await hangfm_user.dj()
        await hangfm_room_events.expect("playedSong")

    @pytest.mark.virtual_time
    async def test_half_a_minute_takes_no_time_over_real_sockets(hangfm_room):
        await asyncio.sleep(30)
        await hangfm_room.act("playOneTimeAnimation", animation="jump")

    async def test_a_leak(hangfm_target):
        asyncio.create_task(asyncio.sleep(100), name="forgotten")
"""
ON_OTHER_LOOPS = """
    import pytest

    @pytest.mark.anyio
    async def test_on_anyio(hangfm_bot): ...

    @pytest.mark.asyncio(loop_scope="module")
    async def test_on_the_modules_loop(hangfm_bot): ...

    @pytest.mark.asyncio(loop_scope="module")
    async def test_without_our_fixtures(): ...

    async def test_of_others(): ...
"""
FROZEN = """
    import gc
    import pytest

    @pytest.fixture(autouse=True)
    def frozen():
        yield
        print("frozen:", gc.get_freeze_count() > 0, "enabled:", gc.isenabled())

    @pytest.mark.preflight("my.own")
    def test_a_check(): ...

    @pytest.mark.preflight
    def test_another(): ...
"""
ONE_BOT = "async def test_a_bot(hangfm_bot):\n    await hangfm_bot.ready()"


@cases(
    "mode scope",
    ("strict", "strict", "function"),
    ("auto", "auto", "function"),
    ("one loop for the session", "auto", "session"),
)
def test_any_asyncio_mode_will_do_without_a_mark(inner: pytest.Pytester, mode: str, scope: str) -> None:
    inner.makepyfile(TESTS)
    scopes = [f"-oasyncio_default_{whose}_loop_scope={scope}" for whose in ("fixture", "test")]

    result = inner.runpytest_subprocess(*WITHOUT_ALLURE, f"-oasyncio_mode={mode}", *scopes)

    result.assert_outcomes(passed=5, errors=1)
    result.stdout.fnmatch_lines(["*the test left 1 task(s) running: forgotten*"])


def test_order_and_processes_change_no_test(inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:cacheprovider")
    inner.makepyfile(test_one=TESTS, test_two=TESTS)

    result = inner.runpytest_subprocess("-n", "2", "-p", "randomly", *WITHOUT_ALLURE)

    result.assert_outcomes(passed=10, errors=2)
    result.stdout.fnmatch_lines(["Using --randomly-seed=*"])


@pytest.mark.parametrize(("configuration", "warned"), [("", False), ("[pytest]\n", True)])
def test_an_empty_folder_is_not_lectured(inner: pytest.Pytester, configuration: str, *, warned: bool) -> None:
    inner.path.joinpath("tox.ini").unlink()
    if configuration:
        inner.makefile(".ini", pytest=configuration)
    inner.makepyfile(ONE_BOT)

    result = inner.runpytest_subprocess()

    result.assert_outcomes(passed=1)
    assert ("asyncio_default_fixture_loop_scope" in result.stderr.str()) is warned


def test_another_loop_is_answered_in_a_line(inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_ADDOPTS")  # anyio's plugin is part of this
    inner.makepyfile(ON_OTHER_LOOPS)

    result = inner.runpytest_subprocess("-p", "no:randomly")

    result.assert_outcomes(passed=1, failed=1, errors=2)
    result.stdout.fnmatch_lines_random(
        [
            "*async def functions are not natively supported*",
            "hangfm_bot runs on pytest-asyncio, and this test on anyio: take the mark `anyio` off;*",
            "this test runs on the event loop of its module, and hangfm_bot on that of its function: *",
        ]
    )
    result.stdout.no_fnmatch_line("*RuntimeError*")


@pytest.mark.parametrize("processes", ["0", "2"])
def test_a_project_without_checks_has_those_of_the_plugin(inner: pytest.Pytester, processes: str) -> None:
    inner.makepyfile("def test_of_the_project(): ...")

    result = inner.runpytest_subprocess("-m", "preflight", "-n", processes, *WITHOUT_ALLURE)

    text = result.stdout.str()
    assert result.parseoutcomes()["passed"] == text.count("\n[OK]")
    places = [text.index(f"[OK]   {check.title}") for check in CHECKS]
    assert places == sorted(places)
    result.stdout.fnmatch_lines(["SANDBOX ONLY: the sandbox, nothing live was checked"])


@cases(
    "text outcomes",
    ("of its own", FROZEN, {"passed": 2}),
    ("that cannot be imported", "import no_such_module", {"errors": 1}),
)
def test_a_project_has_only_its_checks(inner: pytest.Pytester, text: str, outcomes: dict[str, int]) -> None:
    inner.makepyfile(text)

    inner.runpytest_subprocess("-m", "preflight").assert_outcomes(**outcomes)


@cases("chosen frozen", ("checks alone", "preflight", "True"), ("any tests", "not stage", "False"))
def test_the_collector_passes_over_a_run_of_checks(inner: pytest.Pytester, chosen: str, frozen: str) -> None:
    inner.makepyfile(test_checks=FROZEN)
    run = f"pytest.main(['-s', *{WITHOUT_ALLURE}, '-m', {chosen!r}]); left = gc.get_freeze_count()"

    result = inner.run(sys.executable, "-c", f"import gc, pytest; {run}; print('left:', left)")

    text = result.stdout.str()
    assert text.count(f"frozen: {frozen} enabled: True") == 2
    assert "left: 0" in text

"""The plugin in the company of others: asyncio modes and loops, xdist, random order, no Allure."""

import sys

import pytest

TESTS = """
    import asyncio
    import pytest

    pytestmark = pytest.mark.asyncio

    async def test_a_bot_speaks(hangfm_bot, hangfm_room_log):
        await hangfm_bot.say("hello")
        await hangfm_room_log.expect("hello")

    async def test_a_song_is_seen(hangfm_room, hangfm_room_events, hangfm_user):
        await hangfm_user.dj()
        await hangfm_room_events.expect("playedSong")

    @pytest.mark.virtual_time
    async def test_half_a_minute_takes_no_time_over_real_sockets(hangfm_room):
        await asyncio.sleep(30)
        await hangfm_room.act("playOneTimeAnimation", animation="jump")

    async def test_a_leak(hangfm_target):
        asyncio.create_task(asyncio.sleep(100), name="forgotten")
"""
STRICT = ("asyncio_mode=strict", "asyncio_default_fixture_loop_scope=function")
AUTO = ("asyncio_mode=auto", "asyncio_default_fixture_loop_scope=function")
ONE_LOOP = (
    "asyncio_mode=auto",
    "asyncio_default_fixture_loop_scope=session",
    "asyncio_default_test_loop_scope=session",
)
NO_ALLURE = ("-p", "no:allure_pytest")


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(STRICT, id="strict"),
        pytest.param(AUTO, id="auto"),
        pytest.param(ONE_LOOP, id="one loop for the session"),
    ],
)
def test_any_asyncio_mode_will_do(inner: pytest.Pytester, given: tuple[str, ...]) -> None:
    inner.makepyfile(TESTS)
    options = [part for line in given for part in ("-o", line)]

    result = inner.runpytest_subprocess(*NO_ALLURE, *options)

    result.assert_outcomes(passed=4, errors=1)
    result.stdout.fnmatch_lines(["*the test left 1 task(s) running: forgotten*"])


def test_with_xdist_every_check_is_in_the_summary_in_its_order(with_checks: pytest.Pytester) -> None:
    from hangbot.preflight import CHECKS  # noqa: PLC0415  what is expected, not what is run

    result = with_checks.runpytest_subprocess(
        "-n", "2", "-m", "preflight", "--hangfm-target=sandbox", *NO_ALLURE
    )

    text = result.stdout.str()
    assert result.parseoutcomes() == {"passed": text.count("\n[OK]")}
    places = [text.index(f"[OK]   {question.title}") for question in CHECKS]
    assert places == sorted(places)
    result.stdout.fnmatch_lines(["SANDBOX ONLY: the sandbox, nothing live was checked"])


def test_in_any_order_and_over_two_processes_the_tests_are_the_same(
    inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:cacheprovider")
    inner.makepyfile(test_one=TESTS, test_two=TESTS)

    result = inner.runpytest_subprocess("-n", "2", "-p", "randomly", "-p", "no:allure_pytest")

    result.assert_outcomes(passed=8, errors=2)
    result.stdout.fnmatch_lines(["Using --randomly-seed=*"])


FROZEN = """
    import gc
    import pytest

    @pytest.fixture(autouse=True)
    def frozen():
        yield
        print("frozen:", gc.get_freeze_count() > 0, "enabled:", gc.isenabled())

    @pytest.mark.preflight
    def test_a_check(): ...

    @pytest.mark.preflight
    def test_another(): ...
"""


@pytest.mark.parametrize(
    ("chosen", "frozen"),
    [
        pytest.param("preflight", "True", id="checks alone"),
        pytest.param("not stage", "False", id="whatever there is"),
    ],
)
def test_a_run_of_checks_alone_is_spared_the_search_for_garbage_and_puts_it_back(
    inner: pytest.Pytester, chosen: str, frozen: str
) -> None:
    inner.makepyfile(test_checks=FROZEN)
    run = f"pytest.main(['-s', '-p', 'no:allure_pytest', '-m', {chosen!r}]); left = gc.get_freeze_count()"

    result = inner.run(sys.executable, "-c", f"import gc, pytest; {run}; print('left:', left)")

    text = result.stdout.str()
    assert text.count(f"frozen: {frozen} enabled: True") == 2
    assert "left: 0" in text

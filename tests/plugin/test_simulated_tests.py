"""The mark ``simulation``, as authors of bots have it."""

import re
from typing import Final

import pytest

from pytest_hangfm.simulation.fingerprint import made_here
from pytest_hangfm.simulation.plan import Plan
from pytest_hangfm.simulation.token import encode
from tests.plugin.conftest import WITHOUT_ALLURE

CALM: Final = encode(Plan(5, seconds=20.0, users=1, pace=60.0), made_here())
BOT: Final = """
    import asyncio, os, time
    import pytest
    from pytest_hangfm.simulation.history import MessageStored

    async def pong(bot, message):
        if message.text == "/ping":
            await message.reply("pong")

    async def blocks(bot, message):
        await asyncio.to_thread(time.sleep, 1)

    def answers_once(history):
        assert [event.text for event in history.of(MessageStored)] == ["pong"]
"""


def run(inner: pytest.Pytester, tests: str, *options: str) -> pytest.RunResult:
    inner.makepyfile(test_mine=f"{BOT}\n{tests}")
    return inner.runpytest_subprocess(*WITHOUT_ALLURE, *options)


def test_a_simulated_test_passes_beside_others_in_every_shape(inner: pytest.Pytester) -> None:
    tests = """
    @pytest.fixture
    def app():
        return pong

    @pytest.mark.parametrize("words", ["/ping", "/pong"])
    @pytest.mark.simulation(seeds=1)
    async def test_with_values(hangfm_open_bot, hangfm_user, words, app):
        await hangfm_open_bot(app=app)
        await hangfm_user.say(words)

    @pytest.mark.simulation(check=answers_once)
    class TestMine:
        async def test_in_a_class(self, hangfm_open_bot, hangfm_open_user, hangfm_room_log):
            await hangfm_open_bot(app=pong)
            alice = await hangfm_open_user("alice")
            await alice.say("/ping")
            await hangfm_room_log.expect("pong")

    async def test_on_this_machine(hangfm_open_bot, hangfm_user, hangfm_room_log):
        await hangfm_open_bot(app=pong)
        await hangfm_user.say("/ping")
        await hangfm_room_log.expect("pong")
    """

    done = run(inner, tests, "--hangfm-simulate", CALM, "-rP")

    done.assert_outcomes(passed=4)
    done.stdout.fnmatch_lines(["*replayed; no rule is broken", "*alice * /ping", "*the bot * says pong*"])


def test_without_pytest_asyncio_a_simulated_test_runs_as_well(inner: pytest.Pytester) -> None:
    inner.makeini("[pytest]\nfilterwarnings = error\n")
    tests = """
    @pytest.mark.simulation(seeds=1)
    async def test_it(hangfm_open_bot):
        await hangfm_open_bot(app=pong)
    """

    done = run(inner, tests, "-p", "no:asyncio", "-rP")

    done.assert_outcomes(passed=1)
    done.stdout.re_match_lines([r"1 worlds?, 0\.\d virtual hours, \d+ faults had an effect"])


def test_a_failure_shows_the_story_and_the_command_that_replays_it(inner: pytest.Pytester) -> None:
    tests = """
    def says_nothing(history):
        assert not list(history.of(MessageStored)), "it spoke"

    @pytest.mark.simulation(seeds=2, check=[answers_once, says_nothing])
    async def test_it(hangfm_open_bot, hangfm_user):
        await hangfm_open_bot(app=pong)
        await hangfm_user.say("/ping")
    """

    found = run(inner, tests)

    found.assert_outcomes(failed=1)
    text = found.stdout.str()
    assert re.search(r"^says_nothing: it spoke", text, re.MULTILINE)
    assert re.search(r"^X .*says_nothing: it spoke", text, re.MULTILINE)
    assert "hidden" not in text
    command = re.search(r"replay it: pytest (test_mine.py::test_it) (--hangfm-simulate) (\S+)", text)
    assert command
    again = inner.runpytest_subprocess(*WITHOUT_ALLURE, *command.groups())
    again.assert_outcomes(failed=1)
    again.stdout.fnmatch_lines(["says_nothing: it spoke*", "(replayed)"])


@pytest.mark.parametrize(
    ("test", "line"),
    [
        pytest.param(
            "@pytest.mark.simulation\n    def test_it(hangfm_open_bot): ...",
            "is an `async def`",
            id="no async",
        ),
        pytest.param(
            "@pytest.mark.simulation(seeds=0)\n    async def test_it(): ...",
            "seeds=0 is no number of at least 1",
            id="no seeds",
        ),
        pytest.param(
            "@pytest.mark.simulation(200, 1, 2)\n    async def test_it(): ...",
            "it has no other arguments",
            id="arguments",
        ),
        pytest.param(
            "@pytest.mark.simulation(check='x')\n    async def test_it(): ...",
            "check is a function, or several",
            id="no function",
        ),
        pytest.param(
            "@pytest.mark.simulation\n    async def test_it(hangfm_acks): ...",
            "hangfm_acks is not there in a simulation; there are hangfm_app, hangfm_open_bot,",
            id="another fixture",
        ),
        pytest.param(
            "@pytest.fixture\n    def mine(hangfm_user): return 1\n"
            "    @pytest.mark.simulation\n    async def test_it(mine): ...",
            "ask for it in the test itself, not in a fixture",
            id="a fixture by way of another",
        ),
        pytest.param(
            "@pytest.mark.simulation(seeds=1)\n    async def test_it(hangfm_open_bot):\n"
            "        await hangfm_open_bot(app=pong)\n        time.sleep(1)",
            "time.sleep was used in a simulation by test_mine, line",
            id="real time",
        ),
        pytest.param(
            "@pytest.mark.simulation(seeds=1)\n    async def test_it(hangfm_open_bot, hangfm_user):\n"
            "        await hangfm_open_bot(app=blocks)\n        await hangfm_user.say('x')",
            "run_in_executor was used in a simulation by test_mine, line",
            id="a thread",
        ),
    ],
)
def test_what_cannot_be_simulated_is_one_clear_line(inner: pytest.Pytester, test: str, line: str) -> None:
    done = run(inner, f"    {test}", "--tb=short")

    assert done.ret == pytest.ExitCode.TESTS_FAILED
    assert [row for row in done.stdout.lines if line in row]
    assert "Traceback" not in done.stdout.str()


@pytest.mark.parametrize(
    ("options", "line"),
    [
        pytest.param(("--hangfm-simulate", "sim1-xyz"), "this token is not whole", id="a damaged token"),
        pytest.param(("--hangfm-simulate", "sim9-xyz"), "this token is of format sim9", id="another format"),
        pytest.param(("--hangfm-seeds", "0"), "--hangfm-seeds: '0' is no number", id="no seeds"),
        pytest.param(
            ("--hangfm-simulate", CALM, "-k", "other"), "no test of this run is marked", id="another test"
        ),
    ],
)
def test_a_wrong_option_is_one_clear_line(
    inner: pytest.Pytester, options: tuple[str, ...], line: str
) -> None:
    tests = """
    @pytest.mark.simulation
    async def test_it(hangfm_open_bot):
        await hangfm_open_bot(app=pong)

    def test_another(): ...
    """

    done = run(inner, tests, *options)

    assert done.ret == pytest.ExitCode.USAGE_ERROR
    assert [row for row in done.errlines + done.outlines if line in row]

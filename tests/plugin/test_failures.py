"""Failures say where and what: the line, the coroutine, the call that blocks."""

import pytest

from tests.plugin.conftest import WITHOUT_ALLURE

EXPECTS_IN_VAIN = """
    async def test_the_bot_answers(hangfm_bot, hangfm_user, hangfm_room_log):
        await hangfm_user.say("/ping")
        await hangfm_room_log.expect("pong", within=0.1)
"""
LEAKS = """
    import asyncio

    async def forgets():
        await asyncio.sleep(100)

    async def test_a_leak(hangfm_target):
        asyncio.create_task(forgets())

    async def test_a_named_leak(hangfm_target):
        asyncio.create_task(forgets(), name="poller")
"""
BLOCKS = """
    import subprocess
    import sys
    import time
    import urllib.request

    async def test_urllib(hangfm_sandbox):
        urllib.request.urlopen(hangfm_sandbox.chat_url + "/v3.0/settings")

    async def test_a_program(hangfm_sandbox):
        subprocess.run([sys.executable, "-c", "import time; time.sleep(60)"])

    async def test_that_computes(hangfm_sandbox):
        end = time.thread_time() + 2.5
        while time.thread_time() < end:
            pass
"""
ACTIONS = """
    import pytest
    from hangbot import Settlement

    async def act(bot):
        return await bot.act("voteOnSong", songVotes={"like": True})

    async def test_nobody_looks(hangfm_bot):
        await act(hangfm_bot)

    async def test_the_app_does_not_look(hangfm_open_bot, hangfm_user, hangfm_room_log):
        async def like(bot, message):
            await act(bot)
            await bot.say("liked")

        await hangfm_open_bot(app=like)
        await hangfm_user.say("/like")
        await hangfm_room_log.expect("liked")

    async def test_it_is_looked_at(hangfm_bot):
        assert (await act(hangfm_bot)).state == "failed"

    async def test_it_is_compared(hangfm_bot):
        assert await act(hangfm_bot) != Settlement("delivered", 1, 1)

    @pytest.mark.allow_failed_actions
    async def test_it_is_allowed(hangfm_bot):
        await act(hangfm_bot)

    async def test_it_is_misspelt(hangfm_bot, hangfm_room):
        for act in (hangfm_bot.act, hangfm_room.act):
            with pytest.raises(Exception, match="no room action voteOnsong; did you mean voteOnSong"):
                await act("voteOnsong", songVotes={"like": True})
"""
VIRTUAL_PROGRAM = """
    import pytest

    @pytest.mark.virtual_time
    async def test_both(hangfm_open_process): ...
"""


@pytest.mark.parametrize(
    ("text", "outcomes", "lines"),
    [
        pytest.param(
            EXPECTS_IN_VAIN,
            {"failed": 1},
            ['>*await hangfm_room_log.expect("pong", within=0.1)', "*hangbot -> room: joinRoom*"],
            id="an expectation, with its line and the conversation",
        ),
        pytest.param(
            LEAKS,
            {"passed": 2, "errors": 2},
            [
                "the test left 1 task(s) running: forgets, made at test_it.py:7; await or cancel*",
                "the test left 1 task(s) running: poller: forgets, made at test_it.py:10; await or cancel*",
            ],
            id="a leaked task, by its coroutine and the line that made it",
        ),
        pytest.param(
            BLOCKS,
            {"passed": 1, "failed": 2},
            [
                "the test has blocked the event loop for 2 s in line 7 of test_it.py (urlopen): *",
                "the test has blocked the event loop for 2 s in line 10 of test_it.py (run): *",
            ],
            id="a blocked loop, by its line",
        ),
        pytest.param(
            ACTIONS,
            {"passed": 4, "failed": 2},
            [
                "*nobody looked at the result of voteOnSong (test_it.py:5) failed: *Assert on what `act`*",
                "FAILED *::test_nobody_looks*",
                "FAILED *::test_the_app_does_not_look*",
            ],
            id="a failed action whose result was not read",
        ),
        pytest.param(
            VIRTUAL_PROGRAM,
            {"errors": 1},
            ["a program of its own does not share this test's clock: *"],
            id="a program under virtual time",
        ),
    ],
)
def test_a_failure_says_where_and_what(
    inner: pytest.Pytester, text: str, outcomes: dict[str, int], lines: list[str]
) -> None:
    inner.makepyfile(test_it=text)

    result = inner.runpytest_subprocess(*WITHOUT_ALLURE)

    result.assert_outcomes(**outcomes)
    result.stdout.fnmatch_lines_random(lines)
    shown = result.stdout.str()
    assert not (
        "over the wires" in shown and "on the sandbox's wires" in shown
    )  # the transcript is there once

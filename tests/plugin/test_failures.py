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


def test_each_failure_says_where_and_what(inner: pytest.Pytester) -> None:
    given = {"test_expects": EXPECTS_IN_VAIN, "test_leaks": LEAKS, "test_blocks": BLOCKS}
    inner.makepyfile(**given, test_actions=ACTIONS, test_virtual=VIRTUAL_PROGRAM)

    result = inner.runpytest_subprocess(*WITHOUT_ALLURE)

    result.assert_outcomes(passed=7, failed=5, errors=3)
    blocked = "the test has blocked the event loop for 2 s in line"
    result.stdout.fnmatch_lines_random(
        [
            '>*await hangfm_room_log.expect("pong", within=0.1)',
            "the test left 1 task(s) running: forgets, made at test_leaks.py:7; await or cancel*",
            "the test left 1 task(s) running: poller: forgets, made at test_leaks.py:10; await or cancel*",
            f"{blocked} 7 of test_blocks.py (urlopen): *",
            f"{blocked} 10 of test_blocks.py (run): *",
            "*nobody looked at the result of voteOnSong (test_actions.py:5) failed: *Assert on what `act`*",
            "FAILED *::test_nobody_looks*",
            "FAILED *::test_the_app_does_not_look*",
            "a program of its own does not share this test's clock: *",
        ]
    )
    behind_the_conversation = result.stdout.str().partition("over the wires, in seconds:")[2]
    assert "on the sandbox's wires" not in behind_the_conversation.partition("\n____")[0]  # not a second time

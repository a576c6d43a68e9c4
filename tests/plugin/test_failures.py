"""Failures say where and what: the line, the coroutine, the call that blocks."""

import pytest

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


ACTION_RESULTS = """
    import pytest
    from hangbot.delivery.record import Settlement

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


def test_an_action_that_failed_and_that_nobody_looked_at_fails_the_test(inner: pytest.Pytester) -> None:
    path = inner.makepyfile(ACTION_RESULTS)

    result = inner.runpytest_subprocess("-rA")
    markers = inner.runpytest_subprocess("--markers")

    result.assert_outcomes(passed=4, failed=2)
    result.stdout.fnmatch_lines(
        [f"*nobody looked at the result of voteOnSong ({path.name}:5) failed: *Assert on what `act` returns*"]
    )
    for name in ("nobody_looks", "the_app_does_not_look"):
        result.stdout.fnmatch_lines([f"FAILED *::test_{name}*"])
    markers.stdout.fnmatch_lines(["@pytest.mark.allow_failed_actions: *"])


def test_a_failed_expectation_shows_its_line_and_the_conversation_once(inner: pytest.Pytester) -> None:
    inner.makepyfile(EXPECTS_IN_VAIN)

    result = inner.runpytest_subprocess()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(['>*await hangfm_room_log.expect("pong", within=0.1)'])
    assert str(result.stdout).count("hangbot -> room: joinRoom") == 1


def test_a_leaked_task_is_told_by_its_coroutine_and_the_line_that_made_it(inner: pytest.Pytester) -> None:
    path = inner.makepyfile(LEAKS)

    result = inner.runpytest_subprocess()

    result.assert_outcomes(passed=2, errors=2)
    result.stdout.fnmatch_lines_random(
        [
            f"the test left 1 task(s) running: forgets, made at {path.name}:7; await or cancel*",
            f"the test left 1 task(s) running: poller: forgets, made at {path.name}:10; await or cancel*",
        ]
    )


def test_a_test_that_blocks_the_loop_is_told_its_line_and_one_that_computes_is_not(
    inner: pytest.Pytester,
) -> None:
    path = inner.makepyfile(BLOCKS)

    result = inner.runpytest_subprocess()

    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines_random(
        [
            f"the test has blocked the event loop for 2 s in line 7 of {path.name} (urlopen): *",
            f"the test has blocked the event loop for 2 s in line 10 of {path.name} (run): *",
        ]
    )


def test_a_program_under_virtual_time_is_refused_at_once(inner: pytest.Pytester) -> None:
    inner.makepyfile("""
        import pytest

        @pytest.mark.virtual_time
        async def test_both(hangfm_open_process): ...
    """)

    result = inner.runpytest_subprocess()

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["a program of its own does not share this test's clock: *"])

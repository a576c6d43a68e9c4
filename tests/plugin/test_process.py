import asyncio
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from hangbot.sandbox import Sandbox
from pytest_hangfm import OpenProcess
from pytest_hangfm.process import environment
from tests.bounds import WITHIN
from tests.cases import cases

NOTHING = (sys.executable, "-c", "")
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("on", flush=True)
time.sleep(60)
"""


async def test_the_environment_is_the_sandboxs_and_nothing_of_the_shells_bot(hangfm_sandbox: Sandbox) -> None:
    shell = {"PATH": "/bin", "COMETCHAT_AUTH": "a-real-one", "BOT_USER_TOKEN": "real", "HTTPS_PROXY": "http:"}

    env = environment(hangfm_sandbox, {"MY_OWN": "1"}, shell)

    assert env["PATH"] == "/bin"
    assert env["MY_OWN"] == "1"
    assert env["BOT_USER_TOKEN"] == hangfm_sandbox.bot.token
    assert env.keys().isdisjoint({"COMETCHAT_AUTH", "HTTPS_PROXY"})


async def test_a_program_heeds_ctrl_c_also_where_this_one_was_started_in_the_background(
    hangfm_open_process: OpenProcess,
) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        code = "import signal; print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)"

        process = await hangfm_open_process([sys.executable, "-c", code], join=False)

        await process.expect("False", within=WITHIN)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


async def test_output_and_exit_code_are_collected(hangfm_open_process: OpenProcess) -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    process = await hangfm_open_process([sys.executable, "-c", code], join=False)

    await process.expect("out", within=WITHIN)
    await process.expect("err", within=WITHIN)

    assert await process.wait(within=WITHIN) == 3
    assert process.returncode == 3


@cases(
    "code how failure",
    ("it ends before it joins", "print('hi')", "joined", "did not join the room within"),
    ("it fails", "print('hi'); raise SystemExit(4)", "opened", "ended with exit code 4"),
    ("it says something else", "print('hi')", "printed", "did not print 'ready'"),
)
async def test_what_a_program_does_not_do_fails_with_its_last_words(
    hangfm_open_process: OpenProcess, code: str, how: str, failure: str
) -> None:
    async def watched() -> None:
        argv = [sys.executable, "-c", code]
        process = await hangfm_open_process(argv, join=how == "opened", within=WITHIN)
        await (process.joined(within=WITHIN) if how == "joined" else process.expect("ready", within=WITHIN))

    with pytest.raises(pytest.fail.Exception, match=failure) as caught:
        await watched()

    assert "  | hi" in str(caught.value)


async def test_it_is_whose_token_it_has(hangfm_sandbox: Sandbox, hangfm_open_process: OpenProcess) -> None:
    alice = hangfm_sandbox.users.add("alice")

    hers = await hangfm_open_process([*NOTHING], env={"BOT_USER_TOKEN": alice.token}, join=False)
    its = await hangfm_open_process([*NOTHING], join=False)

    assert (hers.uid, its.uid) == (alice.uid, hangfm_sandbox.bot.uid)


async def test_an_absent_program_is_one_line(hangfm_open_process: OpenProcess, tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match="cannot be started: No such file") as caught:
        await hangfm_open_process([str(tmp_path / "no-such-bot")])

    assert "\n" not in str(caught.value)


async def test_who_does_not_listen_to_sigterm_is_killed(hangfm_open_process: OpenProcess) -> None:
    process = await hangfm_open_process([sys.executable, "-c", STUBBORN], join=False)
    await process.expect("on", within=WITHIN)

    with pytest.raises(pytest.fail.Exception, match="still runs"):
        await process.wait(within=0.01)
    code = await process.stop(within=0.05)

    assert code == -signal.SIGKILL


async def test_an_end_that_is_cut_off_leaves_nothing_running(hangfm_open_process: OpenProcess) -> None:
    process = await hangfm_open_process([sys.executable, "-c", STUBBORN], join=False)
    await process.expect("on", within=WITHIN)
    ending = asyncio.create_task(process.stop(within=WITHIN))
    await asyncio.sleep(0)

    ending.cancel()
    with suppress(asyncio.CancelledError):
        await ending

    assert await asyncio.wait_for(process.ended(), WITHIN) == -signal.SIGKILL


async def test_a_line_beyond_the_limit_ends_the_reading_alone(hangfm_open_process: OpenProcess) -> None:
    code = "print('x' * (3 * 2**20)); print('no more'); raise SystemExit(5)"
    process = await hangfm_open_process([sys.executable, "-c", code], join=False)

    await process.expect("its output is read no further", within=WITHIN)

    assert await process.wait(within=WITHIN) == 5
    assert process.lines == ["(a line of more than 1048576 bytes: its output is read no further)"]


async def test_who_waited_for_its_end_has_all_that_it_printed(hangfm_open_process: OpenProcess) -> None:
    its_exit_was_seen = "(while kill -0 $$ 2>/dev/null; do :; done; sleep 0.1; echo last words) & exit 5"
    process = await hangfm_open_process(["/bin/sh", "-c", its_exit_was_seen], join=False)

    code = await process.wait(within=WITHIN)

    assert (code, process.lines) == (5, ["last words"])


async def test_a_grandchild_that_holds_the_pipe_is_not_waited_for(hangfm_open_process: OpenProcess) -> None:
    code = "import subprocess; subprocess.Popen(['sleep', '3'], start_new_session=True); print('on')"
    process = await hangfm_open_process([sys.executable, "-c", code], join=False)
    await process.expect("on", within=WITHIN)
    await process.wait(within=WITHIN)

    assert await process.stop() == 0
    assert process.lines == ["on"]

import signal
import sys
from pathlib import Path

import pytest

from hangbot.sandbox import Sandbox
from pytest_hangfm import OpenProcess
from pytest_hangfm.process import environment

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("on", flush=True)
time.sleep(60)
"""


async def test_the_environment_is_the_sandboxs_and_nothing_of_the_shells_bot(hangfm_sandbox: Sandbox) -> None:
    shell = {
        "PATH": "/bin",
        "COMETCHAT_AUTH": "a-real-one",
        "BOT_USER_TOKEN": "real",
        "HTTPS_PROXY": "http://p",
    }

    env = environment(hangfm_sandbox, {"MY_OWN": "1"}, shell)

    assert env["PATH"] == "/bin"
    assert env["MY_OWN"] == "1"
    assert env["BOT_USER_TOKEN"] == hangfm_sandbox.bot.token
    assert env.keys().isdisjoint({"COMETCHAT_AUTH", "HTTPS_PROXY"})


async def test_output_and_exit_code_are_collected(hangfm_open_process: OpenProcess) -> None:
    process = await hangfm_open_process(
        [sys.executable, "-c", "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"]
    )

    await process.expect("out")
    await process.expect("err")

    assert await process.wait() == 3
    assert process.returncode == 3


async def test_a_process_that_dies_before_it_joins_is_told_with_its_last_words(
    hangfm_open_process: OpenProcess,
) -> None:
    process = await hangfm_open_process([sys.executable, "-c", "print('no such room')"])

    with pytest.raises(pytest.fail.Exception, match="did not join the room") as caught:
        await process.joined()

    assert "  | no such room" in str(caught.value)


async def test_a_process_that_says_something_else_is_told(hangfm_open_process: OpenProcess) -> None:
    process = await hangfm_open_process([sys.executable, "-c", "print('hi')"])

    with pytest.raises(pytest.fail.Exception, match="did not print 'ready'"):
        await process.expect("ready")


async def test_a_program_that_is_not_there_is_one_line(
    hangfm_open_process: OpenProcess, tmp_path: Path
) -> None:
    with pytest.raises(pytest.fail.Exception, match="cannot be started: No such file") as caught:
        await hangfm_open_process([str(tmp_path / "no-such-bot")])

    assert "\n" not in str(caught.value)


async def test_who_does_not_listen_to_sigterm_is_killed(hangfm_open_process: OpenProcess) -> None:
    process = await hangfm_open_process([sys.executable, "-c", STUBBORN])
    await process.expect("on")

    with pytest.raises(pytest.fail.Exception, match="still runs"):
        await process.wait(within=0.01)
    code = await process.stop(within=0.05)

    assert code == -signal.SIGKILL

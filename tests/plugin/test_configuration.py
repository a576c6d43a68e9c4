"""A configuration is read once for a whole run: through a pipe, a second reader would get nothing."""

import asyncio
import os
import threading
from pathlib import Path

import pytest

from hangbot.config import envfile
from hangbot.config.envfile import read_env_file
from hangbot.errors import ConfigError
from hangbot.sandbox import Sandbox
from pytest_hangfm import configuration
from pytest_hangfm.configuration import Configuration
from tests.bounds import WITHIN
from tests.plugin.conftest import WITHOUT_ALLURE


@pytest.mark.parametrize(
    "workers", [pytest.param((), id="one process"), pytest.param(("-n", "2"), id="xdist")]
)
async def test_a_configuration_through_a_pipe_serves_every_check_and_every_test(
    workers: tuple[str, ...], with_checks: pytest.Pytester, hangfm_sandbox: Sandbox
) -> None:
    env = hangfm_sandbox.env()
    with_checks.makepyfile(
        f"""
        import pytest

        @pytest.mark.live
        @pytest.mark.parametrize("time", [1, 2])
        def test_settings(hangfm_settings, time):
            assert hangfm_settings.room_uuid == {hangfm_sandbox.room_uuid!r}
            print(hangfm_settings.bot_user_token.get_secret_value())
        """
    )
    pipe = with_checks.path / "pipe.env"
    os.mkfifo(pipe)
    text = "".join(f"{name}={value}\n" for name, value in env.items())
    writer = threading.Thread(target=pipe.write_text, args=(text,), daemon=True)
    writer.start()

    argv = (*WITHOUT_ALLURE, *workers, "-rP", "--hangfm-env-file=pipe.env", "--hangfm-target=live")
    done = await asyncio.to_thread(with_checks.runpytest_subprocess, *argv, timeout=2 * WITHIN)

    done.stdout.fnmatch_lines(["[[]OK[]]   Configuration is complete: *", "READY: room*"])
    assert done.ret == pytest.ExitCode.OK
    assert env["BOT_USER_TOKEN"] not in done.stdout.str() + done.stderr.str()


def test_of_a_pipe_everybody_has_the_same() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"ROOM_UUID=r\n")
    os.close(writing)
    given = Configuration(Path(f"/dev/fd/{reading}"))

    before, parsed, after = given.text(), read_env_file(given.path, read=given.read), given.text()

    os.close(reading)
    assert before == after == "ROOM_UUID=r\n"
    assert parsed.values["ROOM_UUID"].value == "r"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("none", "no configuration file at", id="none"),
        pytest.param("", "is a directory", id="a folder"),
        pytest.param("large", "is larger than 65536 bytes", id="too large"),
        pytest.param("nul\0", "cannot be read: not a path", id="no path"),
    ],
)
def test_one_that_cannot_be_read_has_no_text_and_the_words_of_every_command(
    name: str, words: str, tmp_path: Path
) -> None:
    (tmp_path / "large").write_bytes(b"#" * 65_537)
    given = Configuration(tmp_path / name)

    text = given.text()
    with pytest.raises(ConfigError, match=words):
        read_env_file(given.path, read=given.read)

    assert text == ""


def test_the_largest_is_the_same_for_the_plugin_and_the_settings() -> None:
    assert configuration._LARGEST == envfile.LARGEST

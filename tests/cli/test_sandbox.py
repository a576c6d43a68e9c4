from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from hangbot.cli.sandbox_env import MARK
from tests.bounds import WITHIN
from tests.cli.stories import control, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Call, Command, Start

READY = [
    "event", "room_url", "chat_url", "gateway_url", "control_url", "room_uuid", "room_slug", "bot_uid",
    "bot_token", "chat_token", "app_id",
]  # fmt: skip


def first_line(command: Command, *, within: float = WITHIN) -> dict[str, Any]:
    line = until(command, lambda: "\n" in command.out and command.out.splitlines()[0], within=within)
    row: dict[str, Any] = json.loads(line)
    return row


@pytest.mark.slow
def test_a_sandbox_in_a_terminal_and_a_bot_in_another_talk_and_end_well(start: Start, folder: Path) -> None:
    written = folder / "bot.env"
    written.write_text(f"{MARK}\nof an earlier day, open to everybody")
    written.chmod(0o644)
    sandbox = start("sandbox", "--env-out", "bot.env", "--record", "journal.jsonl")
    ready = first_line(sandbox)
    assert list(ready) == READY
    assert ready["event"] == "ready"
    assert all(re.fullmatch(r"http://127\.0\.0\.1:\d+", ready[name]) for name in READY[1:5])
    assert ready["chat_url"] == ready["gateway_url"]

    # Configured from the ready line alone.
    bot = start(
        "run",
        env={
            "BOT_USER_TOKEN": ready["bot_token"],
            "ROOM_UUID": ready["room_uuid"],
            "OPENCHAT_BASE_URL": ready["chat_url"],
            "TTFM_GATEWAY_BASE_URL": ready["gateway_url"],
            "SOCKET_SERVER_URL": ready["room_url"],
        },
    )
    until(bot, lambda: "reading the chat" in bot.err and "[SOCKET] joined" in bot.err)
    alice = control(ready, "POST", "/users", {"nickname": "alice"})["uid"]
    control(ready, "POST", f"/users/{alice}/join", {})
    control(ready, "POST", f"/users/{alice}/say", {"text": "/uptime"})
    until(bot, lambda: "has been up" in str(control(ready, "GET", "/messages")))
    bot.send(signal.SIGTERM)
    assert bot.wait() == 0, bot.err
    sandbox.send(signal.SIGINT)
    assert sandbox.wait() == 0, sandbox.err

    assert bot.out.startswith("delivered 1 (first try 100.0%)")
    assert sandbox.out.count("\n") == 1
    assert "Traceback" not in sandbox.err + bot.err
    assert written.stat().st_mode & 0o777 == 0o600
    assert f"BOT_USER_TOKEN={ready['bot_token']}" in written.read_text()
    recorded = (folder / "journal.jsonl").read_text()
    assert len(recorded.splitlines()) > 20
    for line in recorded.splitlines():
        json.loads(line)
    for secret in (ready["bot_token"], ready["chat_token"]):
        assert secret not in recorded + bot.err + bot.out + sandbox.err


@pytest.mark.parametrize("name", ["room", "http", "control"])
def test_a_port_that_is_taken_is_one_line(name: str, call: Call) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        said = call("sandbox", f"--{name}-port", str(port))

    assert (said.code, said.out) == (1, "")
    assert said.err == (
        f"hangbot: cannot listen on 127.0.0.1:{port}: Address already in use. "
        "Choose another port, or 0 and let the system choose.\n"
    )


def test_nobody_to_read_the_first_line_is_no_matter_of_ports(folder: Path) -> None:
    shell = f"exec 3> >(true); sleep 0.1; exec {sys.executable} -m hangbot sandbox >&3"
    ended = subprocess.run(  # noqa: S603  our own command
        ["bash", "-c", shell],  # noqa: S607  found on the path like everywhere
        cwd=folder, capture_output=True, text=True, timeout=WITHIN, check=False,
    )  # fmt: skip

    assert (ended.returncode, ended.stderr) == (1, "")

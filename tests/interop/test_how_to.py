"""What `docs/bots-in-any-language.md` shows is what works: its bots and commands are run as they stand."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest

from pytest_hangfm.proof.profile import Profile
from pytest_hangfm.proof.rules import all_rules
from pytest_hangfm.proof.run import prove
from pytest_hangfm.proof.scenario import load
from tests.bounds import WITHIN

if TYPE_CHECKING:
    from tests.interop.conftest import OpenSandboxProcess, Row, Start

# The first test of a run waits for npm as well.
pytestmark = [pytest.mark.interop, pytest.mark.timeout(240)]

PAGE: Final = Path(__file__).parents[2] / "docs" / "bots-in-any-language.md"


def blocks(language: str, page: str | None = None) -> list[str]:
    text = page or PAGE.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.fixture(params=["js", "python"])
def command(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """How the page's bot is started, in each language."""
    (code,) = blocks(request.param)
    if request.param == "js":  # Node looks for packages above the file that imports them
        file, program = request.getfixturevalue("packages") / "bot.mjs", shutil.which("node") or "node"
    else:
        file, program = tmp_path / "bot.py", sys.executable
    file.write_text(code, encoding="utf-8")
    return program, str(file)


async def test_the_bot_answers_likes_a_song_and_comes_back_after_a_restart(
    open_sandbox_process: "OpenSandboxProcess", start: "Start", command: tuple[str, str], tmp_path: Path
) -> None:
    ready = await open_sandbox_process("--env-out", str(tmp_path / "sandbox.env"))
    bot = await start(*command, env=settings(tmp_path / "sandbox.env"))

    async with httpx.AsyncClient(base_url=ready["control_url"], trust_env=False) as control:
        await says(bot, "in the room, 1 there", "listening")
        alice, bea = [(await ask(control, "/users", nickname=name))["uid"] for name in ("alice", "bea")]
        for uid in (alice, bea):
            await ask(control, f"/users/{uid}/join")
        await ask(control, f"/users/{alice}/say", text="/hello")
        await until(control, "/messages", lambda seen: "hello yourself" in texts(seen))
        await ask(control, f"/users/{alice}/dj")
        await until(control, "/state", lambda seen: seen["state"]["voteCounts"]["likes"] == 1)
        await ask(control, "/restart", down_ms=1200)
        await says(bot, "in the room, 3 there")
        await ask(control, f"/users/{bea}/dj")
        await ask(control, "/room/next-song")
        await until(control, "/state", lambda seen: seen["state"]["voteCounts"]["likes"] == 1)
        messages = (await control.get("/messages")).json()

    assert texts(messages) == ["/hello", "hello yourself"]


@pytest.mark.slow
@pytest.mark.timeout(1200)
async def test_the_bot_in_node_is_silver_and_the_page_names_what_it_lacks_for_gold(
    packages: Path, tmp_path: Path
) -> None:
    page = (
        PAGE.read_text(encoding="utf-8").partition("## A bot in Node")[2].partition("## A bot in Python")[0]
    )
    lacking = {rule for item in LACKS.findall(page) for rule in RULE.findall(item)}
    (code,) = blocks("js", page)
    (tmp_path / "bot.mjs").write_text(code, encoding="utf-8")
    (tmp_path / "node_modules").symlink_to(packages / "node_modules")
    names = [each.id for each in load().values() if each.pace != "long"]

    found = await prove(["node", "bot.mjs"], tmp_path, names, profile=IN_NODE)

    wrong = {name: verdict for name, verdict in found.items() if verdict[0] not in WELL}
    gold = {each.id for each in all_rules() if each.tier == "gold"}
    assert {name: verdict for name, verdict in wrong.items() if name not in gold} == {}
    assert set(wrong) == lacking


IN_NODE: Final = Profile(says="/hello", answers="hello yourself", votes=True, start=3)
WELL: Final = {"pass", "not_applicable"}
LACKS: Final = re.compile(r"^- \*\*.*?\*\*:(.*?)\. ", re.MULTILINE | re.DOTALL)
RULE: Final = re.compile(r"`([a-z-]+\.[a-z0-9-]+)`")


async def test_a_bot_that_only_knows_the_services_own_addresses_runs_here_too(
    open_sandbox_process: "OpenSandboxProcess", start: "Start", command: tuple[str, str], tmp_path: Path
) -> None:
    ready = await open_sandbox_process(
        "--tls", "--http-port", "0", "--env-out", str(tmp_path / "sandbox.env")
    )
    # /etc/hosts and port 443 are not ours here; all else is as the page has it.
    (tmp_path / "sitecustomize.py").write_text(HOSTS_FILE, encoding="utf-8")
    trusted = str(tmp_path / "sandbox.ca.pem")
    bot = await start(
        *command,
        env={
            "BOT_USER_TOKEN": ready["bot_token"],
            "ROOM_UUID": ready["room_uuid"],
            "PORT_OF_HTTPS": ready["chat_url"].rpartition(":")[2],
            "NODE_OPTIONS": f"--require {Path(__file__).parent / 'hosts.cjs'}",
            "PYTHONPATH": str(tmp_path),
            "NODE_EXTRA_CA_CERTS": trusted,
            "SSL_CERT_FILE": trusted,
            "NO_PROXY": "*",
        },
    )

    async with httpx.AsyncClient(base_url=ready["control_url"], trust_env=False) as control:
        await says(bot, "in the room, 1 there", "listening")
        alice = (await ask(control, "/users", nickname="alice"))["uid"]
        await ask(control, f"/users/{alice}/join")
        await ask(control, f"/users/{alice}/say", text="/hello")

        await until(control, "/messages", lambda seen: "hello yourself" in texts(seen))


HOSTS_FILE: Final = """
import os, socket

connect = socket.socket.connect
lookup = socket.getaddrinfo
here = ("127.0.0.1", int(os.environ["PORT_OF_HTTPS"]))
socket.socket.connect = lambda self, to: connect(self, here if to[1] == 443 else to)
socket.getaddrinfo = lambda host, *more, **named: lookup(
    "127.0.0.1" if str(host).rstrip("'").endswith(".tt.fm") else host, *more, **named
)
"""


def settings(file: Path) -> dict[str, str]:
    lines = file.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


async def says(bot: asyncio.subprocess.Process, *wanted: str) -> None:
    """Read the bot's output until those lines came, in their order."""
    assert bot.stdout is not None
    printed: list[str] = []
    async with asyncio.timeout(WITHIN):
        for line in wanted:
            while not printed or printed[-1] != line:
                read = await bot.stdout.readline()
                assert read, f"the bot ended before it said {line!r}: {printed}"
                printed.append(read.decode().strip())


async def ask(control: httpx.AsyncClient, path: str, **body: object) -> Any:  # noqa: ANN401  any JSON value
    answer = await control.post(path, json=body)
    assert answer.is_success, answer.text
    return answer.json()


async def until(control: httpx.AsyncClient, path: str, fits: Callable[["Row"], bool]) -> None:
    """Ask until the answer fits; the bot that it depends on looks once a second."""
    seen: Row = {}
    try:
        async with asyncio.timeout(WITHIN):
            while not fits(seen := (await control.get(path)).json()):  # noqa: ASYNC110  it is another process
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"{path} did not come to fit within {WITHIN:g} s: {seen}") from None


def texts(messages: "Row") -> list[str]:
    return [row["data"]["text"] for row in messages["messages"] if row["category"] == "message"]


async def test_every_command_of_the_steering_chapter_works_in_its_order(
    open_sandbox_process: "OpenSandboxProcess",
) -> None:
    bash, curl = shutil.which("bash"), shutil.which("curl")
    if bash is None or curl is None:
        pytest.skip("no proof of the how-to's commands: `bash` and `curl` are not both on the PATH")
    ready = await open_sandbox_process()
    chapter = PAGE.read_text(encoding="utf-8").partition("## Steer it")[2]
    first, *rest = blocks("sh", chapter)
    script = "set -eu\n" + first.replace("http://127.0.0.1:40003", ready["control_url"]) + "\n".join(rest)

    done = await asyncio.to_thread(
        subprocess.run,
        [bash, "-c", script.replace("curl -sS", "curl -sS --noproxy '*' --fail-with-body --write-out '\\n'")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert '"hits": 0' in done.stdout
    assert '"likes": 1' in done.stdout
    assert '"events": [' in done.stdout
    assert "error" not in done.stderr


async def test_the_first_line_and_the_configuration_are_as_shown(
    open_sandbox_process: "OpenSandboxProcess", tmp_path: Path
) -> None:
    page = PAGE.read_text(encoding="utf-8")
    (shown,) = blocks("json", page)

    ready = await open_sandbox_process("--env-out", str(tmp_path / "sandbox.env"))
    names = settings(tmp_path / "sandbox.env").keys()

    assert re.findall(r'"(\w+)": ', shown) == list(ready)
    assert [name for name in names if f"`{name}`" not in page] == []

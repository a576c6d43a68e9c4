"""The official clients as programs: npm installs them, Node runs them, lines steer them."""

import asyncio
import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from hangbot.sandbox import Person, Sandbox, open_sandbox
from tests.bounds import WITHIN

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
OLDEST_NODE: Final = 20
INSTALL_S: Final = 150.0
LONGEST_LINE: Final = 16 * 1024 * 1024

Row = dict[str, Any]


class Program:
    """A Node program that is steered line by line, and what it printed so far.

    Only the test reads, and only when it waits for something: there is no reader task.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._numbers = itertools.count(1)
        self._used: set[int] = set()
        self.rows: list[Row] = []

    async def do(self, name: str, **given: object) -> Any:  # noqa: ANN401  any JSON value
        """Run a command to its end and give what it returned."""
        return await self.reply(self.start(name, **given))

    async def refusal(self, name: str, **given: object) -> Any:  # noqa: ANN401  a text or an object
        """Run a command that has to fail and give what the client threw."""
        row = await self._reply(self.start(name, **given))
        assert "error" in row, f"{name} was not refused: {row}"
        return row["error"]

    def start(self, name: str, **given: object) -> int:
        """Give a command without waiting for its reply."""
        number = next(self._numbers)
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"n": number, "do": name, **given}).encode() + b"\n")
        return number

    async def reply(self, number: int) -> Any:  # noqa: ANN401  any JSON value
        """The reply to a command that was started."""
        row = await self._reply(number)
        assert "error" not in row, f"command {number} failed: {row['error']}"
        return row["value"]

    async def hears(self, event: str, **wanted: object) -> Row:
        """The next event of that name with those fields; each is given out once."""
        wanted = {"event": event, **wanted}
        return await self._next(lambda row: wanted.items() <= row.items(), str(wanted))

    def heard(self, event: str) -> list[Row]:
        """The events of that name that were read so far."""
        return [row for row in self.rows if row.get("event") == event]

    async def act(self, action: str, **params: object) -> Any:  # noqa: ANN401  any JSON value
        """Run an action of the room socket to its end."""
        return await self.do("action", action=action, params=params)

    async def _reply(self, number: int) -> Row:
        return await self._next(lambda row: row.get("reply") == number, f"reply to command {number}")

    async def _next(self, fits: Callable[[Row], bool], what: str) -> Row:
        position = 0
        try:
            async with asyncio.timeout(WITHIN):
                while True:
                    if position == len(self.rows):
                        self.rows.append(await self._read())
                    if position not in self._used and fits(self.rows[position]):
                        self._used.add(position)
                        return self.rows[position]
                    position += 1
        except TimeoutError:
            raise AssertionError(f"no {what} within {WITHIN:g} s; the last lines: {self.rows[-8:]}") from None

    async def _read(self) -> Row:
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        line = await self._process.stdout.readline()
        if not line:
            errors = (await self._process.stderr.read()).decode(errors="replace")
            raise AssertionError(f"the program ended: {errors[-2000:]}; its last lines: {self.rows[-4:]}")
        row: Row = json.loads(line)
        return row


Start = Callable[..., Awaitable[asyncio.subprocess.Process]]
OpenProgram = Callable[..., Awaitable[Program]]
Join = Callable[[], Awaitable[Row]]
OpenChat = Callable[..., Awaitable[Program]]
OpenSandboxProcess = Callable[..., Awaitable[Row]]


@pytest.fixture(scope="session")
def node() -> str:
    """Node of a version that the clients run on, or a skip that says what is missing."""
    found = shutil.which("node")
    if found is None:
        pytest.skip(
            f"no interoperability proof: `node` is not on the PATH; install Node {OLDEST_NODE} or newer"
        )
    command = [found, "--version"]
    version = subprocess.run(  # noqa: S603  the developer's own Node
        command, capture_output=True, text=True, check=True, timeout=WITHIN
    ).stdout
    if int(version.strip().lstrip("v").split(".")[0]) < OLDEST_NODE:
        pytest.skip(
            f"no interoperability proof: Node {OLDEST_NODE} or newer is needed, this is {version.strip()}"
        )
    return found


@pytest.fixture(scope="session")
def packages(node: str) -> Path:
    """The folder with the official clients, as npm installs them; installed once and kept."""
    folder = ROOT / "out" / "interop"
    wanted = (HERE / "package.json").read_text(encoding="utf-8")
    there = folder / "package.json"
    if (folder / "node_modules" / ".package-lock.json").exists() and there.read_text(
        encoding="utf-8"
    ) == wanted:
        return folder
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip(f"no interoperability proof: `npm` is not on the PATH beside {node}")
    folder.mkdir(parents=True, exist_ok=True)
    there.write_text(wanted, encoding="utf-8")
    command = [
        npm,
        "install",
        "--no-audit",
        "--no-fund",
        "--no-package-lock",
        "--ignore-scripts",
        "--fetch-retries=1",
    ]
    try:
        subprocess.run(  # noqa: S603  the developer's own npm
            command, cwd=folder, capture_output=True, text=True, check=True, timeout=INSTALL_S
        )
    except subprocess.CalledProcessError as exc:
        said = [line for line in exc.stderr.splitlines() if line.startswith("npm error")]
        pytest.skip("no interoperability proof: `npm install` failed: " + "; ".join(said[:3]))
    except subprocess.TimeoutExpired:
        pytest.skip(f"no interoperability proof: `npm install` did not end within {INSTALL_S:g} s")
    return folder


@pytest_asyncio.fixture
async def start() -> AsyncIterator[Start]:
    """Start processes on demand; all are ended after the test, the newest first."""
    async with AsyncExitStack() as stack:

        async def start_one(
            *command: str, cwd: Path = ROOT, env: dict[str, str] | None = None
        ) -> asyncio.subprocess.Process:
            pipe = asyncio.subprocess.PIPE
            process = await asyncio.create_subprocess_exec(
                *command,
                cwd=cwd,
                env={**os.environ, **(env or {})},
                stdin=pipe,
                stdout=pipe,
                stderr=pipe,
                limit=LONGEST_LINE,
            )
            stack.push_async_callback(_end, process)
            return process

        yield start_one


@pytest.fixture
def open_program(node: str, packages: Path, start: Start) -> OpenProgram:
    """Start Node programs of ours on demand."""

    async def open_one(name: str, *arguments: str, env: dict[str, str] | None = None) -> Program:
        program = Program(await start(node, str(HERE / name), *arguments, cwd=packages, env=env))
        await program.hears("started")
        return program

    return open_one


@pytest.fixture
def open_sandbox_process(start: Start) -> OpenSandboxProcess:
    """Start `hangbot sandbox` processes on demand and give their `ready` lines."""

    async def open_one(*arguments: str) -> Row:
        process = await start(sys.executable, "-m", "hangbot", "sandbox", *arguments)
        assert process.stdout is not None
        async with asyncio.timeout(WITHIN):
            ready: Row = json.loads(await process.stdout.readline())
        return ready

    return open_one


@pytest_asyncio.fixture
async def quiet_sandbox() -> AsyncIterator[Sandbox]:
    """Open a Hang.fm of the test's own for the room socket, where the chat's dialect does not matter."""
    async with open_sandbox() as opened:
        yield opened


@pytest_asyncio.fixture
async def room(open_program: OpenProgram, quiet_sandbox: Sandbox) -> Program:
    """Start ttfm-socket; it is nowhere yet."""
    return await open_program("room.mjs", quiet_sandbox.room_url)


@pytest.fixture
def join(room: Program, quiet_sandbox: Sandbox) -> Join:
    """Enter the sandbox's room with ttfm-socket, as the bot."""

    async def join_room() -> Row:
        answer: Row = await room.do("join", token=quiet_sandbox.bot.token, roomUuid=quiet_sandbox.room_uuid)
        await room.hears("statefulMessage", name="updatedUserData")
        return answer

    return join_room


@pytest_asyncio.fixture(params=["openchat", "cometchat"])
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    """Open a Hang.fm of the test's own, in either dialect."""
    async with open_sandbox(dialect=request.param) as opened:
        yield opened


@pytest.fixture
def open_chat(open_program: OpenProgram, sandbox: Sandbox) -> OpenChat:
    """Start CometChat SDKs on demand, logged in and in the room's group."""

    async def open_one(person: Person, *, join: bool = True) -> Program:
        chat = await open_program("chat.mjs", sandbox.chat_url)
        # Hang.fm's clients name its host; CometChat's make theirs up from app id and region.
        host = f"{sandbox.chat_url.partition('//')[2]}/v3.0" if sandbox.dialect == "openchat" else None
        await chat.do("init", appId=sandbox.app_id, host=host)
        await chat.do("login", token=person.chat_token)
        await chat.hears("Connected")
        # The SDK calls itself connected before the server has let it in.
        await chat.hears("frame", type="auth", code="200")
        if join:
            await chat.do("join", guid=sandbox.room_uuid)
        return chat

    return open_one


@pytest_asyncio.fixture
async def chat(open_chat: OpenChat, sandbox: Sandbox) -> Program:
    """Start the SDK as the bot that most tests want."""
    return await open_chat(sandbox.bot)


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a process of ours, politely first, and read its pipes to their ends, so that they close."""
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(5):
            await process.communicate()
    except TimeoutError:
        process.kill()
        await process.communicate()

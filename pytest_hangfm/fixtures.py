"""The fixtures: each only adds ownership to what `hangbot.factory` or the sandbox opens.

Nothing heavy is imported up here: every pytest run of the environment loads this module.
The async ones say on which loop they run, so that any ``asyncio_mode`` will do.
"""

from __future__ import annotations

import itertools
import os
import random
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pytest

from pytest_hangfm.names import target_of_item
from pytest_hangfm.options import OPTIONS
from pytest_hangfm.state import ACKS, SANDBOX

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    from hangbot.chat import ChatClient
    from hangbot.clock import Clock
    from hangbot.config import Settings
    from hangbot.delivery.courier import Courier
    from hangbot.delivery.outbox import Outbox
    from hangbot.delivery.policy import Dice
    from hangbot.gateway import GatewayClient
    from hangbot.orchestrator import App, Bot
    from hangbot.preflight import Finding, Subject
    from hangbot.room import RoomClient
    from hangbot.sandbox import Actor, Sandbox
    from hangbot.wire.room import Broadcast
    from pytest_hangfm.clock import ManualClock
    from pytest_hangfm.options import Target
    from pytest_hangfm.process import BotProcess
    from pytest_hangfm.protocols import Check, OpenBot, OpenChat, OpenCourier, OpenProcess, OpenRoom, OpenUser
    from pytest_hangfm.recorder import AckRecorder
    from pytest_hangfm.rooms import RoomEvents, RoomLog

F = TypeVar("F", bound="Callable[..., Any]")

_SHORT = {
    "ack_timeout": 5.0,
    "connect_timeout": 5.0,
    "welcome_timeout": 5.0,
    "retry_base": 0.02,
    "retry_jitter": 0.005,
    "retry_max": 0.2,
    "poll_interval": 0.05,
    "drain": 2.0,
    "rate": 0.0,
}
"""Settings for a server on the same machine: short waits, and time-outs that a busy machine keeps."""
_LEAK_GRACE = 0.1


def _async(function: F) -> F:
    """Make a fixture of an async function; without pytest-asyncio the hooks say what is missing."""
    try:
        import pytest_asyncio  # noqa: PLC0415  guarded: the plugin loads without it
    except ImportError:
        return cast("F", pytest.fixture(function))
    return cast("F", pytest_asyncio.fixture(loop_scope="function")(function))


@pytest.fixture
def hangfm_target(request: pytest.FixtureRequest) -> Target:
    """What this test runs against: ``sandbox`` or ``live``.

    Example::

        def test_live_names(hangfm_target, hangfm_settings):
            if hangfm_target == "live":
                assert "example" not in hangfm_settings.chat_url
    """
    return target_of_item(request.node)


@pytest.fixture
def hangfm_settings(request: pytest.FixtureRequest, hangfm_target: Target, tmp_path: Path) -> Settings:
    """The settings of the target in force; on the sandbox with short time-outs and an outbox of its own.

    Override it to change them for a folder of tests::

        @pytest.fixture
        def hangfm_settings(hangfm_settings):
            return hangfm_settings.with_changes(boot_message="hello")
    """
    if hangfm_target == "sandbox":
        sandbox: Sandbox = request.getfixturevalue("hangfm_sandbox")
        return _settings_of(sandbox, tmp_path)
    from hangbot.config import load  # noqa: PLC0415  see the module
    from hangbot.errors import ConfigError  # noqa: PLC0415  see the module

    options = request.config.stash[OPTIONS]
    try:
        settings = load(options.env_file, os.environ, required=options.env_file_named)
    except ConfigError as exc:
        raise pytest.fail.Exception(f"{exc}\n       -> {exc.remedy}", pytrace=False) from exc
    if request.node.get_closest_marker("preflight"):
        return settings
    return settings.with_changes(outbox=tmp_path / "outbox.sqlite3")  # the bot's own is not for tests


def _settings_of(sandbox: Sandbox, folder: Path) -> Settings:
    from hangbot.config import Settings  # noqa: PLC0415  see the module

    return Settings.from_env(sandbox.env()).with_changes(outbox=folder / "outbox.sqlite3", **_SHORT)


@pytest.fixture
def hangfm_sandbox_options() -> dict[str, Any]:
    """How the sandbox is opened; override it for another dialect or history.

    Example::

        @pytest.fixture
        def hangfm_sandbox_options():
            return {"dialect": "cometchat"}
    """
    return {}


@pytest.fixture
def hangfm_allow_unused_faults() -> bool:
    """Whether a fault that never hit passes; override it with ``True`` where chance decides.

    Example::

        @pytest.fixture
        def hangfm_allow_unused_faults():
            return True
    """
    return False


@pytest.fixture
def hangfm_allow_unknown_requests() -> bool:
    """Whether a request that no route knows passes; override it with ``True`` where that is meant.

    Example::

        @pytest.fixture
        def hangfm_allow_unknown_requests():
            return True
    """
    return False


@_async
async def hangfm_sandbox(
    request: pytest.FixtureRequest,
    hangfm_target: Target,
    hangfm_sandbox_options: dict[str, Any],
    hangfm_allow_unused_faults: bool,  # noqa: FBT001  a fixture's value
    hangfm_allow_unknown_requests: bool,  # noqa: FBT001  a fixture's value
) -> AsyncIterator[Sandbox]:
    """Hang.fm on 127.0.0.1, fresh for each test.

    It complains by itself: a fault that never hit and a request that no route knows fail
    the test at its end.

    Example::

        async def test_a_lost_answer(hangfm_sandbox, hangfm_bot, hangfm_acks):
            hangfm_sandbox.faults.add("chat.send", "cut_after_store")
            await hangfm_bot.say("hello", key="m-1")
            await hangfm_acks.settled("m-1")
            hangfm_acks.assert_delivered("m-1", tier=2)
    """
    if hangfm_target == "live":
        pytest.skip("needs the sandbox: it makes faults and people that a live service does not offer")
    from hangbot.sandbox import open_sandbox  # noqa: PLC0415  see the module

    async with open_sandbox(**{"control": False, **hangfm_sandbox_options}) as sandbox:
        request.node.stash[SANDBOX] = sandbox
        yield sandbox
        faults = () if hangfm_allow_unused_faults else sandbox.faults.leftovers()
        requests = () if hangfm_allow_unknown_requests else tuple(sandbox.journal.unrouted)
    complaints = [
        f"fault {fault.id} ({fault.do} on {fault.on}) was expected to hit and never did: "
        "make the request that it waits for, or do not add it"
        for fault in faults
    ] + [f"no route of the sandbox knows {sent}: correct the client" for sent in requests]
    if complaints:
        pytest.fail("\n".join(complaints), pytrace=False)


# -- clients


@_async
async def hangfm_gateway(hangfm_settings: Settings) -> AsyncIterator[GatewayClient]:
    """A gateway client.

    Example::

        async def test_the_token_is_exchanged(hangfm_gateway):
            assert await hangfm_gateway.exchange_token()
    """
    from hangbot import factory  # noqa: PLC0415  see the module

    async with factory.open_gateway(hangfm_settings) as gateway:
        yield gateway


@_async
async def hangfm_open_chat(
    request: pytest.FixtureRequest, hangfm_settings: Settings
) -> AsyncIterator[OpenChat]:
    """Open chat clients on demand; all are closed after the test.

    Example::

        async def test_an_impatient_client(hangfm_open_chat):
            chat = await hangfm_open_chat(ack_timeout=0.1)
    """
    from hangbot import factory  # noqa: PLC0415  see the module
    from pytest_hangfm.live import only_reads_chat  # noqa: PLC0415  see the module

    async with AsyncExitStack() as stack:

        async def open_chat(**changes: object) -> ChatClient:
            settings = hangfm_settings.with_changes(**changes)
            chat = await stack.enter_async_context(factory.open_chat(settings))
            return chat if _may_write(request) else only_reads_chat(chat)

        yield open_chat


@_async
async def hangfm_chat(hangfm_open_chat: OpenChat) -> ChatClient:
    """The one chat client most tests need; it is in the room's group.

    Example::

        async def test_the_history_is_readable(hangfm_chat):
            assert isinstance(await hangfm_chat.history(most=10), list)
    """
    chat = await hangfm_open_chat()
    await chat.me()
    await chat.join()
    return chat


@_async
async def hangfm_open_room(
    request: pytest.FixtureRequest, hangfm_settings: Settings
) -> AsyncIterator[OpenRoom]:
    """Open room connections on demand; all are closed after the test.

    Example::

        async def test_two_connections_of_one_bot(hangfm_open_room):
            first, second = await hangfm_open_room(), await hangfm_open_room()
    """
    from hangbot import factory  # noqa: PLC0415  see the module
    from pytest_hangfm.live import only_reads_room  # noqa: PLC0415  see the module

    async with AsyncExitStack() as stack:

        async def open_room(
            *, join: bool = True, on_message: Callable[[Broadcast], None] | None = None, **changes: object
        ) -> RoomClient:
            settings = hangfm_settings.with_changes(**changes)
            listener = on_message or (lambda _: None)
            room = await stack.enter_async_context(factory.open_room(settings, on_message=listener))
            await room.welcome(settings.welcome_timeout)
            room = room if _may_write(request) else only_reads_room(room)
            if join:
                await room.join()
            return room

        yield open_room


@_async
async def hangfm_room(hangfm_open_room: OpenRoom, hangfm_room_events: RoomEvents) -> RoomClient:
    """The one room connection most tests need: joined, and heard by ``hangfm_room_events``.

    Example::

        async def test_the_bot_is_in_the_room(hangfm_room, hangfm_settings):
            assert hangfm_settings.chat_uid in list(hangfm_room.state.users())
    """
    return await hangfm_open_room(on_message=hangfm_room_events)


@pytest.fixture
def hangfm_room_events() -> RoomEvents:
    """The room messages that ``hangfm_room`` got, to be expected by name.

    Example::

        async def test_a_jump_is_seen(hangfm_room, hangfm_room_events):
            await hangfm_room.act("playOneTimeAnimation", animation="jump")
            await hangfm_room_events.expect("playedOneTimeAnimation")
    """
    from pytest_hangfm.rooms import RoomEvents  # noqa: PLC0415  see the module

    return RoomEvents()


@pytest.fixture
def hangfm_room_log(hangfm_sandbox: Sandbox) -> RoomLog:
    """What is said in the sandbox's chat, by any bot in any language.

    Example::

        async def test_the_bot_answers(hangfm_bot, hangfm_user, hangfm_room_log, hangfm_sandbox):
            await hangfm_user.say("/uptime")
            await hangfm_room_log.expect("has been up", from_=hangfm_sandbox.bot)
    """
    from pytest_hangfm.rooms import RoomLog  # noqa: PLC0415  see the module

    return RoomLog(hangfm_sandbox)


# -- delivery


@pytest.fixture
def hangfm_acks(request: pytest.FixtureRequest) -> AckRecorder:
    """The ACK recorder: what became of each message, told by ``hangfm_courier`` and ``hangfm_bot``.

    Example::

        async def test_delivered_at_once(hangfm_bot, hangfm_acks):
            await hangfm_bot.say("hello", key="m-1")
            await hangfm_acks.settled("m-1")
            hangfm_acks.assert_delivered("m-1", tier=1, attempts=1)
    """
    from pytest_hangfm.recorder import AckRecorder  # noqa: PLC0415  see the module

    acks = AckRecorder()
    request.node.stash[ACKS] = acks
    return acks


@pytest.fixture
def hangfm_clock() -> ManualClock:
    """A clock that stands still until the test moves it, for code that takes a `hangbot.clock.Clock`.

    Example::

        async def test_half_a_minute_takes_no_time(hangfm_clock):
            hangfm_clock.auto = True
            await hangfm_clock.sleep(30)
            assert hangfm_clock.slept == [30]
    """
    from pytest_hangfm.clock import ManualClock  # noqa: PLC0415  see the module

    return ManualClock()


@_async
async def hangfm_outbox(hangfm_settings: Settings) -> AsyncIterator[Outbox]:
    """An outbox of this test's own, on disk; ``hangfm_courier`` and ``hangfm_bot`` deliver from it.

    Example::

        async def test_nothing_waits(hangfm_outbox):
            assert await hangfm_outbox.waiting() == []
    """
    from hangbot import factory  # noqa: PLC0415  see the module

    async with factory.open_outbox(hangfm_settings) as outbox:
        yield outbox


@_async
async def hangfm_open_courier(
    request: pytest.FixtureRequest, hangfm_settings: Settings, hangfm_acks: AckRecorder
) -> AsyncIterator[OpenCourier]:
    """Open couriers on demand, with another clock, other dice or other settings.

    Example::

        async def test_a_back_off_takes_no_time(hangfm_open_courier, hangfm_clock, hangfm_sandbox):
            hangfm_clock.auto = True
            hangfm_sandbox.faults.add("chat.send", "refuse", times=2)
            courier = await hangfm_open_courier(clock=hangfm_clock, retry_base=30.0, retry_max=60.0)
            await courier.deliver(Outgoing("m-1", hangfm_sandbox.room_uuid, "hello"))
    """
    _needs_writes(request)
    from pytest_hangfm.bots import open_courier as opened  # noqa: PLC0415  see the module

    async with AsyncExitStack() as stack:
        numbers = itertools.count(1)

        async def open_courier(
            *, clock: Clock | None = None, dice: Dice | None = None, **changes: object
        ) -> Courier:
            settings = _with_own_outbox(hangfm_settings, next(numbers), changes)
            courier = opened(settings, clock=clock, dice=dice or random.random, notify=hangfm_acks)
            return await stack.enter_async_context(courier)

        yield open_courier


@_async
async def hangfm_courier(hangfm_open_courier: OpenCourier) -> Courier:
    """A courier that delivers from the file of ``hangfm_outbox``, heard by ``hangfm_acks``.

    Example::

        async def test_a_message_arrives(hangfm_courier, hangfm_acks, hangfm_settings):
            await hangfm_courier.deliver(Outgoing("m-1", hangfm_settings.chat_receiver, "hello"))
            hangfm_acks.assert_delivered("m-1", tier=1)
    """
    return await hangfm_open_courier()


# -- bots and people


@_async
async def hangfm_open_bot(
    request: pytest.FixtureRequest, hangfm_settings: Settings, hangfm_acks: AckRecorder
) -> AsyncIterator[OpenBot]:
    """Open bots on demand; each runs until the test ends, then drains and stops.

    Example::

        async def test_an_app_hears_the_room(hangfm_open_bot, hangfm_user, hangfm_room_log):
            async def echo(bot, message):
                await bot.say(f"echo: {message.text}")

            await hangfm_open_bot(app=echo)
            await hangfm_user.say("hi")
            await hangfm_room_log.expect("echo: hi")
    """
    _needs_writes(request)
    from pytest_hangfm.bots import running_bot  # noqa: PLC0415  see the module

    async with AsyncExitStack() as stack:
        numbers = itertools.count(1)

        async def open_bot(
            *, app: App | None = None, run: bool = True, clock: Clock | None = None, **changes: object
        ) -> Bot:
            settings = _with_own_outbox(hangfm_settings, next(numbers), changes)
            bot = running_bot(settings, app=app, clock=clock, notify=hangfm_acks, run=run)
            return await stack.enter_async_context(bot)

        yield open_bot


@_async
async def hangfm_bot(hangfm_open_bot: OpenBot) -> Bot:
    """A running bot: in the room, reading the chat, delivering what `Bot.say` accepts.

    Example::

        async def test_the_bot_speaks(hangfm_bot, hangfm_room_log):
            await hangfm_bot.say("hello")
            await hangfm_room_log.expect("hello")
    """
    return await hangfm_open_bot()


@pytest.fixture
def hangfm_open_user(hangfm_sandbox: Sandbox) -> OpenUser:
    """Bring people into the sandbox on demand.

    Example::

        async def test_a_moderator_is_heard(hangfm_open_user, hangfm_room_log):
            alice = await hangfm_open_user("alice", role="moderator")
            await alice.say("order!")
            await hangfm_room_log.expect("order!", from_=alice)
    """

    async def open_user(nickname: str, *, role: str = "user", join: bool = True) -> Actor:
        user = hangfm_sandbox.users.add(nickname, role)
        if join:
            await user.join()
        return user

    return open_user


@_async
async def hangfm_user(hangfm_open_user: OpenUser) -> Actor:
    """Another person in the room, who can speak, vote, play songs and leave.

    Example::

        async def test_somebody_votes(hangfm_bot, hangfm_user):
            await hangfm_user.dj()
            await hangfm_user.say("listen to this")
    """
    return await hangfm_open_user("alice")


@_async
async def hangfm_open_process(hangfm_sandbox: Sandbox) -> AsyncIterator[OpenProcess]:
    """Start any program as a bot in the sandbox; it is ended after the test, on every path.

    The sandbox's addresses and tokens are in its environment, under the names that public
    bots use; the shell's own configuration is not.

    Example::

        async def test_my_bot_joins(hangfm_open_process, hangfm_user, hangfm_room_log):
            bot = await hangfm_open_process(["node", "bot.js"])
            await bot.joined()
            await hangfm_user.say("/uptime")
            await hangfm_room_log.expect("up for")
    """
    from pytest_hangfm.process import start  # noqa: PLC0415  see the module

    async with AsyncExitStack() as stack:

        async def open_process(
            argv: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None
        ) -> BotProcess:
            process = await start(argv, hangfm_sandbox, env=env or {}, cwd=cwd)
            stack.push_async_callback(process.stop)
            return process

        yield open_process


# -- checks and guards


@pytest.fixture
def hangfm_check(request: pytest.FixtureRequest) -> Check:
    """Ask a question of `hangbot.preflight`, or one of your own; the answer decides the test.

    Example::

        @pytest.mark.preflight("my.database")
        async def test_the_database_answers(hangfm_check):
            async def question(subject):
                return Finding("the database answers")

            await hangfm_check(question)
    """
    from hangbot.errors import ConfigError  # noqa: PLC0415  see the module
    from pytest_hangfm.checking import ask  # noqa: PLC0415  see the module

    settings: Settings | ConfigError
    try:
        settings = request.getfixturevalue("hangfm_settings")
    except pytest.fail.Exception as exc:
        if not isinstance(exc.__cause__, ConfigError):
            raise
        settings = exc.__cause__  # to be told by the check that asks for it, not by all of them

    async def check(question: Callable[[Subject], Awaitable[Finding]]) -> None:
        __tracebackhide__ = True
        await ask(request.node, question, settings)

    return check


@_async
async def hangfm_no_leaks() -> AsyncIterator[None]:
    """Fail the test that leaves a task running; every async test of a run that uses the plugin has it.

    Override it where a test is allowed to::

        @pytest.fixture
        def hangfm_no_leaks():
            pass
    """
    import asyncio  # noqa: PLC0415  see the module

    before = asyncio.all_tasks()
    yield
    leaked = asyncio.all_tasks() - before - {asyncio.current_task()}
    if leaked:
        _, leaked = await asyncio.wait(leaked, timeout=_LEAK_GRACE)
    names = sorted(task.get_name() for task in leaked)
    for task in leaked:
        task.cancel()
    await asyncio.gather(*leaked, return_exceptions=True)
    if names:
        pytest.fail(
            f"the test left {len(names)} task(s) running: {', '.join(names)}; await or cancel what it starts",
            pytrace=False,
        )


@_async
async def hangfm_virtual_time() -> AsyncIterator[None]:
    """Let the event loop's clock jump over waits; given to tests marked ``virtual_time``.

    Example::

        @pytest.mark.virtual_time
        async def test_half_a_minute_takes_no_time():
            await asyncio.sleep(30)
    """
    import asyncio  # noqa: PLC0415  see the module

    from pytest_hangfm.virtual import jumping  # noqa: PLC0415  see the module

    with jumping(asyncio.get_running_loop()):
        yield


def _with_own_outbox(settings: Settings, number: int, changes: Mapping[str, object]) -> Settings:
    """Give each bot of a test its own outbox: two may not deliver from one."""
    own = settings.outbox
    path = own if number == 1 else own.with_name(f"{own.stem}-{number}{own.suffix}")
    return settings.with_changes(**({"outbox": path} | dict(changes)))


def _may_write(request: pytest.FixtureRequest) -> bool:
    return target_of_item(request.node) == "sandbox" or request.config.stash[OPTIONS].live_writes


def _needs_writes(request: pytest.FixtureRequest) -> None:
    if not _may_write(request):
        from pytest_hangfm.live import NEEDS_WRITES  # noqa: PLC0415  see the module

        pytest.skip(NEEDS_WRITES)

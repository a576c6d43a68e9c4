from __future__ import annotations

import asyncio
import logging
import traceback
from typing import TYPE_CHECKING

import pytest

from hangbot.config import Settings
from hangbot.delivery.message import Outgoing
from hangbot.errors import ConfigError, HangbotError, OutboxUnusable, ServiceError, Unreachable
from hangbot.factory import (
    make_courier,
    open_bot,
    open_chat,
    open_clients,
    open_gateway,
    open_outbox,
    open_room,
)
from hangbot.sandbox import open_sandbox
from tests.bounds import WITHIN

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from hangbot.sandbox import Sandbox
    from pytest_hangfm import OpenBot, OpenUser, RoomLog

    Reach = Callable[[Settings], Awaitable[None]]

NOWHERE = "http://127.0.0.1:9"
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXIES, "NO_PROXY", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def settings(hangfm_settings: Settings) -> Settings:
    return hangfm_settings


# -- proxies and certificates


@pytest.mark.parametrize("proxy", [NOWHERE, "garbage://x", "socks5://127.0.0.1:9"])
async def test_a_proxy_of_the_environment_does_not_catch_what_stays_on_this_machine(
    proxy: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in PROXIES:
        monkeypatch.setenv(name, proxy)

    async with open_clients(settings) as clients, open_room(settings) as room:
        await clients.gateway.exchange_token()
        await clients.chat.me()
        await room.welcome(WITHIN)
        await room.join()


async def test_a_service_on_this_machine_needs_no_proxy_where_the_other_one_does(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in PROXIES:
        monkeypatch.setenv(name, NOWHERE)
    mixed = settings.with_changes(gateway_url="http://gateway.invalid", chat_token="x" * 20)

    async with open_clients(mixed) as clients:
        await clients.chat.settings()
        with pytest.raises(Unreachable):  # of the proxy: no name is looked up
            await clients.gateway.exchange_token()


async def reach_room(settings: Settings) -> None:
    async with open_room(settings):
        pass


async def reach_chat(settings: Settings) -> None:
    async with open_chat(settings) as chat:
        await chat.me()


@pytest.mark.parametrize(
    ("name", "value", "reach"),
    [
        ("HTTPS_PROXY", "garbage://user:hunter2secret@x", reach_chat),
        ("ALL_PROXY", "socks5://user:hunter2secret@127.0.0.1:9", reach_chat),
        ("SSL_CERT_FILE", "/nowhere/hunter2secret.pem", reach_chat),
        ("HTTPS_PROXY", "garbage://user:hunter2secret@x", reach_room),
        ("HTTPS_PROXY", "socks5://u:hunter2secret@127.0.0.1:9", reach_room),
    ],
)
async def test_an_environment_that_cannot_be_used_is_named_without_its_secrets(
    name: str, value: str, reach: Reach, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    outside = {
        url: f"https://{url}.invalid".replace("_", ".") for url in ("chat_url", "gateway_url", "room_url")
    }

    with pytest.raises(ConfigError, match="of the environment cannot be used") as refused:
        await reach(settings.with_changes(**outside))

    assert name in refused.value.remedy
    assert "hunter2secret" not in f"{refused.value!r} {refused.value.remedy}"


async def test_a_host_name_that_is_none_is_a_fault_of_the_configuration(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dial(*_: object) -> None:
        raise UnicodeError("encoding with 'idna' codec failed")  # what the look-up of `a..b` raises

    monkeypatch.setattr("hangbot.hangfm.socket.dial", dial)

    with pytest.raises(ConfigError, match="SOCKET_SERVER_URL"):
        await reach_room(settings.with_changes(room_url="https://room.invalid"))


async def test_a_sandbox_with_a_certificate_of_its_own_is_reached_over_tls(tls: ssl.SSLContext) -> None:
    async with open_sandbox(tls=tls, control=False) as sandbox:
        settings = Settings.from_env(sandbox.env())
        async with open_clients(settings) as clients, open_room(settings) as room:
            await clients.chat.me()
            await room.welcome(WITHIN)
            await room.join()


# -- addresses where nobody is


@pytest.mark.parametrize(
    ("name", "reach"), [("room_url", reach_room), ("chat_url", reach_chat), ("gateway_url", reach_chat)]
)
async def test_a_service_that_is_down_is_unreachable_and_named(
    name: str, reach: Reach, hangfm_settings: Settings
) -> None:
    settings = hangfm_settings.with_changes(**{name: NOWHERE})

    with pytest.raises(Unreachable, match=NOWHERE) as refused:
        await reach(settings)

    assert "address of the service" in refused.value.remedy


async def test_an_outbox_that_cannot_be_made_is_closed(hangfm_settings: Settings, tmp_path: Path) -> None:
    settings = hangfm_settings.with_changes(outbox=tmp_path / "no" / "such" / "folder.sqlite3")

    with pytest.raises(OutboxUnusable, match="its folder does not exist"):
        async with open_outbox(settings):
            pass


# -- secrets


@pytest.fixture
def secrets(hangfm_sandbox: Sandbox) -> tuple[str, ...]:
    bot = hangfm_sandbox.bot
    return bot.token, bot.chat_token, *bot.token.split(".")[1:]


def everything_logged(caplog: pytest.LogCaptureFixture) -> str:
    plain = logging.Formatter("%(message)s %(args)s")
    return "\n".join(f"{plain.format(record)} {vars(record)}" for record in caplog.records)


async def test_no_token_is_in_any_log_line_of_any_library_at_debug(
    hangfm_sandbox: Sandbox,
    hangfm_open_bot: OpenBot,
    hangfm_open_user: OpenUser,
    hangfm_room_log: RoomLog,
    secrets: tuple[str, ...],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "websockets", "hangbot.websocket", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    hangfm_sandbox.faults.add("room.connect", "status", status=503)
    hangfm_sandbox.faults.add("chat.history", "status", status=401)

    await hangfm_open_bot(boot_message="hello")
    alice = await hangfm_open_user("alice")
    await alice.say("/uptime")
    await hangfm_room_log.expect("has been up")

    said = everything_logged(caplog)
    assert "/primus?token=" in said, "the request line was logged: else this proves nothing"
    assert [secret for secret in secrets if secret in said] == []


@pytest.mark.parametrize(
    ("point", "deed", "reach"),
    [
        ("room.connect", "status", reach_room),
        ("room.connect", "refuse", reach_room),
        ("chat.me", "garbage", reach_chat),
        ("gateway.token", "garbage", reach_chat),
        ("gateway.token", "refuse", reach_chat),
    ],
)
async def test_no_token_is_in_an_error(
    point: str, deed: str, reach: Reach, hangfm_sandbox: Sandbox, settings: Settings, secrets: tuple[str, ...]
) -> None:
    hangfm_sandbox.faults.add(point, deed)

    with pytest.raises(ServiceError) as failed:
        await reach(settings)

    error = failed.value
    shown = "".join(traceback.format_exception(error)) + f"{error!r} {vars(error)} {error.remedy}"
    assert [secret for secret in secrets if secret in shown] == []


async def test_no_token_is_in_what_an_object_shows(settings: Settings, secrets: tuple[str, ...]) -> None:
    async with open_clients(settings) as clients, open_room(settings) as room:
        await clients.chat.me()

        shown = f"{settings!r} {settings} {settings.described()} {clients!r} {room!r}"

    assert [secret for secret in secrets if secret in shown] == []


async def test_every_opener_closes_what_it_opened_when_its_block_fails(settings: Settings) -> None:
    class Ours(Exception):
        pass

    for opener in (open_chat, open_gateway, open_clients, open_room, open_outbox):
        with pytest.raises(Ours):
            async with opener(settings):
                raise Ours  # a socket that stays open fails the test at its end
    async with open_outbox(settings) as outbox:
        with pytest.raises(Ours):
            async with open_bot(settings, outbox):
                raise Ours
    with pytest.raises(HangbotError, match="closed"):
        await outbox.rows()


@pytest.mark.parametrize("most", [2, 6])
async def test_as_many_messages_are_on_their_way_as_the_settings_allow(
    most: int, hangfm_settings: Settings, tmp_path: Path
) -> None:
    settings = hangfm_settings.with_changes(
        http_concurrency=most, rate=0.0, outbox=tmp_path / "outbox.sqlite3"
    )
    service = Held(most)

    async with open_outbox(settings) as outbox:
        courier = make_courier(settings, outbox, service)
        for number in range(10):
            await courier.accept(Outgoing(f"m{number}", f"r{number}", "hello"))
        delivering = asyncio.create_task(courier.run_until_empty(), name="deliver")
        await asyncio.wait_for(service.full.wait(), WITHIN)
        service.release.set()
        await asyncio.wait_for(delivering, WITHIN)

    assert service.most_at_once == most


class Held:
    """A chat that answers when it is told to, and counts how many wait for it at a time."""

    def __init__(self, until: int) -> None:
        self.until = until
        self.at_once = self.most_at_once = 0
        self.full = asyncio.Event()
        self.release = asyncio.Event()

    async def send(self, _: Outgoing) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        if self.at_once == self.until:
            self.full.set()
        await self.release.wait()
        self.at_once -= 1

    async def find(self, _: Outgoing) -> bool:
        return False

    async def probe(self) -> None: ...

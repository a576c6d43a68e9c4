import asyncio
import contextlib
import errno
import socket
import ssl
import sys
import time
from collections.abc import Callable

import pytest

from hangbot.errors import HangbotError
from hangbot.sandbox import open_sandbox
from hangbot.web.http import Request, Response
from hangbot.web.listen import HOST, Listener
from hangbot.web.serve import serve_http
from hangbot.web.server import Handler
from tests.bounds import WITHIN

LARGE = 32 * 1024 * 1024
REQUEST = b"GET / HTTP/1.1\r\nHost: sandbox\r\n\r\n"

Meet = Callable[[int], socket.socket]


def strangers() -> ssl.SSLContext:
    """A client's context that asks nobody for papers."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def connected(port: int) -> socket.socket:
    """A connection of a client whom the event loop does not know."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(WITHIN)
    client.connect((HOST, port))
    return client


def asks(port: int) -> socket.socket:
    client = connected(port)
    client.sendall(REQUEST)
    return client


def shakes_hands(port: int) -> socket.socket:
    client = strangers().wrap_socket(connected(port), suppress_ragged_eofs=False)
    client.sendall(REQUEST)
    return client


def is_over(client: socket.socket) -> bool:
    """Whether the other end has hung up already; nobody is given time to do so now."""
    raw = socket.socket(fileno=client.detach())
    raw.settimeout(2)
    with contextlib.closing(raw), contextlib.suppress(ConnectionResetError):
        try:
            while raw.recv(2**20):
                pass
        except TimeoutError:
            return False
    return True


async def test_a_port_that_needs_a_right_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(_self: socket.socket, _address: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", forbid)

    with pytest.raises(HangbotError, match=r"cannot listen on 127.0.0.1:443: Permission denied") as caught:
        await Listener(asyncio.Protocol, 443).start()

    assert "ip_unprivileged_port_start=443" in caught.value.remedy


async def test_a_host_that_no_name_server_knows_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask(*_: object, **_more: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", ask)

    with pytest.raises(HangbotError, match=r"no\.such\.invalid:0: the name is not known") as caught:
        await Listener(asyncio.Protocol, 0, host="no.such.invalid").start()

    assert "an address" in caught.value.remedy


def service() -> tuple[Handler, asyncio.Event]:
    """A service that answers with more than fits on the way, and when it was asked."""
    asked = asyncio.Event()

    async def answer(_request: Request) -> Response:
        asked.set()
        return Response(200, bytes(LARGE))

    return answer, asked


@pytest.mark.parametrize("turns", range(6))
async def test_who_has_only_just_connected_is_hung_up_on(turns: int) -> None:
    answer, _ = service()
    async with contextlib.AsyncExitStack() as stack:
        client = connected(await serve_http(stack, answer, 0, largest_body=0, now_s=time.time))
        for _ in range(turns):
            await asyncio.sleep(0)

    assert is_over(client)


async def test_who_does_not_read_his_answer_is_hung_up_on() -> None:
    answer, asked = service()
    async with contextlib.AsyncExitStack() as stack:
        client = asks(await serve_http(stack, answer, 0, largest_body=0, now_s=time.time))
        await asyncio.wait_for(asked.wait(), WITHIN)

    assert is_over(client)


async def test_who_does_not_shake_hands_is_hung_up_on(tls: ssl.SSLContext) -> None:
    async with open_sandbox(tls=tls) as sandbox:
        clients = [connected(sandbox.http_port), connected(sandbox.room_port)]
        for _ in range(6):
            await asyncio.sleep(0)

    assert [is_over(client) for client in clients] == [True, True]


async def test_who_says_no_farewell_in_tls_is_hung_up_on(tls: ssl.SSLContext) -> None:
    answer, asked = service()
    async with contextlib.AsyncExitStack() as stack:
        port = await serve_http(stack, answer, 0, tls, largest_body=0, now_s=time.time)
        client = await asyncio.to_thread(shakes_hands, port)
        await asyncio.wait_for(asked.wait(), WITHIN)

    assert is_over(client)


async def test_a_stop_that_is_cut_off_leaves_no_socket_listening() -> None:
    listener = Listener(asyncio.Protocol, 0)
    await listener.start()

    stop = asyncio.create_task(listener.stop_accepting())
    await asyncio.sleep(0)
    stop.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await stop

    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(HOST, listener.port)


async def test_a_port_that_is_taken_is_named() -> None:
    holder = Listener(asyncio.Protocol, 0)
    await holder.start()

    with pytest.raises(HangbotError, match=str(holder.port)):
        await Listener(asyncio.Protocol, holder.port).start()

    await holder.stop_accepting()
    holder.release()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a port is given to one socket only")
async def test_nothing_else_gets_the_port_before_it_listens_again(monkeypatch: pytest.MonkeyPatch) -> None:
    listener = Listener(asyncio.Protocol, 0)
    await listener.start()
    await listener.stop_accepting()
    bind = socket.socket.bind

    def bind_after_a_rival(bound: socket.socket, address: tuple[str, int]) -> None:
        with socket.socket() as rival, pytest.raises(OSError, match="in use"):
            bind(rival, address)
        bind(bound, address)

    monkeypatch.setattr(socket.socket, "bind", bind_after_a_rival)

    await listener.start()

    assert listener.listening
    monkeypatch.undo()
    await listener.stop_accepting()
    listener.release()


async def test_where_one_socket_only_has_a_port_it_listens_again_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listener = Listener(asyncio.Protocol, 0)
    await listener.start()
    await listener.stop_accepting()
    bind, refused = socket.socket.bind, iter([OSError(errno.EADDRINUSE, "in use")])

    def bind_once_it_is_free(bound: socket.socket, address: tuple[str, int]) -> None:
        for refusal in refused:
            raise refusal
        bind(bound, address)

    monkeypatch.setattr(socket.socket, "bind", bind_once_it_is_free)

    await listener.start()

    assert listener.listening
    monkeypatch.undo()
    await listener.stop_accepting()
    listener.release()


async def test_a_port_is_kept_while_it_refuses_and_listens_again() -> None:
    listener = Listener(asyncio.Protocol, 0)
    await listener.start()
    port = listener.port

    await listener.stop_accepting()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, port))
    await listener.start()

    assert listener.listening
    assert listener.port == port
    connected(port).close()
    await listener.stop_accepting()
    await listener.abort_rest()
    listener.release()

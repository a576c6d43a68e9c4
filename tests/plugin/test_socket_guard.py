import asyncio
import socket

import pytest

from pytest_hangfm.socket_guard import guard_sockets, is_loopback


@pytest.mark.parametrize(
    ("host", "local"),
    [
        pytest.param("127.0.0.1", True, id="v4"),
        pytest.param("127.8.9.1", True, id="v4-net"),
        pytest.param("::1", True, id="v6"),
        pytest.param("::ffff:127.0.0.1", True, id="mapped"),
        pytest.param("localhost", True, id="name"),
        pytest.param(b"localhost", True, id="bytes"),
        pytest.param("0.0.0.0", True, id="unspecified"),  # noqa: S104  connecting there is connecting here
        pytest.param("10.0.0.1", False, id="private"),
        pytest.param("8.8.8.8", False, id="public"),
        pytest.param("::ffff:8.8.8.8", False, id="mapped-public"),
        pytest.param("localhost.example.org", False, id="name-that-begins-so"),
    ],
)
def test_what_is_loopback(host: str | bytes, local: bool) -> None:  # noqa: FBT001  a parameter of the table
    assert is_loopback(host) is local


def test_the_outside_is_refused_and_remembered() -> None:
    with (
        guard_sockets() as guard,
        socket.socket() as tcp,
        socket.socket(type=socket.SOCK_DGRAM) as udp,
    ):
        with pytest.raises(OSError, match=r"refuses 192\.0\.2\.1:80"):
            tcp.connect(("192.0.2.1", 80))
        with pytest.raises(OSError, match=r"refuses 192\.0\.2\.2:80"):
            tcp.connect_ex(("192.0.2.2", 80))
        with pytest.raises(OSError, match="refuses"):
            udp.sendto(b"x", ("192.0.2.3", 53))
        with pytest.raises(socket.gaierror, match=r"refuses to look 'hang\.fm' up"):
            socket.getaddrinfo("hang.fm", 443)

    assert guard.refused == ["192.0.2.1:80", "192.0.2.2:80", "192.0.2.3:53", "hang.fm:443"]


async def test_loopback_works_as_ever() -> None:
    with guard_sockets() as guard:
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection("localhost", port)
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()

    assert guard.refused == []


def test_a_socket_of_the_test_that_stays_open_is_seen_and_one_of_a_fixture_is_not() -> None:
    with guard_sockets() as guard:
        of_a_fixture = socket.socket()
        guard.calling = True
        closed, forgotten = socket.socket(), socket.socket()
        forgotten.bind(("127.0.0.1", 0))
        closed.close()

        left = guard.left_open()

    of_a_fixture.close()
    forgotten.close()
    assert len(left) == 1
    assert left[0].startswith("127.0.0.1:")


def test_nothing_of_socket_is_replaced_and_afterwards_nothing_is_seen() -> None:
    before = (socket.socket.__init__, socket.socket.connect, socket.getaddrinfo)

    with guard_sockets() as guard:
        guard.calling = True
        during = (socket.socket.__init__, socket.socket.connect, socket.getaddrinfo)
    with socket.socket():
        left = guard.left_open()

    assert during == before
    assert left == []

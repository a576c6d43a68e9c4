"""One connection on a transport in memory: bytes in, bytes and events out."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from hangbot.sandbox.websocket import SocketOptions, WebSocketConnection, text_frame
from tests.bounds import WITHIN
from tests.cases import cases, rows

OPTIONS = SocketOptions(largest=1000, backlog=10_000, close_timeout_s=WITHIN)
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9


class Wire(asyncio.Transport):
    """A transport that keeps what is written, and has as large a backlog as it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.backlog = 0
        self.ended = ""
        self.aborted = asyncio.Event()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))

    def get_write_buffer_size(self) -> int:
        return self.backlog

    def is_closing(self) -> bool:
        return self.ended in {"closed", "aborted"}

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = "half-closed"

    def close(self) -> None:
        self.ended = "closed"

    def abort(self) -> None:
        self.ended = "aborted"
        self.aborted.set()


class Client:
    """Both ends of one connection; a listener that notes events, and echoes what begins with `say`."""

    def __init__(self, options: SocketOptions = OPTIONS, *, upgrade: bytes = UPGRADE) -> None:
        self.events: list[Any] = []
        self.wire = Wire()
        self.socket = WebSocketConnection(self, self, options)
        self.socket.connection_made(self.wire)
        self.socket.data_received(upgrade)
        self.handshake = b"".join(self.wire.writes)
        self.wire.writes.clear()

    async def hears(self, *chunks: bytes) -> bytes:
        """What goes out when these bytes come in, each as one read."""
        for chunk in chunks:
            self.socket.data_received(chunk)
        await asyncio.sleep(0)
        return b"".join(self.wire.writes)

    def on_open(self, peer: "Client") -> None:
        assert peer is self
        self.events.append("open")

    def on_refused(self, _peer: "Client", status: int, _body: str) -> None:
        self.events.append(status)

    def on_message(self, _peer: "Client", message: str | bytes) -> None:
        self.events.append(message)
        if isinstance(message, str) and message.startswith("say"):
            self.socket.send(message)

    def on_ping(self, _peer: "Client") -> None:
        self.events.append("ping")

    def on_sent(self, _peer: "Client", text: str, fault: int | None) -> None:
        self.events.append(("sent", text) if fault is None else ("sent", text, fault))

    def on_slow_reader(self, _peer: "Client") -> None:
        self.events.append("slow")
        self.socket.abort()

    def on_closed(self, _peer: "Client") -> None:
        self.events.append(("closed", self.socket.close_code))


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    """A client's frame; masked with zeros, so that it can be read."""
    length = len(payload)
    size = bytes([0x80 | length]) if length < 126 else bytes([0x80 | 126, *length.to_bytes(2)])
    return bytes([opcode | (0x80 if fin else 0)]) + size + bytes(4) + payload


@pytest_asyncio.fixture
async def client() -> Client:
    return Client()


SAY = frame(TEXT, b"say")
SAID, PONG = b"\x81\x03say", b"\x8a\x01!"
HALF, REST = frame(TEXT, b"ha", fin=False), frame(0, b"lf")
HEARD = ["say", ("sent", "say")]
CLOSE_1007 = b"\x88\x02\x03\xef"


@cases(
    "chunks out events",
    ("a text", [frame(TEXT, "é".encode())], b"", ["é"]),
    ("a binary message", [frame(BINARY, b"\xff")], b"", [b"\xff"]),
    ("the largest message", [frame(TEXT, b"x" * 1000)], b"", ["x" * 1000]),
    ("a text in parts, with a ping between them", [HALF + frame(PING, b"!") + REST], PONG, ["ping", "half"]),
    ("in order", [SAY + frame(PING, b"!") + SAY], SAID + PONG + SAID, [*HEARD, "ping", *HEARD]),
    ("an empty ping", [frame(PING)], b"\x8a\x00", ["ping"]),
    ("byte by byte", [bytes([byte]) for byte in SAY], SAID, ["say", ("sent", "say")]),
    ("no end of a frame", [SAY[:-1]], b"", []),
    ("a close without a code", [frame(CLOSE)], b"\x88\x00", []),
    ("a close with a code", [frame(CLOSE, b"\x03\xe8")], b"\x88\x02\x03\xe8", []),
    ("what came before a close comes before it", [SAY + frame(CLOSE) + SAY], SAID + b"\x88\x00", HEARD),
    ("no UTF-8", [SAY + frame(TEXT, b"\xff") + SAY], SAID + CLOSE_1007, ["say", ("sent", "say")]),
)
async def test_what_is_sent_is_answered(chunks: list[bytes], out: bytes, events: list[Any]) -> None:
    client = Client()

    heard = await client.hears(*chunks)

    assert heard == out
    assert client.events == ["open", *events]


@cases(
    "broken code",
    ("no such opcode", b"\x8f\x80\0\0\0\0", 1002),
    ("not masked", b"\x81\x01x", 1002),
    ("a byte too many", frame(TEXT, b"x" * 1001), 1009),
)
async def test_a_broken_protocol_ends_with_its_code_and_reason(broken: bytes, code: int) -> None:
    client = Client()

    heard = await client.hears(SAY + broken + SAY)

    assert heard[:6] == SAID + b"\x88"
    assert int.from_bytes(heard[7:9]) == code
    assert client.events == ["open", "say", ("sent", "say")]
    assert not client.socket.is_open


async def test_frames_that_come_with_the_handshake_are_answered_after_it() -> None:
    client = Client(upgrade=UPGRADE + SAY)
    await asyncio.sleep(0)

    assert client.handshake.startswith(b"HTTP/1.1 101 ")
    assert client.handshake.endswith(b"\r\n\r\n")
    assert b"".join(client.wire.writes) == SAID


@pytest.mark.parametrize("dated", [True, False])
async def test_the_answer_to_the_handshake_has_a_date_where_the_server_gives_one(*, dated: bool) -> None:
    client = Client(replace(OPTIONS, dated=dated))

    assert (b"\r\nDate: " in client.handshake) is dated


async def test_what_is_no_handshake_is_answered_and_was_never_open() -> None:
    client = Client(upgrade=UPGRADE.replace(b"HTTP/1.1", b"HTTP/1.0"))
    client.socket.eof_received()  # as a client does that has read the answer
    client.socket.connection_lost(None)

    assert client.handshake.startswith(b"HTTP/1.1 505 ")
    assert client.wire.ended == "half-closed"
    assert client.events == [505]


@cases(
    "last code",
    ("a code", frame(CLOSE, b"\x0f\xa0"), 4000),
    ("no code", frame(CLOSE), None),
    ("no close", b"", 1006),
)
async def test_how_a_client_ended_is_reported_afterwards(last: bytes, code: int | None) -> None:
    client = Client()
    client.socket.data_received(last)
    client.socket.eof_received()

    client.socket.connection_lost(None)

    assert client.events == ["open", ("closed", code)]
    assert client.wire.ended == "half-closed"


@rows("corked writes", (True, [b"\x81\x011\x81\x012"]), (False, [b"\x81\x011", b"\x81\x012"]))
async def test_what_is_corked_goes_out_in_one_write(*, corked: bool, writes: list[bytes]) -> None:
    client = Client(replace(OPTIONS, corked=corked))

    client.socket.send("1")
    client.socket.send("2", b"\x81\x012")
    before = client.socket.flushes
    await asyncio.sleep(0)

    assert client.socket.flushes - before == (1 if corked else 0)
    assert client.wire.writes == writes


async def test_what_is_held_back_goes_out_after_the_next_and_a_gate_keeps_order(client: Client) -> None:
    client.socket.hold_back("late", 7)
    client.socket.send_first("first")
    client.socket.send("next")
    client.socket.shut_gate()
    client.socket.send("waits", fault=8)
    client.socket.send("waits, too")

    before = list(client.events)
    client.socket.open_gate()

    assert before == ["open", ("sent", "first"), ("sent", "next"), ("sent", "late", 7)]
    assert client.events[4:] == [("sent", "waits", 8), ("sent", "waits, too")]


@cases(
    "options out",
    ("without a code", {}, b"\x88\x00"),
    ("with a code", {"code": 1000}, b"\x88\x02\x03\xe8"),
    ("and hung up", {"at_once": True}, b"\x88\x00"),
)
async def test_a_close_goes_out_behind_all_else(client: Client, options: dict[str, Any], out: bytes) -> None:
    client.socket.send("1")

    client.socket.close(**options)
    client.socket.close()
    client.socket.ping()
    client.socket.send("2")
    await asyncio.sleep(0)

    assert b"".join(client.wire.writes) == b"\x81\x011" + out
    assert client.wire.ended == ("closed" if "at_once" in options else "")
    client.socket.connection_lost(None)


async def test_a_client_that_does_not_answer_a_close_is_aborted() -> None:
    client = Client(replace(OPTIONS, close_timeout_s=0))

    client.socket.close()
    async with asyncio.timeout(WITHIN):
        await client.wire.aborted.wait()


async def test_an_abort_writes_what_was_sent_and_no_close(client: Client) -> None:
    client.socket.send("1")

    client.socket.abort()
    client.socket.abort()

    assert (client.wire.writes, client.wire.ended) == ([b"\x81\x011"], "aborted")


@cases("incoming", ("texts", SAY), ("pongs", frame(PING)))
async def test_a_reader_that_is_too_far_behind_is_reported(client: Client, incoming: bytes) -> None:
    client.wire.backlog = 10_001

    await client.hears(incoming)

    assert client.events[-1] == "slow"
    assert client.wire.ended == "aborted"


async def test_a_ping_frame_is_sent(client: Client) -> None:
    client.socket.ping()

    assert client.wire.writes == [b"\x89\x00"]


@cases(
    "text framed",
    ("short", "é", b"\x81\x02" + "é".encode()),
    ("two bytes of length", "x" * 126, b"\x81\x7e\x00\x7e" + b"x" * 126),
    ("eight bytes", "x" * 65_536, b"\x81\x7f" + (65_536).to_bytes(8) + b"x" * 65_536),
    ("half a character", b"\xed\xa0\x80", b"\x81\x01?"),
)
def test_a_text_is_framed_as_rfc_6455_says(text: str | bytes, framed: bytes) -> None:
    told = text if isinstance(text, str) else text.decode(errors="surrogatepass")

    assert text_frame(told) == framed

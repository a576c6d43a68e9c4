"""Each rule of the network has its effect, counts it, and ends; bytes of one connection stay in order."""

import asyncio
import errno
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_hangfm.simulation.loop import SimulatedLoop
from pytest_hangfm.simulation.rules import Rule
from tests.cases import cases
from tests.simulation.worlds import PORT, Seen, connect, echo, listen, no_linger, run

LONG = 100_000.0


async def ask(writer: asyncio.StreamWriter, reader: asyncio.StreamReader, text: bytes = b"hello") -> float:
    """Send something to an echo, and return after how many seconds all of it was back."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    writer.write(text)
    await reader.readexactly(len(text))
    return round(loop.time() - begun, 2)


async def end_of(reader: asyncio.StreamReader) -> tuple[bytes, str]:
    """Return all that still comes, and how it ends."""
    got = b""
    try:
        while data := await reader.read(4096):
            got += data
    except OSError as exc:
        return got, type(exc).__name__
    return got, "end"


# -- delay


def test_data_takes_longer_and_so_does_connecting() -> None:
    async def main(loop: SimulatedLoop) -> tuple[list[float], int]:
        await listen(echo)
        rule = loop.network.rules.delay(PORT, 2.0)
        other = loop.network.rules.delay(PORT + 1, 50.0)
        reader, writer = await connect()
        times = [loop.time(), await ask(writer, reader)]
        rule.remove()
        rule.remove()
        times.append(await ask(writer, reader))
        writer.close()
        assert other.hits == 0
        return times, rule.hits

    (times, hits), _ = run(main)

    assert [round(seconds, 1) for seconds in times] == [2.0, 4.0, 0.0]
    assert hits == 3


@given(
    st.integers(0, 1000),
    st.lists(st.tuples(st.binary(min_size=1, max_size=50), st.floats(0.0, 2.0)), min_size=2, max_size=12),
    st.sampled_from((0.0, 40.0)),
)
def test_bytes_of_one_connection_never_change_their_order(
    seed: int, writes: list[tuple[bytes, float]], rate: float
) -> None:
    async def main(loop: SimulatedLoop) -> tuple[bytes, float]:
        seen = Seen(loop)
        await listen(seen.serve)
        rules = loop.network.rules
        rules.rng.seed(seed)
        _, writer = await connect()
        for number, (data, seconds) in enumerate(writes):
            rule = rules.delay(PORT, 0.0, jitter=3.0) if number % 3 else rules.black_hole(PORT)
            slow = rules.slow_reader(PORT, rate) if rate else None
            writer.write(data)
            await asyncio.sleep(seconds)
            rule.remove()
            if slow:
                slow.remove()
        writer.close()
        await asyncio.sleep(LONG)
        return seen.got, seen.events[-1][0]

    (got, _), loop = run(main)

    assert got == b"".join(data for data, _ in writes)
    assert loop.network.transports == {}
    assert loop.network.stuck == {}
    assert loop.failures == []


def test_data_of_two_connections_may_overtake_each_other() -> None:
    async def main(loop: SimulatedLoop) -> list[str]:
        seen = Seen(loop)
        await listen(seen.serve)
        (_, one), (_, two) = await connect(), await connect()
        loop.network.rules.delay(PORT, 0.0, jitter=1.0, direction="out")
        for number in range(10):
            one.write(f"a{number} ".encode())
            two.write(f"b{number} ".encode())
            await asyncio.sleep(2.0)
        for writer in (one, two):
            writer.close()
        await asyncio.sleep(2.0)
        return "".join(seen.what).replace("end", "").split()

    arrived, _ = run(main)

    assert [each for each in arrived if each[0] == "a"] == [f"a{number}" for number in range(10)]
    assert {arrived[at : at + 2][0][0] for at in range(0, 20, 2)} == {"a", "b"}


# -- cut


@pytest.mark.parametrize("n", range(9))
def test_a_connection_is_cut_behind_any_byte(n: int) -> None:
    async def main(loop: SimulatedLoop) -> tuple[list[str], tuple[bytes, str], int]:
        seen = Seen(loop)
        await listen(seen.serve)
        rule = loop.network.rules.cut(PORT, n, "out")
        reader, writer = await connect()
        for data in (b"abc", b"defgh", b"ij"):
            writer.write(data)
        end = await end_of(reader)
        writer.close()
        _, unharmed = await connect()
        unharmed.write(b"0123456789")
        unharmed.close()
        await asyncio.sleep(1.0)
        return seen.what, end, rule.hits

    (seen, end, hits), loop = run(main)

    assert "".join(seen) == "abcdefghij"[:n] + "ConnectionResetError" + "0123456789end"
    assert (end, hits) == ((b"", "ConnectionResetError"), 1)
    assert loop.network.transports == {}


def test_what_a_server_sends_is_cut_as_well_and_several_connections_may_be() -> None:
    async def main(loop: SimulatedLoop) -> tuple[list[tuple[bytes, str]], int]:
        async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"0123456789")
            writer.close()

        await listen(serve)
        rule = loop.network.rules.cut(PORT, 4, "in", times=2)
        ends = []
        for _ in range(3):
            reader, writer = await connect()
            ends.append(await end_of(reader))
            writer.close()
        return ends, rule.hits

    (ends, hits), _ = run(main)

    assert ends == [(b"0123", "ConnectionResetError")] * 2 + [(b"0123456789", "end")]
    assert hits == 2


# -- half open


def test_a_client_does_not_learn_that_its_server_has_ended_the_connection() -> None:
    async def main(loop: SimulatedLoop) -> tuple[list[str], float, int]:
        seen = Seen(loop)
        await listen(seen.serve)
        reader, writer = await connect()
        rule = loop.network.rules.half_open(PORT)
        await asyncio.sleep(60.0)
        writer.write(b"are you there?")
        await asyncio.sleep(60.0)
        assert not reader.at_eof()
        _, unharmed = await connect()
        unharmed.write(b"later")
        unharmed.close()
        removed = loop.time()
        rule.remove()
        assert await end_of(reader) == (b"", "ConnectionResetError")
        writer.close()
        return seen.what, loop.time() - removed, rule.hits

    (seen, seconds, hits), loop = run(main)

    assert seen == ["ConnectionResetError", "later", "end"]
    assert 0.0 < seconds < 60.0
    assert hits == 2
    assert loop.network.transports == {}


def test_a_server_keeps_a_client_that_is_gone() -> None:
    async def main(loop: SimulatedLoop) -> tuple[list[tuple[float, str]], int]:
        seen = Seen(loop)
        await listen(seen.serve)
        reader, writer = await connect()
        rule = loop.network.rules.half_open(PORT, ended="client")
        assert await end_of(reader) == (b"", "ConnectionResetError")
        writer.close()
        await asyncio.sleep(100.0)
        seen.writers[0].write(b"ping")
        await asyncio.sleep(LONG)
        return seen.events, rule.hits

    (events, hits), loop = run(main)

    ((at, what),) = events
    assert (round(at, 1), what) == (100.0 + 924.6, "TimeoutError")
    assert hits == 2
    assert loop.network.transports == {}


# -- a black hole


def test_what_a_hole_swallows_arrives_with_a_later_try_in_order() -> None:
    async def main(loop: SimulatedLoop) -> tuple[list[tuple[float, str]], Rule]:
        seen = Seen(loop)
        await listen(seen.serve)
        _, writer = await connect()
        rule = loop.network.rules.black_hole(PORT)
        writer.write(b"a")
        writer.write(b"b")
        await asyncio.sleep(10.0)
        rule.remove()
        writer.write(b"c")
        await asyncio.sleep(60.0)
        writer.close()
        await asyncio.sleep(1.0)
        return seen.events[:-1], rule

    (events, rule), loop = run(main)

    assert "".join(what for _, what in events) == "abc"
    assert [round(at, 1) for at, _ in events] == [12.6] * len(events)  # 0.2 s, and twice as long each time
    assert rule.hits == 1
    assert loop.network.late == []
    assert loop.network.stuck == {}


def test_a_request_that_was_given_up_may_still_arrive_and_is_noted_as_late() -> None:
    async def main(loop: SimulatedLoop) -> tuple[list[str], int]:
        seen = Seen(loop)
        await listen(seen.serve)
        _, writer = await connect()
        rule = loop.network.rules.black_hole(PORT)
        writer.write(b"say hello")
        await asyncio.sleep(5.0)
        writer.close()
        await asyncio.sleep(5.0)
        rule.remove()
        await asyncio.sleep(30.0)
        return seen.what, writer.get_extra_info("sockname")[1]

    (seen, client), loop = run(main)

    assert seen == ["say hello", "end"]
    ((at, *which),) = loop.network.late
    assert (round(at, 1), which) == (12.6, [PORT, client])


@cases(
    "seconds",
    ("close", 150.0),  # a closed connection is not tried for long
    ("close without lingering", 10.0),  # what was not sent goes with it
    ("crash", 10.0),
)
def test_what_nobody_tries_any_more_never_arrives(request: pytest.FixtureRequest, seconds: float) -> None:
    how: Literal["close", "close without lingering", "crash"] = request.node.callspec.id

    async def main(loop: SimulatedLoop) -> list[str]:
        seen = Seen(loop)
        await listen(seen.serve)
        loop.network.rules.at_crash = "silence"
        rule = loop.network.rules.black_hole(PORT)
        rule.remove()

        async def send() -> None:
            _, writer = await connect()
            nonlocal rule
            rule = loop.network.rules.black_hole(PORT)
            writer.write(b"say hello")
            await asyncio.sleep(1.0)
            if how == "close without lingering":
                no_linger(writer)
            if how != "crash":
                writer.close()
            await asyncio.sleep(LONG)

        process = loop.start_process("bot")
        process.run(send())
        await asyncio.sleep(2.0)
        process.crash()
        await asyncio.sleep(seconds)
        rule.remove()
        await asyncio.sleep(1000.0)
        return seen.what

    seen, loop = run(main)

    assert seen == []
    assert loop.network.late == []


def test_a_connection_on_which_nothing_gets_through_times_out() -> None:
    async def main(loop: SimulatedLoop) -> tuple[float, tuple[bytes, str]]:
        await listen(echo)
        reader, writer = await connect()
        loop.network.rules.black_hole(PORT)
        writer.write(b"hello")
        end = await end_of(reader)
        writer.close()
        return loop.time(), end

    (at, end), _ = run(main)

    assert (round(at, 1), end) == (924.6, (b"", "TimeoutError"))


# -- connecting


@cases(
    "error seconds",
    ("refuse", errno.ECONNREFUSED, 0.0),
    ("unreachable", errno.EHOSTUNREACH, 0.0),
    ("black_hole", errno.ETIMEDOUT, 127.0),
)
def test_no_connection_is_made(request: pytest.FixtureRequest, error: int, seconds: float) -> None:
    async def main(loop: SimulatedLoop) -> tuple[float, int | None]:
        await listen(echo)
        reader, writer = await connect()
        rule: Rule = getattr(loop.network.rules, request.node.callspec.id)(PORT)
        begun = loop.time()
        with pytest.raises(OSError, match=r"\[Errno \d+\]") as refused:
            await connect()
        took = loop.time() - begun
        assert rule.hits >= 1
        rule.remove()
        assert await ask(writer, reader) == 0.0
        writer.close()
        _, again = await connect()
        again.close()
        return took, refused.value.errno

    (took, errno_), loop = run(main)

    assert (round(took, 1), errno_) == (seconds, error)
    assert [ok for _, _, ok in loop.network.tries] == [True, False, True]
    assert all(port == PORT for _, port, _ in loop.network.tries)


def test_a_try_that_is_given_up_is_one() -> None:
    async def main(loop: SimulatedLoop) -> None:
        await listen(echo)
        loop.network.rules.black_hole(PORT)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(connect(), 10.0)

    _, loop = run(main)

    assert [(round(at), port, ok) for at, port, ok in loop.network.tries] == [(0, PORT, False)]


def test_a_connection_is_made_once_the_hole_is_gone() -> None:
    async def main(loop: SimulatedLoop) -> float:
        await listen(echo)
        rule = loop.network.rules.black_hole(PORT, "in")
        loop.call_later(10.0, rule.remove)
        _, writer = await connect()
        writer.close()
        return loop.time()

    at, loop = run(main)

    assert round(at, 1) == 15.0
    assert [(round(at), port, ok) for at, port, ok in loop.network.tries] == [(0, PORT, True)]


# -- a slow reader


def test_what_a_slow_reader_has_not_got_goes_with_a_connection_that_does_not_linger() -> None:
    async def main(loop: SimulatedLoop) -> list[tuple[float, str]]:
        seen = Seen(loop)
        await listen(seen.serve)
        rule = loop.network.rules.slow_reader(PORT, 4.0)
        _, writer = await connect()
        no_linger(writer)
        writer.write(b"abcdefghijklmnop")
        await asyncio.sleep(2.0)
        writer.close()
        await asyncio.sleep(10.0)
        rule.remove()
        return seen.events

    events, loop = run(main)

    assert "".join(what for _, what in events) == "abcdefgh" + "ConnectionResetError"
    assert events[-1][0] <= 2.3
    assert loop.network.transports == {}


@cases(
    "head opened",
    ("a WebSocket", b"GET / HTTP/1.1\r\nHost: room\r\nUpgrade: websocket\r\n\r\n", ["opened", "let go"]),
    ("no WebSocket", b"GET / HTTP/1.1\r\nHost: room\r\n\r\n", []),
)
@pytest.mark.parametrize("rate", [None, 8.0])
def test_that_a_websocket_is_opened_is_noted_however_slowly_it_is_asked_for(
    head: bytes, opened: list[str], rate: float | None
) -> None:
    async def main(loop: SimulatedLoop) -> None:
        await listen(echo)
        rule = loop.network.rules.slow_reader(PORT, rate) if rate else None
        reader, writer = await connect()
        writer.write(head)
        await reader.readexactly(len(head))
        writer.close()
        await asyncio.sleep(1.0)
        if rule:
            rule.remove()

    _, loop = run(main)

    changes = [change for _, change, _, _ in loop.network.websockets if change != "closed"]
    assert changes == opened


def test_a_slow_reader_has_its_sender_wait() -> None:
    sent = bytes(range(256)) * 1024

    async def main(loop: SimulatedLoop) -> tuple[list[float], int]:
        await listen(echo)
        rule = loop.network.rules.slow_reader(PORT, 16_384, "out")
        reader, writer = await connect()
        writer.write(sent)
        times = [loop.time()]
        await writer.drain()
        times.append(loop.time())
        assert await reader.readexactly(len(sent)) == sent
        times.append(loop.time())
        rule.remove()
        times.append(times[-1] + await ask(writer, reader))
        writer.close()
        await asyncio.sleep(1.0)
        return times, rule.hits

    (times, hits), loop = run(main)

    assert [round(at) for at in times] == [0, 15, 16, 16]
    assert hits == 1
    assert loop.failures == []

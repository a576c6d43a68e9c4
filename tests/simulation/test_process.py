"""A crashed process is as one that a system has killed: nothing of it runs, and its peers see its end."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from pytest_hangfm.simulation.loop import SimulatedLoop
from pytest_hangfm.simulation.process import Process, current_process, is_alive
from tests.cases import cases
from tests.simulation.worlds import Seen, connect, listen, run

if TYPE_CHECKING:
    from pytest_hangfm.simulation.transport import AtCrash

FOREVER = 86_400.0


class Program:
    """Notes all that it does; there is much that a crash must not let it do."""

    def __init__(self) -> None:
        self.did: list[str] = []

    async def work(self) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(20.0, self.did.append, "timer")
        child = asyncio.create_task(self._child())
        try:
            async for number in self._numbers():
                self.did.append(f"number {number}")
                await asyncio.sleep(1.0)
        except BaseException:
            self.did.append("except")
            raise
        finally:
            self.did.append("finally")
            await asyncio.shield(child)
            self.did.append("after an await in a finally")

    async def _child(self) -> None:
        async with asyncio.timeout(FOREVER), asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(FOREVER))
            try:
                await asyncio.sleep(FOREVER)
            finally:
                self.did.append("a child's finally")

    async def _numbers(self) -> AsyncIterator[int]:
        number = 0
        try:
            while True:
                number += 1
                yield number
        finally:
            self.did.append("a generator's finally")


def test_a_crashed_process_runs_nothing_more() -> None:
    program = Program()

    async def main(loop: SimulatedLoop) -> list[str]:
        process = loop.start_process("bot")
        task = process.run(program.work())
        await asyncio.sleep(2.5)
        process.crash()
        await asyncio.wait([task, process.crashed], return_when=asyncio.FIRST_COMPLETED)
        task.cancel()
        await asyncio.sleep(FOREVER)
        gc.collect()
        assert not task.done()
        return list(program.did)

    did, loop = run(main)

    assert did == ["number 1", "number 2", "number 3"]
    assert loop.failures == []


def test_what_is_frozen_goes_with_the_loop_without_a_warning(recwarn: pytest.WarningsRecorder) -> None:
    async def main(loop: SimulatedLoop) -> None:
        process = loop.start_process("bot")
        process.run(Program().work())
        await asyncio.sleep(2.5)
        process.crash()

    _, loop = run(main)
    gc.collect()

    assert loop.failures == []
    assert not recwarn.list


def test_ends_of_frozen_tasks_that_misbehave_are_closed_as_well() -> None:
    ends: list[str] = []

    async def again_and_again() -> None:
        try:
            await asyncio.sleep(FOREVER)
        finally:
            for _ in range(3):
                try:
                    await asyncio.sleep(1.0)
                finally:
                    ends.append("again")
                    asyncio.create_task(asyncio.sleep(1.0))  # noqa: RUF006  it has to go without being held

    async def failing() -> None:
        try:
            await asyncio.sleep(FOREVER)
        finally:
            logging.getLogger("hangbot").error("must not be seen")
            raise ZeroDivisionError

    async def main(loop: SimulatedLoop) -> None:
        process = loop.start_process("bot")
        process.run(again_and_again())
        process.run(failing())
        await asyncio.sleep(1.0)
        process.crash()

    _, loop = run(main)
    gc.collect()

    assert loop.failures == []
    assert ends == ["again"]


def test_a_frozen_process_says_nothing_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.handler.addFilter(is_alive)
    logger = logging.getLogger("hangbot")

    async def speak() -> None:
        logger.warning("before")
        process = current_process()
        assert process
        process.crash()
        logger.warning("after, in the same callback")
        try:
            await asyncio.sleep(1.0)
        finally:
            logger.warning("at the end of all")

    async def main(loop: SimulatedLoop) -> None:
        process = loop.start_process("bot")
        process.run(speak())
        await process.crashed
        logger.warning("the world")

    run(main)

    assert caplog.messages == ["before", "the world"]


@pytest.mark.parametrize("step", range(1, 12))
def test_each_await_is_a_point_to_crash_at(step: int) -> None:
    async def main(loop: SimulatedLoop) -> tuple[int, int]:
        seen = 0

        async def count() -> None:
            nonlocal seen
            while True:
                await asyncio.sleep(0)
                seen += 1

        process = loop.start_process("bot")
        process.run(count())
        process.crash_at_step(step)
        await process.crashed
        await asyncio.sleep(1.0)
        return process.steps, seen

    (steps, seen), _ = run(main)

    assert (steps, seen) == (step, max(0, step - 2))


def test_one_process_crashes_and_the_other_lives_on() -> None:
    async def main(loop: SimulatedLoop) -> tuple[list[Process], list[str], list[str]]:
        first, second = Program(), Program()
        one = loop.start_process("one")
        one.run(first.work())
        two = loop.start_process("two")
        two.run(second.work())
        await asyncio.sleep(1.5)
        one.crash()
        await asyncio.sleep(1.0)
        two.crash()
        assert [process.alive for process in loop.processes] == [False, False]
        return loop.processes, list(first.did), list(second.did)

    (processes, first, second), _ = run(main)

    assert [process.name for process in processes] == ["one", "two"]
    assert (len(first), len(second)) == (2, 3)


def test_what_the_system_takes_back_is_taken_back_outside_of_the_process_newest_first() -> None:
    async def main(loop: SimulatedLoop) -> list[str]:
        order: list[str] = []

        def note(what: str) -> None:
            order.append(f"{what} {current_process()}")

        process = loop.start_process("bot")
        given_back = lambda: note("given back")  # noqa: E731  it has to be named
        for take_back in (lambda: note("lock"), given_back, lambda: note("file")):
            process.at_crash(take_back)
        process.forget(given_back)
        process.run(asyncio.sleep(FOREVER))
        process.crash()
        process.crash()
        return order

    order, _ = run(main)

    assert order == ["file None", "lock None"]


# -- its sockets


@cases(
    "seen",
    ("reset", ["hello", "ConnectionResetError"]),
    ("fin", ["hello", "end"]),
    ("silence", ["hello", "TimeoutError"]),
)
def test_the_other_side_sees_its_end(request: pytest.FixtureRequest, seen: list[str]) -> None:
    how: AtCrash = request.node.callspec.id

    async def main(loop: SimulatedLoop) -> list[tuple[float, str]]:
        server = Seen(loop)
        await listen(server.serve)

        async def talk() -> None:
            _, writer = await connect()
            writer.write(b"hello")
            await asyncio.sleep(10.0)
            writer.write(b"never")

        loop.network.rules.at_crash = how
        process = loop.start_process("bot")
        process.run(talk())
        await asyncio.sleep(5.0)
        process.crash()
        await asyncio.sleep(5.0)
        server.writers[0].write(b"are you there?")
        await asyncio.sleep(FOREVER)
        return server.events

    events, loop = run(main)

    assert [what for _, what in events] == seen
    assert events[-1][0] == pytest.approx(934.6 if how == "silence" else 5.0, abs=0.01)
    assert loop.network.transports == {}
    assert loop.failures == []


def test_who_writes_to_a_process_that_has_ended_is_answered_by_a_reset() -> None:
    async def main(loop: SimulatedLoop) -> str:
        async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(5.0)
            writer.close()

        loop.network.rules.at_crash = "fin"
        process = loop.start_process("server")
        process.run(listen(serve))
        await asyncio.sleep(1.0)
        reader, writer = await connect()
        process.crash()
        assert await reader.read() == b""
        writer.write(b"more")
        await asyncio.sleep(1.0)
        with pytest.raises(ConnectionResetError):
            await writer.drain()
        with pytest.raises(ConnectionRefusedError):
            await connect()
        writer.close()
        await listen(serve)
        _, again = await connect()
        again.close()
        return "listens again"

    told, _ = run(main)

    assert told == "listens again"


def test_three_hundred_worlds_leave_nothing() -> None:
    async def main(loop: SimulatedLoop) -> None:
        async def talk() -> None:
            _, writer = await connect()
            while True:
                writer.write(b"x" * 1000)
                await asyncio.sleep(1.0)

        await listen(Seen(loop).serve)
        for how in ("reset", "fin", "silence"):
            loop.network.rules.at_crash = how
            process = loop.start_process("bot")
            process.run(talk())
            process.run(Program().work())
            await asyncio.sleep(10.0)
            process.crash()

    def count() -> int:
        gc.collect()
        return len(gc.get_objects())

    run(main)
    before = count()

    for _ in range(300):
        run(main)

    assert count() - before < 300


def test_a_paused_process_does_what_became_due_when_it_goes_on_and_a_killed_one_does_not() -> None:
    async def main(loop: SimulatedLoop) -> list[tuple[str, float]]:
        ticked: list[tuple[str, float]] = []

        async def tick(name: str) -> None:
            while True:
                await asyncio.sleep(1.0)
                ticked.append((name, round(loop.time(), 1)))

        stopped, killed, other = (loop.start_process(name) for name in ("stopped", "killed", "other"))
        for process in (stopped, killed, other):
            process.run(tick(process.name))
        await asyncio.sleep(1.5)
        loop.pause(stopped, 2.0)
        loop.pause(killed, 2.0)
        await asyncio.sleep(1.0)
        killed.crash()
        await asyncio.sleep(2.7)
        return ticked

    ticked, _ = run(main)

    assert [at for name, at in ticked if name == "stopped"] == [1.0, 3.5, 4.5]
    assert [at for name, at in ticked if name == "killed"] == [1.0]
    assert [at for name, at in ticked if name == "other"] == [1.0, 2.0, 3.0, 4.0, 5.0]

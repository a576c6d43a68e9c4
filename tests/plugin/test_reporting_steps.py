"""Steps that tell the truth about async code."""

import asyncio

import pytest

from pytest_hangfm import hangfm_step
from pytest_hangfm.reporting.steps import StepNode, begin_steps, take_steps


@pytest.fixture(autouse=True)
def collecting() -> None:
    begin_steps()


def tree(nodes: list[StepNode]) -> list[object]:
    return [(node.name, tree(node.children)) if node.children else node.name for node in nodes]


async def test_a_decorated_coroutine_is_measured_to_its_end_and_fails_when_it_does() -> None:
    ended = asyncio.Event()

    @hangfm_step("alice waits")
    async def waits() -> None:
        await ended.wait()
        raise ValueError("nobody came")

    task = asyncio.create_task(waits(), name="waits")
    await asyncio.sleep(0)
    ended.set()
    with pytest.raises(ValueError, match="nobody"):
        await task

    (node,) = take_steps()
    assert node.name == "alice waits"
    assert node.stop is not None
    assert isinstance(node.error, ValueError)


async def test_steps_of_tasks_at_the_same_time_stand_side_by_side() -> None:
    both = asyncio.Barrier(2)

    async def speaks(name: str) -> None:
        with hangfm_step(name):
            await both.wait()
            with hangfm_step(f"{name} again"):
                await both.wait()

    with hangfm_step("a conversation"):
        await asyncio.gather(speaks("alice"), speaks("bob"))

    assert tree(take_steps()) == [("a conversation", [("alice", ["alice again"]), ("bob", ["bob again"])])]


def test_a_plain_function_is_a_step_too_and_its_calls_may_nest() -> None:
    @hangfm_step("counts down")
    def down(number: int) -> int:
        return number if number == 0 else down(number - 1)

    assert down(2) == 0
    assert tree(take_steps()) == [("counts down", [("counts down", ["counts down"])])]


def test_where_no_report_is_written_nothing_is_kept() -> None:
    take_steps()

    with hangfm_step("unheard"):
        pass

    assert take_steps() == []

import asyncio

from pytest_hangfm.proof.search.slots import Slots
from tests.bounds import WITHIN


async def take_a_place(slots: Slots) -> None:
    async with slots.take(0):
        pass


async def test_who_waits_with_the_lowest_rank_comes_first() -> None:
    slots, came = Slots(1), list[int]()

    async def come(rank: int) -> None:
        async with slots.take(rank):
            came.append(rank)

    async with slots.take(9):
        waiting = [asyncio.create_task(come(rank)) for rank in (2, 0, 1, 0)]
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)

    assert came == [0, 0, 1, 2]


async def test_who_goes_away_while_waiting_takes_no_place() -> None:
    slots = Slots(1)

    async with slots.take(0):
        gone = asyncio.create_task(take_a_place(slots))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)

    async with asyncio.timeout(WITHIN), slots.take(0):
        pass


async def test_a_place_that_was_given_to_who_went_at_that_moment_is_given_on() -> None:
    slots = Slots(1)

    async with slots.take(0):
        gone = asyncio.create_task(take_a_place(slots))
        await asyncio.sleep(0)
    gone.cancel()  # its turn has come, and it has not run since
    await asyncio.gather(gone, return_exceptions=True)

    async with asyncio.timeout(WITHIN), slots.take(0):
        pass

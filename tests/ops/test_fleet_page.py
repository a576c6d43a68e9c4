"""The fleet page in a real browser: what a person reads there of 200 rooms, and finds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.browser import CHROMIUM, Page, open_page
from tests.ops.test_page import keep, tab_to
from tests.ops.watched_fleet import watched_fleet

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: `apt-get install chromium`"),
]

STATE = "document.body?.dataset.state"
HEADLINE = "document.querySelector('#state').textContent"
ROWS = """JSON.stringify([...document.querySelectorAll('#rooms tr')].map((row) =>
    [row.dataset.kind, ...[row.cells[0], row.cells[1]].map((cell) => cell.firstChild.textContent)]))"""
COUNT = "document.querySelector('#count').textContent"


async def rows(page: Page) -> list[list[str]]:
    found: list[list[str]] = json.loads(await page.evaluate(ROWS))
    return found


async def test_what_is_not_well_among_two_hundred_rooms_stands_first_and_why(tmp_path: Path) -> None:
    async with watched_fleet(tmp_path, rooms=200) as fleet, open_page(fleet.url, tmp_path / "p") as page:
        await page.until(f"{STATE} === 'ready'")
        well = await page.evaluate(HEADLINE)
        ill, hurt = fleet.of("north")[3], fleet.of("south")[-1]
        ill.is_ill("<img src=x> refused", queued=7)
        hurt.is_ill("the room is full")
        fleet.files.put(*fleet.files.rooms.values(), faulty={"cafe": "line 3: ROOM_UUID is missing"})
        await page.until("document.querySelectorAll('#rooms tr[data-kind=ill]').length === 3")
        told = await page.evaluate(HEADLINE), await page.evaluate("document.title")
        first = (await rows(page))[:4]
        why = await page.evaluate(
            f"document.querySelector('[data-id={ill.owned.config.key}]').innerText.replace(/\\s+/g, ' ')"
        )
        await keep(page, "of 200 rooms three are not well")

    expected = sorted(["ill", bot.owned.config.name, bot.worker] for bot in (ill, hurt))
    assert well == "All 200 rooms have an owner and are ready"
    assert told == ("Of 201 rooms 1 has no owner, 2 are not ready", "! not ready · fleet")
    assert first[:3] == [["ill", "cafe", "nobody"], *expected]
    assert first[3][0] == "well"
    assert "chat token: <img src=x> refused north since" in why
    assert why.endswith("✕ not ready 7")


async def test_a_room_is_found_with_the_keyboard_alone(tmp_path: Path) -> None:
    async with watched_fleet(tmp_path, rooms=12) as fleet, open_page(fleet.url, tmp_path / "p") as page:
        await page.until(f"{STATE} === 'ready'")
        await tab_to(page, "#find")
        await page.type("ROOM-01")
        named = [row[1] for row in await rows(page)]
        counted = await page.evaluate(COUNT)
        await page.press("Escape")
        await tab_to(page, "#ill-only")
        await page.press(" ", " ")
        none = await page.evaluate("document.querySelector('#none').textContent")
        fleet.of("south")[0].is_ill("the room is full")
        await page.until("document.querySelectorAll('#rooms tr').length === 1")
        found = await rows(page)

    assert (named, counted) == (["room-010", "room-011"], "2 of 12 rooms")
    assert none == "Every room has an owner and is ready"
    assert [row[2] for row in found] == ["south"]


async def test_the_workers_are_shown_and_one_that_drains_says_so_until_it_has_gone(tmp_path: Path) -> None:
    async with watched_fleet(tmp_path, rooms=6) as fleet, open_page(fleet.url, tmp_path / "p") as page:
        await page.until(f"{STATE} === 'ready'")
        text = "document.querySelector('#workers').innerText.replace(/\\s+/g, ' ')"
        both = await page.evaluate(text)
        fleet.workers["south"].drain()
        await page.until(f"{ROWS}.match(/north/g)?.length === 6")
        await page.until(f"{STATE} === 'ready'")
        await page.until("document.querySelectorAll('#workers tr').length === 1")
        alone = await page.evaluate(text)

    assert "north north.example process 4000 · hangbot 1.2 since" in both
    assert "south south.example process 4001 · hangbot 1.2 since" in both
    assert alone.endswith("6 of 300")


async def test_a_cluster_that_does_not_answer_and_a_worker_that_has_gone_are_told(tmp_path: Path) -> None:
    async with open_page("about:blank", tmp_path / "p") as page:
        async with watched_fleet(tmp_path, rooms=3) as fleet:
            await page.evaluate(f"location.href = {json.dumps(fleet.url)}")
            await page.until(f"{STATE} === 'ready'")
            fleet.clusters["north"].away = True
            await page.until(f"{STATE} === 'ill'")
            away = await page.evaluate(HEADLINE)
            fleet.clusters["north"].away = False
            await page.until(f"{STATE} === 'ready'")
        await page.until(f"{STATE} === 'silent'")
        gone = await page.evaluate(HEADLINE)
        asked = await page.evaluate(
            "JSON.stringify(performance.getEntriesByType('resource').map((entry) => entry.name))"
        )

    assert "The NATS servers have not answered worker north for" in away
    assert gone.startswith("No word from the worker since")
    assert set(json.loads(asked)) <= {f"{fleet.url}/events", f"{fleet.url}/favicon.ico"}

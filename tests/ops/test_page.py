"""The page in a real browser: what a person reads and does there, and that `hangbot status` says the same."""

from __future__ import annotations

import asyncio
import json
import re
import time
from typing import TYPE_CHECKING, Any

import allure
import pytest

from hangbot.clock import SystemClock
from hangbot.status import ask
from stages.test_faults import MORE, TROUBLES, Story, Trouble
from tests.bounds import WITHIN
from tests.browser import CHROMIUM, Page, open_page
from tests.ops.watched import watched

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.ops.watched import Watched

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: `apt-get install chromium`"),
]

STATE = "document.body?.dataset.state"
ILL = """JSON.stringify([...document.querySelectorAll('#ill li')].map((li) => [
    li.dataset.part, li.dataset.kind, li.querySelector('.sentence').textContent,
    li.querySelector('.remedy')?.textContent ?? '']))"""
WELL = "JSON.stringify([...document.querySelectorAll('#well li')].map((li) => li.dataset.part))"
WATCH = """window.seen = []; new MutationObserver(() => seen.push(document.body.dataset.state))
    .observe(document.body, { attributes: true, attributeFilter: ["data-state"] }); 1"""
LASTS = 3.0
"""Seconds for which the page is compared while something is wrong."""


async def keep(page: Page, name: str) -> None:
    """Attach pictures of the page to the report: light, dark, and on a phone."""
    for look, dark, width in (("light", False, 1280), ("dark", True, 1280), ("phone", False, 390)):
        await page.look(dark=dark, width=width)
        allure.attach(await page.picture(), f"{name}, {look}", allure.attachment_type.PNG)
    await page.look()


async def tab_to(page: Page, selector: str) -> None:
    """Press Tab until an element has the focus."""
    for _ in range(60):
        if await page.evaluate(f"document.activeElement.matches({json.dumps(selector)})"):
            return
        await page.press("Tab")
    raise AssertionError(f"no Tab leads to {selector}")


async def test_a_failed_message_is_tried_again_with_the_keyboard_alone(tmp_path: Path) -> None:
    async with watched(tmp_path) as bot, open_page(bot.url, tmp_path / "profile") as page:
        key = await bot.fails("<b onclick=alert(1)>hello</b>")
        await page.until(f"document.querySelector('#troubles li[data-id=\"{key}\"]')?.textContent")
        await keep(page, "one message failed")

        await tab_to(page, f'button[aria-label="Retry {key[:12]}"]')
        await page.press("Enter", "\r")
        await page.until("document.querySelector('#ask').open")
        await page.type("not-the-token-at-all")
        await page.press("Enter", "\r")
        await page.until("document.querySelector('#wrong').textContent")
        await page.type(bot.token)
        await page.press("Enter", "\r")
        await page.until("document.querySelector('#troubles').textContent.includes('has arrived')")
        end = await asyncio.wait_for(bot.shown.bot.settled(key), WITHIN)
        focus = await page.evaluate("document.activeElement.id")
        kept = await page.evaluate("[document.cookie, localStorage.length, sessionStorage.length].join()")
        text = await page.evaluate("document.querySelector('#deliveries').textContent")

    assert end.state == "delivered"
    assert focus == "h-troubles"
    assert kept == ",0,1"
    assert "<b onclick=alert(1)>hello</b>" in text


async def test_the_page_is_good_before_the_join_while_the_bot_stops_and_when_it_died(tmp_path: Path) -> None:
    async with open_page("about:blank", tmp_path / "profile") as page:
        async with watched(tmp_path, run=False) as bot:
            await page.evaluate(f"location.href = {json.dumps(bot.url)}")
            await page.until(f"{STATE} === 'starting'")
            starting = await page.evaluate("document.body.innerText + document.title")
            bot.shown.status.stopping()
            await page.until(f"{STATE} === 'stopping'")
            stopping = await page.evaluate("document.body.innerText + document.title")
            bot.shown.status.is_stopping = False
            await page.until(f"{STATE} === 'starting'")
        await page.until(f"{STATE} === 'silent'")
        died = await page.evaluate("document.body.innerText + document.title")
        await keep(page, "no word from the bot")
        said = await page.evaluate("document.querySelector('#icon').href")
        again = tmp_path / "again"
        again.mkdir()
        async with watched(again, env={"HANGBOT_STATUS_PORT": bot.url.rpartition(":")[2]}):
            await page.until(f"{STATE} === 'ready'")

    assert "waits for: room, chat, chat agreement" in starting
    assert "Not in the room" in starting
    assert "Stopping: what is on its way goes out" in stopping
    assert re.search(r"No word from the bot since \d\d:\d\d:\d\d", died)
    assert "✕ silent" in died
    assert said.startswith("data:image/svg")


async def test_a_loop_that_stands_still_is_seen_and_the_page_goes_on_by_itself(tmp_path: Path) -> None:
    async with watched(tmp_path) as bot, open_page(bot.url, tmp_path / "profile") as page:
        await page.until(f"{STATE} === 'ready'")
        await page.evaluate(WATCH)

        time.sleep(7.0)  # noqa: ASYNC251  what an app does that blocks the bot
        await page.until("seen.join().startsWith('silent,ready')")


async def test_it_asks_nothing_of_anybody_else_and_writes_no_error(tmp_path: Path) -> None:
    async with watched(tmp_path) as bot, open_page(bot.url, tmp_path / "profile") as page:
        await page.until(f"{STATE} === 'ready'")
        asked = await page.evaluate(
            "JSON.stringify(performance.getEntriesByType('resource').map((entry) => entry.name))"
        )
        blocked = await page.evaluate("fetch('http://127.0.0.2:9/').then(() => 'sent', () => 'blocked')")

    assert set(json.loads(asked)) <= {f"{bot.url}/events", f"{bot.url}/favicon.ico"}
    assert blocked == "blocked"


def shown(row: dict[str, Any]) -> tuple[set[tuple[str, ...]], set[str]]:
    """Return what a row of `hangbot status --json` says, as the page shows it."""
    ill: set[tuple[str, ...]] = set()
    for part in row["parts"]:
        if not part["ok"]:
            kind = "RED" if part["red"] else "WARN" if part["warns"] else "WAIT"
            remedy = "" if part["below"] else part["remedy"]
            ill.add((part["part"], "BELOW" if part["below"] else kind, part["sentence"], remedy))
    return ill, {part["part"] for part in row["parts"] if part["ok"]}


async def agree(bot: Watched, page: Page) -> tuple[bool, Any, Any]:
    """Compare the page with `hangbot status` as it was just before, or is just after."""
    rows = []
    on_page = None
    for _ in range(3):
        answer = await ask(bot.settings.outbox, "/healthz", within=WITHIN, clock=SystemClock())
        assert answer is not None
        rows.append(timeless(shown(json.loads(answer))))
        ill, well = json.loads(await page.evaluate(ILL)), json.loads(await page.evaluate(WELL))
        on_page = timeless(({tuple(each) for each in ill}, set(well)))
        if on_page in rows:
            return True, on_page, rows
        await asyncio.sleep(0.5)  # the page is up to a second behind
    return False, on_page, rows


def timeless(said: tuple[set[tuple[str, ...]], set[str]]) -> str:
    return re.sub(r"\d+(\.\d+)? s\b", "… s", repr((sorted(said[0]), sorted(said[1]))))


@pytest.mark.parametrize("trouble", [*TROUBLES, *MORE], ids=lambda trouble: trouble.name.replace(" ", "-"))
async def test_during_each_fault_the_page_says_what_hangbot_status_says(
    tmp_path: Path, trouble: Trouble
) -> None:
    async def answer(*_: object) -> None:
        pass

    async with watched(tmp_path, app=answer) as bot, open_page(bot.url, tmp_path / "profile") as page:
        alice = bot.sandbox.users.add("alice")
        await alice.join()
        await page.until(f"{STATE} === 'ready'")
        began: asyncio.Future[Callable[[], None] | None] = asyncio.ensure_future(
            trouble.begin(Story(bot.sandbox, alice, bot.shown.bot))
        )
        try:
            until = asyncio.get_running_loop().time() + LASTS
            seen = []
            while asyncio.get_running_loop().time() < until:
                same, on_page, rows = await agree(bot, page)
                assert same, f"the page says {on_page}, hangbot status {rows}"
                seen.append(on_page)
                await bot.shown.bot.say("hello")
                await asyncio.sleep(0.5)
            if trouble.red:
                await keep(page, trouble.name)
        finally:
            began.cancel()
            await asyncio.gather(began, return_exceptions=True)

    assert len(seen) > 2

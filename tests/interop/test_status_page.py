"""The status page, examined by axe-core: nobody is kept from reading or using it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.browser import CHROMIUM, open_page
from tests.ops.watched import watched

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: `apt-get install chromium`"),
]

FOUND = """axe.run().then(({ violations, passes }) => JSON.stringify([
    passes.length > 20, violations.map((one) => [one.id, one.help, one.nodes.map((node) => node.html)])]))"""
SOUND = [True, []]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_axe_finds_nothing_wrong_with_the_page(tmp_path: Path, packages: Path, *, dark: bool) -> None:
    axe = (packages / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    found = {}
    async with open_page("about:blank", tmp_path / "profile") as page:
        await page.look(dark=dark)
        async with watched(tmp_path) as bot:
            await page.evaluate(f"location.href = {json.dumps(bot.url)}")
            await page.until("document.body?.dataset.state === 'ready'")
            alice = bot.sandbox.users.add("alice")
            await alice.join()
            await alice.dj()
            for text in ("one", "two"):
                await bot.fails(text)
            bot.shown.bot.conditions.red("room admission", "the room is full", "Ask its owner.")
            bot.shown.bot.conditions.bad("room", "not in the room", "Wait.")
            bot.shown.bot.conditions.bad("chat push", "no socket is to be had", "Wait.")
            for level in ("DEBUG", "INFO", "WARNING", "ERROR"):
                bot.shown.log.add(0.0, level, "hangbot", f"a line of {level}")
            await page.until("document.querySelectorAll('#troubles button').length === 4")
            await page.until("document.querySelectorAll('#log li').length === 4")
            await page.until("document.body.dataset.state === 'ill'")
            await page.evaluate(f"{axe}; 1")
            found["with failures"] = json.loads(await page.evaluate(FOUND))
            await page.look(dark=dark, width=390, height=844)
            found["on a phone"] = json.loads(await page.evaluate(FOUND))
            await page.evaluate("document.querySelector('#troubles button').click()")
            await page.until("document.querySelector('#ask').open")
            found["asking"] = json.loads(await page.evaluate(FOUND))
            await page.evaluate("document.querySelector('#cancel').click()")
        await page.until("document.body.dataset.state === 'silent'")
        found["silent"] = json.loads(await page.evaluate(FOUND))

    assert found == dict.fromkeys(("with failures", "on a phone", "asking", "silent"), SOUND)

"""The fleet page, examined by axe-core: nobody is kept from reading or using it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.browser import CHROMIUM, open_page
from tests.interop.test_status_page import FOUND, SOUND
from tests.ops.watched_fleet import watched_fleet

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: `apt-get install chromium`"),
]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_axe_finds_nothing_wrong_with_the_page(tmp_path: Path, packages: Path, *, dark: bool) -> None:
    axe = (packages / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    found = {}
    async with open_page("about:blank", tmp_path / "profile") as page:
        await page.look(dark=dark)
        async with watched_fleet(tmp_path, rooms=40) as fleet:
            await page.evaluate(f"location.href = {json.dumps(fleet.url)}")
            await page.until("document.body?.dataset.state === 'ready'")
            await page.evaluate(f"{axe}; 1")
            found["ready"] = json.loads(await page.evaluate(FOUND))
            fleet.of("south")[0].is_ill("the room is full", queued=3)
            fleet.of("north")[0].owned.say(ready=False, queued=0)
            fleet.files.put(*fleet.files.rooms.values(), faulty={"cafe": "line 3: ROOM_UUID is missing"})
            await page.until("document.querySelectorAll('tr[data-kind=ill]').length === 2")
            await page.until("document.querySelectorAll('#rooms tr[data-kind=begins]').length === 1")
            found["with failures"] = json.loads(await page.evaluate(FOUND))
            await page.look(dark=dark, width=390, height=844)
            found["on a phone"] = json.loads(await page.evaluate(FOUND))
            await page.evaluate("askToken('That is not the token.'); 1")
            await page.until("document.querySelector('#ask').open")
            found["asking"] = json.loads(await page.evaluate(FOUND))
            await page.evaluate("document.querySelector('#cancel').click()")
        await page.until("document.body.dataset.state === 'silent'")
        found["silent"] = json.loads(await page.evaluate(FOUND))

    assert found == dict.fromkeys(("ready", "with failures", "on a phone", "asking", "silent"), SOUND)

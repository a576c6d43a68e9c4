"""The page at the control address, as a browser has it."""

import json
from pathlib import Path

import aiohttp
import pytest

from hangbot.sandbox import open_sandbox
from tests.browser import CHROMIUM, Page, open_page

NO_BROWSER = "no Chromium on this machine: the page is only looked at where there is one"


async def test_the_page_loads_nothing_from_elsewhere_and_is_for_loopback_alone() -> None:
    async with open_sandbox() as sandbox, aiohttp.ClientSession() as client:
        async with client.get(sandbox.control_url + "/") as answer:
            page, policy = await answer.text(), answer.headers["Content-Security-Policy"]
        async with client.get(sandbox.control_url, headers={"Host": "evil.example"}) as foreign:
            refused = foreign.status

    assert "https://" not in page
    assert "default-src 'none'; connect-src 'self'" in policy
    assert refused == 403


async def test_everybody_is_listed_with_where_they_are() -> None:
    async with open_sandbox() as sandbox, aiohttp.ClientSession() as client:
        alice = sandbox.users.add("alice")
        await alice.join()
        async with client.get(sandbox.control_url + "/users") as answer:
            users = (await answer.json())["users"]

    listed = {user["nickname"]: (user["uid"], user["in_room"], user["is_bot"]) for user in users}
    assert listed["alice"] == (alice.uid, True, False)
    assert listed["hangbot"] == (sandbox.bot.uid, False, True)


async def click(page: Page, text: str) -> None:
    await page.evaluate(
        f"[...document.querySelectorAll('button')].find(b => b.textContent === {json.dumps(text)}).click()"
    )


async def submit(page: Page, form: str, **fields: str) -> None:
    for name, value in fields.items():
        await page.evaluate(f"document.forms[{form!r}].elements[{name!r}].value = {json.dumps(value)}")
    await page.evaluate(f"document.forms[{form!r}].requestSubmit()")


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason=NO_BROWSER)
async def test_a_person_at_the_page_speaks_votes_and_starts_a_fault(tmp_path: Path) -> None:
    hostile = "<img src=x onerror=\"document.title='owned'\">"
    async with open_sandbox() as sandbox, open_page(sandbox.control_url, tmp_path / "profile") as page:
        await page.until("document.body?.dataset.ready")
        await submit(page, "new-person", nickname="mona", room_role="moderator")
        await page.until(
            "document.querySelector('#people').textContent.includes('monauser')"
        )  # and in the room
        await click(page, "Step up with a song")
        song = await page.until("(t => t !== 'nothing' && t)(document.querySelector('#song').textContent)")
        await click(page, "Like")
        await page.until("document.querySelector('#votes').textContent.startsWith('1 like')")
        await submit(page, "say", text=hostile)
        await page.until("document.querySelector('#chat').textContent.includes('onerror')")
        await submit(page, "fault", on="chat.send", do="cut_after_store", times="3")
        await page.until("document.querySelector('#faults').textContent.includes('chat.send')")
        async with aiohttp.ClientSession() as client:
            await client.get(sandbox.chat_url + "/v3.0/settings")
        await page.until("document.querySelector('#journal').textContent.includes('GET /v3.0/settings')")
        title = await page.evaluate("document.title")

        said = [message["data"]["text"] for message in sandbox.messages if "text" in message["data"]]
        assert said == [hostile]
        assert title == "The sandbox's room"
        assert sandbox.state["nowPlaying"]["song"]["trackName"] in song
        assert sandbox.state["voteCounts"]["likes"] == 1
        (fault,) = sandbox.faults.list()
        assert (fault["on"], fault["do"], fault["times"]) == ("chat.send", "cut_after_store", 3)

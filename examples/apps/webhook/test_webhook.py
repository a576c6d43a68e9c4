"""The bridge in a room of its own; the webhook is a list."""

import httpx
import pytest
import webhook

from pytest_hangfm import OpenApp

SONG = {"songId": "s1", "artistName": "The Testers", "trackName": "Green", "duration": 600}


async def test_a_song_is_reported_once_the_webhook_is_up_again(
    hangfm_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[str | None] = []

    async def post(report: dict[str, str | None]) -> None:
        tries.append(report["title"])
        if len(tries) < 4:
            raise httpx.ConnectError("down")

    monkeypatch.setattr(webhook, "post", post)
    bot = await hangfm_app(webhook.app)

    await bot.user.dj(SONG)
    await bot.advance(seconds=8)
    await bot.restart()
    await bot.advance(minutes=5)

    assert tries == ["Green"] * 4

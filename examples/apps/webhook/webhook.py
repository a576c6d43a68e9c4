"""Tells a webhook what plays, and loses nothing while it is down: hangbot run --app webhook:app.

WEBHOOK_URL in the environment says where it is.
"""

import os

import httpx

from hangbot import App, Context, SongStarted

app = App("webhook")

FIRST_WAIT, LONGEST_WAIT = 5.0, 3600.0


@app.on(SongStarted)
async def started(ctx: Context, event: SongStarted) -> None:
    """Have a song reported: the timer is on disk, so a crash or a webhook that is down loses none."""
    report = {"artist": event.song.artist, "title": event.song.title, "dj": event.song.dj}
    ctx.after(0, deliver, report, FIRST_WAIT)


async def deliver(ctx: Context, report: dict[str, str | None], wait: float) -> None:
    """Report once; where that fails, again later."""
    try:
        await post(report)
    except httpx.HTTPError as exc:
        ctx.log.warning("the webhook did not take it (%s): again in %.0f s", type(exc).__name__, wait)
        ctx.after(wait, deliver, report, min(2 * wait, LONGEST_WAIT))


async def post(report: dict[str, str | None]) -> None:
    """Post a report; raises `httpx.HTTPError`."""
    async with httpx.AsyncClient(timeout=10) as client:
        (await client.post(os.environ["WEBHOOK_URL"], json=report)).raise_for_status()

"""Likes every song, and plays the room's favourites while nobody else does: hangbot run --app auto_dj:app."""

from contextlib import suppress

from hangbot import App, Context, DjAdded, DjRemoved, HangbotError, Joined, SongEnded, SongStarted

app = App("auto-dj")

FAVOURITE = 2
"""Likes that make a song one of the room's favourites."""
MOST = 50


@app.on(SongStarted)
async def started(ctx: Context, event: SongStarted) -> None:
    """Like a song of somebody else, after a moment."""
    if event.song.dj != ctx.bot.chat.uid:
        ctx.after(3, like, event.song.play_id, id="like")


async def like(ctx: Context, play_id: str | None) -> None:
    """Like the song, if it still plays."""
    song = ctx.room.song
    if song is not None and song.play_id == play_id:
        with suppress(HangbotError):  # not in the room just now
            await ctx.vote(like=True)


@app.on(SongEnded)
async def ended(ctx: Context, event: SongEnded) -> None:
    """Remember a song that the room liked, and go on after one of its own."""
    if event.song.dj == ctx.bot.chat.uid:
        ctx.after(5, look, id="look")
    elif event.votes.likes >= FAVOURITE:
        queue = [song for song in await ctx.store.get("queue", []) if song != event.song.raw]
        await ctx.store.set("queue", [*queue, dict(event.song.raw)][-MOST:])


@app.on(Joined)
@app.on(DjAdded)
@app.on(DjRemoved)
async def line_changed(ctx: Context) -> None:
    """Look at the DJ line a little later, when it has settled."""
    ctx.after(5, look, id="look")


async def look(ctx: Context) -> None:
    """Step up where nobody plays, and down where somebody does; a DJ whose songs are over does both."""
    me, djs = ctx.bot.chat.uid, ctx.room.djs
    others = [dj for dj in djs if dj != me]
    try:
        if me in djs and (others or ctx.room.song is None):
            await ctx.step_down()
        elif not djs and (queue := await ctx.store.get("queue", [])):
            song, *rest = queue
            await ctx.store.set("queue", [*rest, song])
            await ctx.step_up(song)
    except HangbotError as exc:  # not in the room just now: the next change looks again
        ctx.log.info("the DJ line stays as it is: %s", exc)


@app.command("queue")
async def show_queue(ctx: Context) -> None:
    """Say what the bot plays when nobody does."""
    titles = [song.get("trackName") or "?" for song in await ctx.store.get("queue", [])]
    await ctx.reply(f"{len(titles)} songs: {', '.join(titles[:5])}" if titles else "No favourites yet.")

"""Counts songs, and says who played one first: hangbot run --app song_stats:app."""

from pydantic import BaseModel

from hangbot import App, Context, SongEnded, SongStarted
from hangbot import Song as Playing

app = App("song-stats")


class Record(BaseModel):
    """What is known of a song."""

    title: str
    first_by: str
    plays: int = 0
    likes: int = 0


@app.on(SongStarted)
async def started(ctx: Context, event: SongStarted) -> None:
    """Count a song, and say whose it was at first where somebody else plays it."""
    dj = await ctx.name_of(event.song.dj or "somebody")
    record = await ctx.store.get(key_of(event.song), type=Record)
    if record is None:
        record = Record(title=title_of(event.song), first_by=dj)
    elif record.first_by != dj:
        times = "once" if record.plays == 1 else f"{record.plays} times"
        await ctx.say(f"♪ {record.title}: first played by {record.first_by}, {times} so far.")
    record.plays += 1
    await ctx.store.set(key_of(event.song), record)


@app.on(SongEnded)
async def ended(ctx: Context, event: SongEnded) -> None:
    """Keep the likes."""
    record = await ctx.store.get(key_of(event.song), type=Record)
    if record is not None:
        record.likes += event.votes.likes
        await ctx.store.set(key_of(event.song), record)


@app.command("song")
async def song(ctx: Context) -> None:
    """Say what is known of the song that plays."""
    playing = ctx.room.song
    record = await ctx.store.get(key_of(playing), type=Record) if playing else None
    if record is None:
        await ctx.reply("Nothing plays.")
        return
    numbers = f"{record.plays} plays, {record.likes} likes"
    await ctx.reply(f"{record.title}: {numbers}, first by {record.first_by}.")


def key_of(song: Playing) -> str:
    """Return what a song is known by over all its playings."""
    return (song.id or title_of(song))[:200]


def title_of(song: Playing) -> str:
    """Return what people call a song."""
    return " - ".join(part for part in (song.artist, song.title) if part) or "an unknown song"

"""Trivia with a clock and scores: hangbot run --app trivia:app."""

from hangbot import App, ChatMessage, Context
from hangbot.ids import Rng

app = App("trivia")

QUESTIONS = [
    ("How many minutes are in a day?", "1440"),
    ("Which planet is the largest?", "Jupiter"),
    ("How many strings has a violin?", "4"),
    ("In which city does the Thames end its way through England's capital?", "London"),
]
SECONDS = 30


@app.command("trivia", cooldown=5)
async def ask(ctx: Context, rng: Rng) -> None:
    """Ask a question."""
    if await ctx.store.get("open") is not None:
        await ctx.reply("One question at a time.")
        return
    number = int(rng.random() * len(QUESTIONS))
    await ctx.store.set("open", number)
    ctx.after(SECONDS, time_is_up, number, id="clock")
    await ctx.say(f"❓ {QUESTIONS[number][0]} ({SECONDS} s)")


@app.on(ChatMessage)
async def guessed(ctx: Context, message: ChatMessage) -> None:
    """Look whether a line is the answer: the first one wins."""
    number = await ctx.store.get("open")
    if message.direct or number is None or (message.text or "").strip().casefold() != answer_of(number):
        return
    await ctx.store.delete("open")
    ctx.cancel("clock")
    scores = await ctx.store.get("scores", {})
    scores[ctx.user.name] = scores.get(ctx.user.name, 0) + 1
    await ctx.store.set("scores", scores)
    await ctx.say(f"✔ {ctx.user.name} has it, and {scores[ctx.user.name]} points.")


async def time_is_up(ctx: Context, number: int) -> None:
    """End a question that nobody knew."""
    if await ctx.store.get("open") == number:
        await ctx.store.delete("open")
        await ctx.say(f"⏰ Time is up: {QUESTIONS[number][1]}.")


@app.command("scores")
async def show_scores(ctx: Context) -> None:
    """Say who has how many points."""
    scores: dict[str, int] = await ctx.store.get("scores", {})
    best = sorted(scores.items(), key=lambda each: (-each[1], each[0]))[:5]
    await ctx.reply(", ".join(f"{name} {points}" for name, points in best) or "Nobody has points yet.")


def answer_of(number: int) -> str:
    """Return what a line has to be."""
    return QUESTIONS[number][1].casefold()

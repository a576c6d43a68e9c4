"""A bot on hangbot: it answers /ping, rolls a die and likes the song. hangbot run --app mybot:on_message."""

import random

from hangbot import Bot, ChatMessage


async def on_message(bot: Bot, message: ChatMessage) -> None:
    """Hear every line of others, in the room and to the bot alone; a reply is never lost or doubled."""
    match (message.text or "").split():
        case ["/ping"]:
            await message.reply("pong")
        case ["/roll"]:
            await message.reply(f"You rolled a {random.randint(1, 6)}.")  # noqa: S311  a game
        case ["/roll", sides] if sides.isdecimal() and int(sides) > 0:
            await message.reply(f"You rolled a {random.randint(1, int(sides))}.")  # noqa: S311  a game
        case ["/roll", *_]:
            await message.reply("Try /roll or /roll 20.")
        case ["/bop"]:
            await bot.act("voteOnSong", songVotes={"like": True})
        case _:
            pass  # said to others

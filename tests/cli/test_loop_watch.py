"""A handler that blocks: its line is named while it does, and the bot goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.cli.stories import until

if TYPE_CHECKING:
    from tests.cli.conftest import Bench

_APP: Final = """
import time
from hangbot import App

app = App()


@app.command("block")
async def block(ctx):
    time.sleep(2.5)
    await ctx.reply("done")
"""


def test_the_line_that_blocks_is_named_and_the_bot_stays_up(bench: Bench) -> None:
    (bench.folder / "blocking.py").write_text(_APP, encoding="utf-8")
    bot = bench.start("run", "--app", "blocking:app")
    until(bot, lambda: "the chat is heard by push" in bot.err)

    bench.hear("/block")
    until(bot, lambda: "done" in bench.texts)
    bench.hear("/uptime")
    until(bot, lambda: any("has been up for" in text for text in bench.texts))

    (line,) = (line for line in bot.err.splitlines() if "holds up" in line)
    assert "blocking.py line 10 holds up the whole bot: time.sleep(2.5)." in line

"""A handler that blocks: its line is named while it does, and the bot goes on."""

from __future__ import annotations

from types import FrameType, SimpleNamespace
from typing import TYPE_CHECKING, Final, cast

from hangbot.cli.loop_watch import _report
from tests.cli.stories import until

if TYPE_CHECKING:
    import pytest

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


def test_what_has_no_line_is_named_by_its_function(caplog: pytest.LogCaptureFixture) -> None:
    code = test_what_has_no_line_is_named_by_its_function.__code__

    _report(cast("FrameType", SimpleNamespace(f_code=code, f_lineno=None)))

    assert f"line {code.co_firstlineno} holds up the whole bot: def test_what_has" in caplog.text

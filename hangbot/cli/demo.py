"""``hangbot demo``: a tour of five seconds on an embedded Hang.fm, faults included.

Nothing is scripted: the faults are set in the sandbox's servers, and the outcomes come from the code
that delivers in production.
"""

import argparse
import asyncio
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hangbot.bot.bot import Bot
from hangbot.cli import show
from hangbot.cli.context import open_embedded_sandbox, set_up_logs
from hangbot.cli.invocation import hangbot_command
from hangbot.cli.output import write_line
from hangbot.cli.preflight import print_checks
from hangbot.cli.signals import SecondSignal, stopping
from hangbot.clock import SystemClock
from hangbot.config import Settings
from hangbot.delivery.outbox import Outbox, exclusive
from hangbot.delivery.record import OutboxRow
from hangbot.delivery.stats import compute_stats
from hangbot.exit_codes import FAILED, INTERRUPTED
from hangbot.factory import open_bot, open_outbox
from hangbot.preflight import overall

if TYPE_CHECKING:
    from hangbot.sandbox import Sandbox

__all__ = ["add_arguments", "run"]

_SCALED: Final = {
    "SOCKET_TIMEOUT_MS": "500",
    "STAGE_RETRY_BASE_MS": "100",
    "STAGE_RETRY_JITTER_MS": "20",
    "HANGBOT_DRAIN_MS": "2000",
}
_AS_IN_PRODUCTION: Final = "10 s and 1 s"


@dataclass(frozen=True, slots=True)
class _Scenario:
    """A message, the chat server's fault with it, and the tier it is announced to end in."""

    text: str
    story: str
    tier: int
    fault: str | None = None
    times: int = 1
    status: int | None = None


_SCENARIOS: Final = (
    _Scenario("hello, room", "nothing goes wrong", 1),
    _Scenario("did you get this?", "the server stores it, the acknowledgement is lost", 2, "cut_after_store"),
    _Scenario("and this?", "the server does not answer in time", 2, "hang"),
    _Scenario("this one never arrives", "the server answers 503 for ever", 3, "status", times=0, status=503),
)


def add_arguments(_: argparse.ArgumentParser) -> None:
    """The tour takes no options of its own."""


def run(args: argparse.Namespace) -> int:
    """Give the tour; 1 if any outcome is not the announced one."""
    if args.log_level == "info":
        args.log_level = "error"  # the tour prints its own story
    return asyncio.run(_run(args))


async def _run(args: argparse.Namespace) -> int:
    async with open_embedded_sandbox(_SCALED) as (sandbox, settings):
        set_up_logs(args, settings)
        _print_configuration(settings)
        _headline("preflight")
        if overall(await print_checks(settings)) != "ready":
            return FAILED
        with exclusive(settings.outbox):
            async with open_outbox(settings) as outbox, open_bot(settings, outbox) as bot:
                return await _run_scenarios(bot, sandbox, outbox)


async def _run_scenarios(bot: Bot, sandbox: "Sandbox", outbox: Outbox) -> int:
    running = asyncio.create_task(bot.run(), name="hangbot-demo")
    delivering = asyncio.create_task(_deliver_all(bot, sandbox), name="hangbot-demo-scenarios")
    stopped = asyncio.Event()

    def stop() -> None:
        stopped.set()
        bot.stop()

    try:
        with stopping(stop) as signals:
            # A stopping bot settles nothing more, so that a scenario would wait for ever.
            await asyncio.wait({running, delivering}, return_when=asyncio.FIRST_COMPLETED)
            if stopped.is_set() or not delivering.done():
                await running
                write_line()
                write_line("stopped before the end")
                return INTERRUPTED if signals.first == signal.SIGINT else FAILED
            as_announced = delivering.result()
            bot.stop()
            await running
    except SecondSignal:
        return FAILED
    finally:
        delivering.cancel()
        running.cancel()
        await asyncio.gather(delivering, running, return_exceptions=True)
    rows = await outbox.rows()
    _headline("delivery report")
    for line in show.report(rows, compute_stats(rows, SystemClock().wall())):
        write_line(line)
    seen = _as_the_room_saw_it(rows, sandbox)
    write_line()
    if not (all(as_announced) and seen):
        write_line("not as announced: see above")
        return FAILED
    write_line("stopped cleanly")
    write_line(f"next: {hangbot_command()} init (docs/bot-token.md tells where a bot's token comes from)")
    return 0


async def _deliver_all(bot: Bot, sandbox: "Sandbox") -> list[bool]:
    await bot.ready()
    return [await _run_scenario(each, bot, sandbox) for each in _SCENARIOS]


async def _run_scenario(scenario: _Scenario, bot: Bot, sandbox: "Sandbox") -> bool:
    if scenario is _SCENARIOS[0]:
        _headline("messages")
    fault = scenario.fault and sandbox.faults.add(
        "chat.send", scenario.fault, times=scenario.times, status=scenario.status
    )
    (stored,) = await bot.say(scenario.text)
    end = await bot.settled(stored.message.id)
    if fault:
        sandbox.faults.remove(fault.id)
    mark = "[OK]  " if end.tier == scenario.tier else "[FAIL]"
    write_line(
        f'{mark} "{scenario.text}": {scenario.story} -> tier {end.tier}, {end.state} '
        f"after {end.attempts} attempt(s)"
    )
    return end.tier == scenario.tier


def _as_the_room_saw_it(rows: list[OutboxRow], sandbox: "Sandbox") -> bool:
    """Compare with the server: delivered messages are in the room once, the others are not."""
    stored = [message.get("muid") for message in sandbox.messages]
    once = all(stored.count(row.message.id) == (row.state == "delivered") for row in rows)
    write_line(
        f"the room saw {'every delivered message exactly once' if once else 'something else than reported'}"
    )
    return once


def _print_configuration(settings: Settings) -> None:
    _headline("configuration")
    rows = [(row.name, row.value, row.origin) for row in settings.described()]
    for line in show.table([("name", "value", "from"), *rows]):
        write_line(line)
    write_line(
        f"time-outs scaled down for the tour: {settings.ack_timeout:g} s to acknowledge, first retry after"
        f" about {settings.retry_base:g} s (in production {_AS_IN_PRODUCTION})"
    )


def _headline(text: str) -> None:
    for line in ("", text, "-" * len(text)):
        write_line(line)

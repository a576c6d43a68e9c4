"""A bot whose clock goes faster: whether that is possible is found out with a timer, and told."""

import asyncio
import stat
from pathlib import Path

import pytest

from pytest_hangfm.proof.bot_process import BotProgram
from pytest_hangfm.proof.conductor import Conductor
from pytest_hangfm.proof.haste import Haste, timer_of
from pytest_hangfm.proof.outcome import Verdict
from pytest_hangfm.proof.profile import Profile
from pytest_hangfm.proof.scenario import load
from tests.cases import cases
from tests.proof.bots.planted import Planted, need

LONG = "room-socket.long-outage"
FAKETIME = 'while [ "$1" != sh ]; do shift; done; LD_PRELOAD=/none/libfaketime.so.1 exec "$@" 2>/dev/null'


def install(folder: Path, name: str, text: str) -> str:
    """Put a program onto the PATH of the test, and return its path."""
    file = folder / name
    file.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return str(file)


@cases(
    "argv timer",
    ("node", ["node", "bot.js"], ("node", "-e", "setTimeout(() => {}, 10000)")),
    (
        "a-python-of-a-version",
        ["/usr/bin/python3.11", "bot.py"],
        ("/usr/bin/python3.11", "-c", "import asyncio; asyncio.run(asyncio.sleep(10000 / 1000))"),
    ),
    ("another-program", ["./bot"], None),
    ("no-program", [], None),
)
def test_a_timer_is_known_of_what_runs_most_bots(argv: list[str], timer: tuple[str, ...] | None) -> None:
    assert timer_of(argv) == timer


def test_without_faketime_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert Haste.find(20, ["node", "bot.js"]).why_not == (
        "faketime is not installed: install it (`apt install faketime`), or use --long"
    )


def test_a_program_of_which_nothing_is_known_is_not_hastened() -> None:
    assert "is known of node, deno" in Haste.find(20, ["./bot"]).why_not


@pytest.mark.usefixtures("path")
def test_where_a_timer_is_over_early_the_bot_is_given_what_made_it_so(tmp_path: Path) -> None:
    node = install(tmp_path, "node", '[ "$FAKETIME" = "+0 x20" ] || sleep 10')
    install(tmp_path, "faketime", FAKETIME)

    haste = Haste.find(20, [node, "bot.js"])

    assert haste.why_not == ""
    assert (haste.env["FAKETIME"], haste.env["LD_PRELOAD"]) == ("+0 x20", "/none/libfaketime.so.1")


@pytest.mark.slow
@pytest.mark.usefixtures("path")
def test_where_a_timer_takes_its_time_it_is_said_that_it_does(tmp_path: Path) -> None:
    node = install(tmp_path, "node", "exec sleep 10")
    install(tmp_path, "faketime", FAKETIME)

    assert (
        Haste.find(20, [node, "bot.js"]).why_not == "faketime does not reach the timers of node: use --long"
    )


@pytest.fixture
def path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Look for programs in the test's folder first."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("LD_PRELOAD", raising=False)


async def test_what_only_waits_is_not_exercised_where_no_clock_goes_faster(tmp_path: Path) -> None:
    program = BotProgram((), tmp_path, {}, copied=False, haste=Haste(20, why_not="faketime is not installed"))
    conductor = Conductor(program, Profile(), asyncio.Semaphore(), lambda *_: None)

    outcome = await conductor.outcome(load()[LONG])

    assert outcome.verdicts[0] == Verdict(LONG, "not_exercised", "faketime is not installed")


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_eighteen_minutes_are_over_within_one(tmp_path: Path) -> None:
    need("node")
    bot = Planted("", "node")
    haste = Haste.find(20, bot.argv)
    if haste.why_not:
        pytest.skip(haste.why_not)
    program = BotProgram(bot.argv, tmp_path, bot.env, copied=True, haste=haste)
    conductor = Conductor(program, bot.profile, asyncio.Semaphore(), lambda *_: None)

    outcome = await conductor.outcome(load()[LONG])

    assert (outcome.kind, [each.blames for each in outcome.played]) == ("pass", [()])

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hangbot.delivery.outbox import Outbox, exclusive
from hangbot.errors import ConfigError, TokenRejected
from hangbot.factory import open_subject
from hangbot.preflight import CHECKS, CheckResult, results_for_bad_config, run_check
from hangbot.preflight.model import Check, CheckContext, Finding, skipped_because
from pytest_hangfm.manual_clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hangbot.config import Settings
    from hangbot.sandbox import Sandbox

DAY = 86_400
(EXPIRY,) = (question for question in CHECKS if question.id == "token.expiry")
(OUTBOX,) = (question for question in CHECKS if question.id == "outbox")
(GROUP,) = (question for question in CHECKS if question.id == "chat.group")


async def test_without_a_service_to_ask_a_token_is_judged_by_this_machines_clock(
    hangfm_settings: Settings,
) -> None:
    clock = ManualClock(wall=time.time() + 4000 * DAY)
    settings = hangfm_settings.with_changes(gateway_url="http://127.0.0.1:9")

    async with open_subject(settings, clock=clock) as subject:
        result = await run_check(EXPIRY, subject)

    assert (result.verdict, result.message) == ("rejected", "BOT_USER_TOKEN expired 350.0 days ago")


async def test_a_service_is_asked_for_its_time_only_when_the_token_seems_wrong(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    async with open_subject(hangfm_settings) as subject:
        await run_check(EXPIRY, subject)

    assert hangfm_sandbox.journal.events(service="gateway") == []


async def test_where_the_gateway_cannot_be_asked_an_unknown_group_is_only_that(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    settings = hangfm_settings.with_changes(
        room_uuid="unknown", chat_token=hangfm_sandbox.bot.chat_token, gateway_url="http://127.0.0.1:9"
    )

    async with open_subject(settings) as subject:
        result = await run_check(GROUP, subject)

    assert result.message.endswith("; the gateway cannot be asked")
    assert result.remedy == "Check ROOM_UUID; the room may be closed."


async def test_no_answer_shows_a_secret_whoever_says_it(hangfm_settings: Settings) -> None:
    token = hangfm_settings.bot_user_token.get_secret_value()

    async def leak(_: CheckContext) -> Finding:
        raise TokenRejected(f"who is {token}?", service="room", remedy=f"Not {token}.")

    async with open_subject(hangfm_settings) as subject:
        result = await run_check(Check("own", "Own", leak), subject)

    assert (result.message, result.remedy) == ("who is <masked>?", "Not <masked>.")


def test_the_cause_at_the_root_is_named() -> None:
    first = CheckResult("a", "Is a", "rejected", "no")
    second = skipped_because(Check("b", "Is b", _never, ("a",)), [first])
    assert second is not None

    third = skipped_because(Check("c", "Is c", _never, ("b",)), [first, second])

    assert third is not None
    assert (second.message, third.message) == ('because of "Is a"', 'because of "Is a"')


def test_an_unusable_configuration_is_one_rejection() -> None:
    results = results_for_bad_config(ConfigError("two", faults=["A: missing", "B: wrong"]))

    assert [result.id for result in results] == [question.id for question in CHECKS]
    assert results[0].message == "A: missing; B: wrong"
    assert {result.verdict for result in results[1:]} == {"skipped"}


async def _never(_: CheckContext) -> Finding:
    pytest.fail("asked")


@pytest.fixture
def a_file_of_root() -> Iterator[Path]:
    """A file in a folder that everybody may write to; who runs the test may only read the file."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    path = folder / "outbox.sqlite3"
    yield path
    shutil.rmtree(folder)


async def test_an_outbox_that_can_only_be_read_is_not_ready(
    a_file_of_root: Path, hangfm_settings: Settings
) -> None:
    path = a_file_of_root
    outbox = Outbox(path)
    await outbox.open()
    await outbox.close()
    path.chmod(0o444)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65_534)
    try:
        async with open_subject(hangfm_settings.with_changes(outbox=path)) as subject:
            result = await run_check(OUTBOX, subject)
    finally:
        if is_root:
            os.seteuid(0)

    assert result.verdict == "rejected"
    assert str(path) in result.message
    assert "HANGBOT_OUTBOX" in result.remedy


async def test_an_outbox_that_is_ready_has_been_written_to(hangfm_settings: Settings) -> None:
    outbox = Outbox(hangfm_settings.outbox)
    await outbox.open()
    await outbox.close()
    with closing(sqlite3.connect(hangfm_settings.outbox)) as other:
        before = other.execute("PRAGMA data_version").fetchone()

        async with open_subject(hangfm_settings) as subject:
            result = await run_check(OUTBOX, subject)

        after = other.execute("PRAGMA data_version").fetchone()
    assert result.verdict == "ok"
    assert after != before


async def test_an_outbox_that_cannot_be_locked_is_not_ready(hangfm_settings: Settings) -> None:
    hangfm_settings.outbox.with_name(f"{hangfm_settings.outbox.name}.lock").mkdir()

    async with open_subject(hangfm_settings) as subject:
        result = await run_check(OUTBOX, subject)

    assert result.verdict == "rejected"
    assert "the lock file" in result.message


async def test_a_bot_that_holds_its_outbox_finds_it_ready(hangfm_settings: Settings) -> None:
    with exclusive(hangfm_settings.outbox):
        async with open_subject(hangfm_settings) as subject:
            result = await run_check(OUTBOX, subject)

    assert result.verdict == "ok"
    assert result.message.endswith("was written and locked")

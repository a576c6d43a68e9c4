import asyncio
import errno
import json
import logging
import re
import threading
import warnings

import pytest

from hangbot import logs
from hangbot.redact import Redactor
from hangbot.text import printable_lines
from pytest_hangfm.manual_clock import ManualClock
from tests.bounds import WITHIN

SECRET = "uid-1_0123456789abcdef"


def test_a_line_for_people_has_time_logger_level_and_message(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("text", "info", Redactor())

    logging.getLogger("hangbot.hangfm.room").warning("[SOCKET] %s", "lost")

    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.fullmatch(r"\S+ \S+ \| hangbot\.hangfm\.room \| WARNING \| \[SOCKET\] lost\n", printed.err)


def test_a_line_for_machines_is_an_object_of_what_the_record_has(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("json", "info", Redactor(), room="a-room")

    logging.getLogger("hangbot").info(
        "two\nlines", extra={"action": "room_lost", "wait_s": 1.5, "odd": object()}
    )

    (line,) = capsys.readouterr().err.splitlines()
    row = json.loads(line)
    assert (row["logger"], row["level"], row["message"]) == ("hangbot", "INFO", "two\nlines")
    assert (row["event"], row["room"], row["wait_s"]) == ("room_lost", "a-room", 1.5)
    assert "action" not in row
    assert row["at"].endswith("+00:00")


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_secret_is_in_no_line_extra_or_traceback(
    log_format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.set_up(log_format, "debug", Redactor([SECRET]))

    try:
        int(SECRET)
    except ValueError:
        logging.getLogger("somebody.elses").exception("%s", SECRET, extra={"where": {"authToken": SECRET}})

    printed = capsys.readouterr().err
    assert "ValueError" in printed
    assert SECRET not in printed


HOSTILE = "hi\x1b[2J\r\n2026-01-01 00:00:00,000 | hangbot | ERROR | forged\u2028\u202egnp\ud83d\x9b31m"


def test_no_text_of_another_is_raw_in_a_line_or_begins_one(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("text", "info", Redactor())

    logging.getLogger("an.app").error("heard %s", HOSTILE, exc_info=ValueError(HOSTILE), stack_info=True)
    logging.getLogger("websockets").error("the server said %s", HOSTILE)

    printed = capsys.readouterr().err
    at_the_margin = [line for line in printed.split("\n") if line and not line.startswith("    ")]
    assert [line.split(" | ")[1] for line in at_the_margin] == ["an.app", "websockets"]
    assert r"hi\x1b[2J\r\n2026-01-01" in printed
    assert printable_lines(printed) == printed


def test_a_line_for_machines_has_the_text_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("json", "info", Redactor())

    logging.getLogger("an.app").info("%s", HOSTILE)

    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["message"] == HOSTILE


def test_libraries_are_heard_from_warnings_on(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("text", "info", Redactor())

    logging.getLogger("httpx").info("HTTP Request: GET http://x")
    logging.getLogger("httpx").warning("odd")

    assert "HTTP Request" not in (printed := capsys.readouterr().err)
    assert "odd" in printed


@pytest.mark.parametrize(("level", "heard"), [("debug", True), ("info", False)])
def test_frames_are_heard_at_debug(level: str, heard: bool, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: FBT001  a column of the table
    logs.set_up("text", level, Redactor())

    logging.getLogger("hangbot.websocket").debug("> TEXT 'hello'")

    assert ("> TEXT" in capsys.readouterr().err) is heard


def test_setting_up_again_replaces_what_was(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("text", "info", Redactor())
    logs.set_up("text", "error", Redactor())

    logging.getLogger("hangbot").warning("quiet")
    logging.getLogger("hangbot").error("loud")

    assert capsys.readouterr().err.count("\n") == 1


def test_what_python_would_print_itself_is_a_log_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("text", "info", Redactor([SECRET]))

    def fail() -> None:
        raise ValueError(HOSTILE + SECRET)

    thread = threading.Thread(target=fail, name="an-app")
    thread.start()
    thread.join(WITHIN)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(HOSTILE, stacklevel=1)

    printed = capsys.readouterr().err
    assert "| hangbot | ERROR | [ERROR] thread an-app ended with an exception\n    Traceback" in printed
    assert "| py.warnings | WARNING | " in printed
    assert printable_lines(printed) == printed
    assert SECRET not in printed
    assert all(line.startswith(("    ", "20")) for line in printed.splitlines())
    assert "\n2026-01-01" not in printed


def test_that_no_connection_can_be_taken_is_one_line_now_and_then_and_no_hundred_tracebacks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.set_up("text", "info", Redactor())

    for _ in range(100):  # as asyncio does, each second
        try:
            raise OSError(errno.EMFILE, "Too many open files")  # noqa: TRY301  as asyncio meets it
        except OSError:
            logging.getLogger("asyncio").exception("socket.accept() out of system resource\nsocket: x")

    (line,) = capsys.readouterr().err.splitlines()
    assert "Too many open files. Let it open more files: `ulimit -n 1024`" in line


def test_a_line_that_repeats_itself_is_folded_and_the_count_comes_with_the_time(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = logs.set_up("json", "info", Redactor([SECRET]))
    clock = ManualClock(wall=2e9)

    async def settle() -> None:
        async with log.settling(clock):
            await clock.advance(1.0)

    for _ in range(3):
        logging.getLogger("hangbot").warning("again %s", SECRET, extra={"action": "again"})
    asyncio.run(settle())

    first, told = map(json.loads, capsys.readouterr().err.splitlines())
    assert (first["message"], told["times"], told["event"]) == ("again <masked>", 2, "again")
    assert told["message"].startswith("… 2 more times in 0.0 s: again <masked>")
    assert [line.text for line in log.recent.lines()] == [first["message"], told["message"]]


def test_what_was_held_back_is_shown_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("text", "info", Redactor())
    for _ in range(3):
        logging.getLogger("hangbot").warning("again")

    logs.set_up("text", "info", Redactor())

    assert "… 2 more times in 0.0 s: again\n" in capsys.readouterr().err

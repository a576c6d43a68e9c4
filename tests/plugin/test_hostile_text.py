"""What others write does not reach the terminal raw, nor the report."""

import json
import logging
import re
from pathlib import Path

import pytest

from hangbot.text import printable_lines
from pytest_hangfm.reporting.escaping import escape_record, escape_surrogates, escape_text

HOSTILE = "hi\x1b[2J\x1b[31m\r\n2026-01-01 00:00:00,000 ERROR forged\u2028\u202egnp\u200b\x9b31m\x7f"

COLOURS = re.compile(r"\x1b\[[\d;]*m")

INNER = f"""
    import logging
    import warnings

    HOSTILE = {HOSTILE!r}

    async def test_what_somebody_says(hangfm_bot, hangfm_user, hangfm_room_log, hangfm_acks):
        await hangfm_user.say(HOSTILE)
        logging.getLogger("an.app").warning("heard %s", HOSTILE)
        warnings.warn(UserWarning(HOSTILE))
        await hangfm_room_log.expect("never said", within=0.01)

    async def test_what_an_app_raises(hangfm_sandbox):
        raise ValueError(HOSTILE)

    def test_what_is_compared(hangfm_target):
        assert HOSTILE == "hi"

    def test_of_somebody_elses():
        raise ValueError("a\\tb")
"""


@pytest.mark.parametrize("colour", ["no", "yes"])
def test_no_text_of_another_is_raw_in_terminal_or_report(inner: pytest.Pytester, colour: str) -> None:
    inner.makepyfile(INNER)

    result = inner.runpytest_subprocess(
        f"--color={colour}",
        "-rA",
        "-v",
        "--alluredir=allure",
        "-W",
        "default",
        "-o",
        "asyncio_mode=auto",
        "-o",
        "log_cli=true",
    )

    printed = result.stdout.str().replace("a\tb", "a b")  # a test that has nothing to do with hangbot
    if colour == "yes":
        printed = COLOURS.sub("", printed)
    assert printable_lines(printed) == printed
    assert r"hi\x1b[2J" in printed
    assert not re.search("^2026-01-01", printed, re.MULTILINE)
    for file in Path(inner.path, "allure").glob("*-result.json"):
        text = json.dumps(json.loads(file.read_text(encoding="utf-8")), ensure_ascii=False)
        assert not re.search("\x1b|\\\\u00(1b|9b|7f)|\u202e|\u2028|\u200b", text.replace(r"\\u", "")), file
    for file in (*inner.path.glob("allure/*.txt"), *inner.path.glob("allure/*.svg")):
        text = file.read_text(encoding="utf-8")
        text = COLOURS.sub("", text) if colour == "yes" else text  # pytest's own, of its log
        assert printable_lines(text) == text, file


def test_colours_of_pytests_own_stay_where_there_are_any() -> None:
    text = "\x1b[31mE\x1b[0m \x1b[39;49;00mdiff\x1b[8m hidden\x1b[2J"

    assert escape_text(text, colours=True) == "\x1b[31mE\x1b[0m \x1b[39;49;00mdiff\\x1b[8m hidden\\x1b[2J"
    assert "\x1b" not in escape_text(text)


def test_half_a_character_is_escaped() -> None:
    assert escape_surrogates("half: \ud800 \udc80 é") == "half: \\ud800 \\udc80 é"


def test_of_a_record_only_its_first_line_stands_at_the_margin() -> None:
    record = logging.makeLogRecord({"msg": "heard %s", "args": (HOSTILE,), "exc_info": None})
    failed = logging.makeLogRecord({"msg": "failed", "exc_info": (ValueError, ValueError(HOSTILE), None)})

    formatter = logging.Formatter("%(message)s")

    assert formatter.format(escape_record(record)).split("\n")[1].startswith("    2026-01-01")
    assert [line[:4] for line in formatter.format(escape_record(failed)).split("\n")[1:]] == ["    "] * 2
    assert record.getMessage() == f"heard {HOSTILE}"

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hangbot.config import Settings
from hangbot.preflight import (
    CheckResult,
    append_step_summary,
    coloured,
    describe_target,
    preflight_row,
    result_lines,
    unwritable_summary,
    verdict_line,
)


@pytest.mark.parametrize(
    ("verdict", "lines"),
    [
        ("ok", ["[OK]   Title: all is well"]),
        ("warn", ["[WARN] Title: all is well", "       -> do that"]),
        ("rejected", ["[FAIL] Title: all is well", "       -> do that"]),
        ("cannot_tell", ["[????] Title: all is well", "       -> do that"]),
        ("skipped", ["[SKIP] Title: all is well", "       -> do that"]),
    ],
)
def test_a_check_is_a_line_and_under_a_bad_one_is_what_to_do(verdict: str, lines: list[str]) -> None:
    result = CheckResult("id", "Title", verdict, "all is\n  well", "do that")  # type: ignore[arg-type]  # the table's

    assert list(result_lines(result)) == lines


def test_a_preflight_in_json_is_the_contracts() -> None:
    row = preflight_row([CheckResult("id", "Title", "ok", "well", "", 1.5)], "ready", target="live")

    named = {"id": "id", "title": "Title", "verdict": "ok"}
    check = named | {"message": "well", "remedy": "", "duration_ms": 1.5}
    assert row == {"schema": 1, "target": "live", "verdict": "ready", "checks": [check]}


def test_a_verdict_is_in_words() -> None:
    assert verdict_line("cannot_tell", "room x") == "CANNOT TELL: room x"


@pytest.mark.parametrize(
    ("tty", "env", "mark"),
    [
        pytest.param(True, {}, "\x1b[32m[OK]\x1b[0m", id="a terminal"),
        pytest.param(True, {"NO_COLOR": "1"}, "[OK]", id="NO_COLOR"),
        pytest.param(True, {"TERM": "dumb"}, "[OK]", id="a dumb terminal"),
        pytest.param(False, {}, "[OK]", id="a pipe"),
    ],
)
def test_marks_are_coloured_for_who_wants_to_see_colours(
    tty: bool,  # noqa: FBT001  a column of the table
    env: dict[str, str],
    mark: str,
) -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return tty

    line = coloured("[OK]   All is well: it is", "ok", Screen(), env)

    assert line == f"{mark}   All is well: it is"


@pytest.mark.parametrize(
    ("urls", "words"),
    [
        pytest.param({}, 'room "Sandbox" on openchat.prod.tt.fm', id="the service"),
        pytest.param(
            {"room_url": "http://127.0.0.1:1"},
            'room "Sandbox" on openchat.prod.tt.fm and 127.0.0.1:1 (in part this machine)',
            id="in part",
        ),
        pytest.param(
            dict.fromkeys(("room_url", "chat_url", "gateway_url"), "http://127.0.0.1:1"),
            'room "Sandbox" on 127.0.0.1:1 (this machine: nothing live was checked)',
            id="the sandbox",
        ),
        pytest.param({"chat_url": "https://chat.example"}, 'room "Sandbox" on chat.example', id="another"),
    ],
)
def test_the_target_is_told_in_words(urls: dict[str, str], words: str) -> None:
    settings = Settings.from_env({"BOT_USER_TOKEN": "t", "ROOM_UUID": "r"}).with_changes(**urls)
    learnt = [CheckResult("config", "", "ok", ""), CheckResult("chat.group", "", "ok", "", room="Sandbox")]

    assert describe_target(settings, learnt) == words
    assert describe_target(settings) == words.replace('"Sandbox"', "r")


def test_a_check_is_a_row_whatever_characters_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    result = CheckResult("chat.token", "Chat token | is accepted", "warn", "one\ntwo", "do | this")

    append_step_summary([result], "cannot_tell", "room a|b", {"GITHUB_STEP_SUMMARY": str(path)})

    assert path.read_text().splitlines() == [
        "### CANNOT TELL: room a\\|b",
        "",
        "| | check | found | remedy |",
        "|---|---|---|---|",
        "| warn | Chat token \\| is accepted | one two | do \\| this |",
        "",
    ]


@pytest.mark.parametrize("env", [{}, {"GITHUB_STEP_SUMMARY": ""}], ids=["not set", "empty"])
def test_where_no_page_is_named_none_is_written(tmp_path: Path, env: dict[str, str]) -> None:
    append_step_summary([], "ready", "here", env)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        pytest.param(Path.mkdir, "Is a directory", id="a folder"),
        pytest.param(os.mkfifo, "No such device or address", id="a pipe that nobody reads"),
        pytest.param(lambda path: path.symlink_to("/dev/full"), "No space left on device", id="a full disk"),
        pytest.param(lambda path: path.symlink_to("gone/it"), "No such file or directory", id="no folder"),
    ],
)
def test_a_page_that_cannot_be_had_says_why(
    spoil: Callable[[Path], object], why: str, tmp_path: Path
) -> None:
    page = tmp_path / "page"
    spoil(page)

    with pytest.raises(OSError, match=why) as caught:
        append_step_summary([], "ready", "here", {"GITHUB_STEP_SUMMARY": str(page)})

    assert unwritable_summary(caught.value) == (
        f"{page} cannot be written: {why}. "
        "Let GITHUB_STEP_SUMMARY name a file that can be written, or unset it."
    )

import re
from pathlib import Path

import pytest

from hangbot import __version__
from hangbot.cli.commands import COMMANDS, parse


def test_without_a_command_it_runs() -> None:
    args = parse([])

    assert (args.command, args.sandbox, args.env_file) == ("run", False, None)
    assert (args.log_format, args.log_level, args.app) == ("text", "info", None)


@pytest.mark.parametrize(
    "argv",
    [
        pytest.param(["--env-file", "x.env", "--log-level", "debug", "outbox", "list"], id="before"),
        pytest.param(["outbox", "--env-file", "x.env", "--log-level", "debug", "list"], id="between"),
        pytest.param(["outbox", "list", "--env-file", "x.env", "--log-level", "debug"], id="after"),
        pytest.param(["--log-level", "debug", "outbox", "list", "--env-file", "x.env"], id="both"),
    ],
)
def test_common_options_stand_before_or_after_the_command(argv: list[str]) -> None:
    args = parse(argv)

    assert (args.command, args.what) == ("outbox", "list")
    assert (args.env_file, args.log_level) == (Path("x.env"), "debug")


def test_an_option_after_the_command_wins_over_one_before_it() -> None:
    assert parse(["--log-level", "debug", "run", "--log-level", "error"]).log_level == "error"


@pytest.mark.parametrize(
    ("argv", "meant"),
    [
        (["sned", "hi"], "send"),
        (["outbox", "lst"], "list"),
        (["outbox", "list", "--faild"], "--failed"),
        (["outbox", "list", "--jsno=3"], "--json"),
        (["run", "--sandbx"], "--sandbox"),
        (["--envfile", "x.env", "run"], "--env-file"),
        (["send", "hi", "--wiat", "3"], "--wait"),
        (["run", "--log-level", "debgu"], "debug"),
        (["frobnicate"], None),
        (["run", "--frobnicate"], None),
        (["run", "extra"], None),
    ],
)
def test_what_is_misspelt_is_answered_with_what_was_meant(
    argv: list[str], meant: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(argv)

    last = capsys.readouterr().err.splitlines()[-1]
    assert ended.value.code == 2
    assert last.endswith(f"; did you mean {meant}?") if meant else "did you mean" not in last


@pytest.mark.parametrize("path", ["", "-"])
@pytest.mark.parametrize(
    "argv",
    [
        ["bundle"],
        ["outbox", "backup"],
        ["new"],
        ["replay", "it.zip", "--as-test"],
        ["sandbox", "--env-out"],
        ["sandbox", "--record"],
        ["prove", "--report"],
        ["fleet", "dev", "--keep"],
    ],
    ids=" ".join,
)
def test_what_is_made_is_a_file_and_no_standard_output(
    argv: list[str], path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse([*argv, path])

    assert ended.value.code == 2
    assert capsys.readouterr().err.endswith(f"{path!r} is no path of what is to be made\n")


def test_a_wrong_call_shows_no_token_and_nothing_terminals_act_on(capsys: pytest.CaptureFixture[str]) -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoiYm90In0.c2lnbmF0dXJl"

    with pytest.raises(SystemExit):
        parse(["run", token, "\x1b[2J"])

    said = capsys.readouterr().err
    assert token not in said
    assert "\x1b" not in said


@pytest.mark.parametrize(
    "argv",
    [
        ["hello", "dear", "world", "--id", "m-1"],
        ["--id", "m-1", "hello", "dear", "world"],
        ["hello", "--id", "m-1", "dear", "world"],
        ["hello dear world", "--id=m-1"],
    ],
)
def test_a_text_may_be_several_words(argv: list[str]) -> None:
    args = parse(["send", *argv])

    assert (args.text, args.id) == ("hello dear world", "m-1")


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["dance"], "invalid choice: 'dance'"),
        (["--frobnicate"], "unrecognized arguments"),
        (["send"], "either TEXT or --stdin"),
        (["send", "hi", "--stdin"], "either TEXT or --stdin"),
        (["send", "--stdin", "--id", "m-1"], "--id goes with TEXT"),
        (["send", "hi", "--wait", "soon"], "'soon' is no number of seconds"),
        (["send", "hi", "--wait", "-1"], "is no number of seconds"),
        (["send", "hi", "--wait", "nan"], "is no number of seconds"),
        (["send", "hi", "--wait", "inf"], "is no number of seconds"),
        (["outbox"], "required: list|show|retry|drop|stats|backup"),
        (["outbox", "show"], "ID"),
        (["outbox", "drop"], "ID"),
        (["sandbox", "--room-port", "65536"], "is no port"),
        (["sandbox", "--room-port", "-1"], "is no port"),
        (["sandbox", "--http-port", "http"], "is no port"),
        (["sandbox", "--history", "0"], "is no number from 1 on"),
        (["sandbox", "--dialect", "irc"], "invalid choice"),
        (["run", "--log-level", "loud"], "invalid choice"),
    ],
)
def test_a_wrong_call_ends_with_2_and_says_what_is_wrong(
    argv: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(argv)

    printed = capsys.readouterr()
    assert ended.value.code == 2
    assert says in printed.err
    assert printed.out == ""


@pytest.mark.parametrize(
    ("given", "wait"), [([], None), (["--wait"], 60.0), (["--wait", "2.5"], 2.5), (["--wait", "0"], 0.0)]
)
def test_waiting_takes_seconds_or_a_default(given: list[str], wait: float | None) -> None:
    assert parse(["send", "hi", *given]).wait == wait


def test_states_of_a_listing_add_up() -> None:
    assert parse(["outbox", "list", "--failed", "--uncertain"]).states == ["failed", "uncertain"]
    assert parse(["outbox", "list"]).states is None


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_tells_the_exit_codes(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse([command, "--help"])

    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert "exit codes: 0 done; 1 it failed; 2 configuration or usage, known before" in said
    assert "3 cannot tell" in said
    assert "4 kicked or banned by the room: not to be started again by itself;" in said
    assert "130 Ctrl-C" in said
    assert "--env-file" in said


@pytest.mark.parametrize("what", ["list", "show", "retry", "drop", "stats", "backup"])
def test_the_help_of_the_outbox_is_in_words(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["outbox", "--help"])

    said = capsys.readouterr().out
    assert f"    {what} " in said
    assert not re.search("[a-z]_[a-z]", re.sub("`[^`]*`", "", said))


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--version"])

    assert capsys.readouterr().out == f"hangbot {__version__}\n"

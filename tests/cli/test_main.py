from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hangbot import __version__
from hangbot.cli import main
from hangbot.cli import outbox as command
from hangbot.cli.app import load_app, load_apps
from hangbot.errors import ConfigError, HangbotError, OutboxBusy, Unreachable, UsageError

if TYPE_CHECKING:
    from tests.cli.conftest import Call

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"


ONE_FAULT = ConfigError("configuration: A: missing", faults=["A: missing"], remedy="Set it.")
TWO_FAULTS = ConfigError("2 faults", faults=["A: missing", "B: wrong"], remedy="Set them.")
TWO_LINES = "A: missing\nhangbot: B: wrong\nhangbot: Set them."
OUR_BUG = "a fault of hangbot itself (ZeroDivisionError): report what --log-level debug shows"


@pytest.mark.parametrize(
    ("error", "code", "printed"),
    [
        pytest.param(HangbotError("it broke.", remedy="Mend it."), 1, "it broke. Mend it.", id="failed"),
        pytest.param(OutboxBusy("busy"), 1, f"busy. {OutboxBusy.remedy}", id="busy"),
        pytest.param(UsageError("wrong", remedy="Right."), 2, "wrong. Right.", id="usage"),
        pytest.param(ONE_FAULT, 2, "configuration: A: missing. Set it.", id="one fault"),
        pytest.param(TWO_FAULTS, 2, TWO_LINES, id="two faults"),
        pytest.param(
            Unreachable("no way", service="c", remedy="Wait."), 3, "no way. Wait.", id="cannot tell"
        ),
        pytest.param(HangbotError(f"what is {JWT}"), 1, None, id="a token"),
        pytest.param(KeyboardInterrupt(), 130, "interrupted", id="Ctrl-C"),
        pytest.param(ZeroDivisionError("x"), 1, OUR_BUG, id="our own bug"),
    ],
)
def test_every_end_is_one_line_with_cause_and_remedy_and_its_exit_code(
    error: BaseException, code: int, printed: str | None, monkeypatch: pytest.MonkeyPatch, call: Call
) -> None:
    def fail(_args: object) -> int:
        raise error

    monkeypatch.setattr(command, "run", fail)

    said = call("outbox", "list")

    assert (said.code, said.out) == (code, "")
    if printed is not None:
        assert said.err == f"hangbot: {printed}\n"
    assert JWT not in said.err


def test_a_bug_shows_its_traceback_where_that_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_args: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(command, "run", fail)

    with pytest.raises(ZeroDivisionError):
        main(["--log-level", "debug", "outbox", "list"])


@pytest.mark.parametrize("given", [["--version"], ["--vers"], ["--version", "run"]])
def test_the_version_is_answered_however_asked(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = main(given)
    except SystemExit as ended:  # argparse's own way, where there is more to read than the one word
        code = int(ended.code or 0)

    assert (code, capsys.readouterr().out) == (0, f"hangbot {__version__}\n")


def test_the_version_is_answered_before_anything_else_is_loaded() -> None:
    ask = "import sys; from hangbot.cli import main; main(['--version']); print(*sys.modules)"

    asked = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)  # noqa: S603  our own words

    version, modules = asked.stdout.splitlines()
    assert version == f"hangbot {__version__}"
    assert {name for name in modules.split() if name.startswith("hangbot")} == {
        "hangbot",
        "hangbot.cli",
        "hangbot.cli.early_signals",
        "hangbot.cli.output",
    }
    assert "argparse" not in modules.split()


APPS = [
    pytest.param(ast.literal_eval(code), given, says, id=name)
    for block in (Path(__file__).parent / "samples" / "apps.txt").read_text(encoding="utf-8").split("\n\n")
    for name, call, says in [block.strip().split("\n")]
    for code, _, given in [call.rpartition(" ")]
]
"""A module's code, what of it is named as the app, and what is said of that."""


@pytest.mark.parametrize(("code", "given", "says"), APPS)
def test_an_app_that_cannot_be_had_is_a_wrong_call_and_no_fault_of_hangbot(
    code: str, given: str, says: str, folder: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    name = f"app_{abs(hash((code, given)))}"
    (folder / f"{name}.py").write_text(code)
    importlib.invalidate_caches()

    said = call("run", "--sandbox", "--app", given.replace("mod", name))

    assert says in said.line(2).replace(name, "mod")
    assert said.err.startswith("hangbot: --app ")


def test_an_app_is_found_in_the_working_directory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (folder / "my_own_bot.py").write_text("async def hear(bot, message): ...")

    app = load_app("my_own_bot:hear")

    assert callable(app)
    assert load_apps(None, folder) is None


def test_a_reader_that_left_is_no_fault(folder: Path, monkeypatch: pytest.MonkeyPatch, call: Call) -> None:
    (folder / "hangbot-outbox.sqlite3").touch()
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", encoding="utf-8") as gone:
        monkeypatch.setattr(sys, "stdout", gone)

        said = call("outbox", "stats")

        gone.flush()  # as the interpreter does at its end: it must not fail again
        monkeypatch.undo()
    assert (said.code, said.err) == (1, "")

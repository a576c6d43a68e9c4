"""Results of checks as lines, JSON and a table on a CI page: for `hangbot preflight` and for pytest alike."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, TextIO
from urllib.parse import urlsplit

from hangbot.config import Settings
from hangbot.net import is_loopback
from hangbot.preflight.model import CheckResult, Overall, Verdict
from hangbot.text import one_line, printable

__all__ = [
    "append_step_summary",
    "coloured",
    "describe_target",
    "preflight_row",
    "result_lines",
    "unwritable_summary",
    "verdict_line",
]

_VARIABLE: Final = "GITHUB_STEP_SUMMARY"
_MARKS: Final[Mapping[Verdict, str]] = {
    "ok": "[OK]  ",
    "warn": "[WARN]",
    "rejected": "[FAIL]",
    "cannot_tell": "[????]",
    "skipped": "[SKIP]",
}
_COLOURS: Final[Mapping[Verdict, str]] = {
    "ok": "32",
    "warn": "33",
    "rejected": "31",
    "cannot_tell": "31",
    "skipped": "33",
}


def coloured(line: str, verdict: Verdict, stream: TextIO, environ: Mapping[str, str] = os.environ) -> str:
    """Colour the mark of a check's line on a terminal that accepts colours."""
    mark = _MARKS[verdict].rstrip()
    plain = environ.get("NO_COLOR") or environ.get("TERM") == "dumb" or not stream.isatty()
    if plain or not line.startswith(mark):
        return line
    return f"\x1b[{_COLOURS[verdict]}m{mark}\x1b[0m{line[len(mark) :]}"


def result_lines(result: CheckResult) -> Iterator[str]:
    """Show a check, and below it the remedy where it did not pass."""
    yield f"{_MARKS[result.verdict]} {result.title}: {one_line(result.message)}"
    if result.remedy and result.verdict != "ok":
        yield f"       -> {result.remedy}"


def verdict_line(verdict: Overall, target: str) -> str:
    """Show the verdict of a run, and what was checked."""
    return f"{verdict.upper().replace('_', ' ')}: {target}"


def preflight_row(results: Sequence[CheckResult], verdict: Overall, *, target: str) -> dict[str, object]:
    """Return the contract's JSON of a preflight."""
    checks = [
        {
            "id": result.id,
            "title": result.title,
            "verdict": result.verdict,
            "message": result.message,
            "remedy": result.remedy,
            "duration_ms": result.duration_ms,
        }
        for result in results
    ]
    return {"schema": 1, "target": target, "verdict": verdict, "checks": checks}


def describe_target(settings: Settings, results: Sequence[CheckResult] = ()) -> str:
    """Say what was checked: the room, by its name where a check has learned it, and on which host."""
    name = next((result.room for result in results if result.room), None)
    room = f'room "{one_line(name)}"' if name else f"room {settings.room_uuid}"
    where = list(dict.fromkeys(_host(url) for url in (settings.chat_url, settings.room_url)))
    local = [is_loopback(url) for url in (settings.chat_url, settings.gateway_url, settings.room_url)]
    if all(local):
        return f"{room} on {where[0]} (this machine: nothing live was checked)"
    hosts = where[:1] if not any(local) else where
    return f"{room} on {' and '.join(hosts)}" + (" (in part this machine)" if any(local) else "")


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


def append_step_summary(
    results: Sequence[CheckResult], verdict: Overall, where: str, environ: Mapping[str, str] = os.environ
) -> None:
    """Append a table to the file that ``GITHUB_STEP_SUMMARY`` names; nothing where it is not set.

    Args:
        results: The results, in the order of the checks.
        verdict: Their verdict.
        where: What was checked, in words.
        environ: Where the file is named.

    Raises:
        OSError: It cannot be written.
    """
    if not environ.get(_VARIABLE):
        return
    path = Path(environ[_VARIABLE])
    # Non-blocking, because opening a pipe without a reader would otherwise never return.
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, 0o666)
    try:
        with os.fdopen(handle, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(f"{line}\n" for line in _markdown(results, verdict, where))
    except OSError as exc:
        exc.filename = path
        raise


def unwritable_summary(error: OSError) -> str:
    """Say that the page cannot be written, and what to do."""
    return (
        f"{error.filename} cannot be written: {error.strerror}. "
        f"Let {_VARIABLE} name a file that can be written, or unset it."
    )


def _markdown(results: Sequence[CheckResult], verdict: Overall, where: str) -> Iterator[str]:
    yield f"### {verdict_line(verdict, _cell(where))}"
    yield ""
    yield "| | check | found | remedy |"
    yield "|---|---|---|---|"
    for result in results:
        cells = (result.title, result.message, result.remedy)
        yield f"| {result.verdict} | {' | '.join(map(_cell, cells))} |"
    yield ""


def _cell(text: str) -> str:
    return printable(one_line(text)).replace("|", "\\|")

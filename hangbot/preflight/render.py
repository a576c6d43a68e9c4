"""A table of the checks on the page of a GitHub run, for `hangbot preflight` and for pytest alike."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from hangbot.preflight import Overall, Result
from hangbot.text import one_line, printable

__all__ = ["append_step_summary", "unwritable"]

_VARIABLE: Final = "GITHUB_STEP_SUMMARY"


def append_step_summary(
    results: Sequence[Result], verdict: Overall, where: str, environ: Mapping[str, str] = os.environ
) -> None:
    """Append a table to the file that ``GITHUB_STEP_SUMMARY`` names; nothing where it is not set.

    Args:
        results: The checks, in their order.
        verdict: What they come to.
        where: What was examined, in words.
        environ: Where the file is named.

    Raises:
        OSError: It cannot be written.
    """
    if not environ.get(_VARIABLE):
        return
    path = Path(environ[_VARIABLE])
    # Not to be waited for: opening a pipe that nobody reads would take for ever.
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, 0o666)
    try:
        with os.fdopen(handle, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(f"{line}\n" for line in _markdown(results, verdict, where))
    except OSError as exc:
        exc.filename = path
        raise


def unwritable(error: OSError) -> str:
    """Say that the page cannot be written, and what to do."""
    return (
        f"{error.filename} cannot be written: {error.strerror}. "
        f"Let {_VARIABLE} name a file that can be written, or unset it."
    )


def _markdown(results: Sequence[Result], verdict: Overall, where: str) -> Iterator[str]:
    yield f"### {verdict.upper().replace('_', ' ')}: {_cell(where)}"
    yield ""
    yield "| | check | found | remedy |"
    yield "|---|---|---|---|"
    for result in results:
        cells = (result.title, result.message, result.remedy)
        yield f"| {result.verdict} | {' | '.join(map(_cell, cells))} |"
    yield ""


def _cell(text: str) -> str:
    return printable(one_line(text)).replace("|", "\\|")

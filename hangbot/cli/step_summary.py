"""A table of the checks on the page of a GitHub run, for `hangbot preflight` and for pytest alike."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from hangbot.preflight import Overall, Result

__all__ = ["append_step_summary"]

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
    with Path(environ[_VARIABLE]).open("a", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in _markdown(results, verdict, where))


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
    return text.replace("|", "\\|").replace("\n", " ")

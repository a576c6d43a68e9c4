"""The planted bots as the table has them, and what is played with each."""

from __future__ import annotations

import shutil
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from pytest_hangfm.proof.profile import Profile
from pytest_hangfm.proof.scenario import Scenario, load
from tests.source_tree import ROOT

FOLDER: Final = Path(__file__).parent
_ARGV: Final = {
    "python": (sys.executable, "-m", "tests.proof.bots.python.bot"),
    "node": ("node", str(FOLDER / "node" / "bot.mjs")),
}
_OTHERS: Final = 5
_SOUND: Final = Profile(
    says="/ping", answers="pong", votes=True, health="http://127.0.0.1:{port}/readyz", start=3
)
PROFILES: Final = {
    "python": _SOUND,
    "node": Profile(
        says="/ping",
        answers="pong",
        push=True,
        votes=True,
        direct=True,
        health="http://127.0.0.1:{port}/readyz",
        start=3,
    ),
}
"""What the sound bots do."""


@dataclass(frozen=True, slots=True)
class Planted:
    """A planted bot.

    Attributes:
        fault: What is planted; empty for the sound one.
        language: The folder of its source.
        family: What the fault is about.
        breaks: The rules that it breaks.
        perhaps: The rules that it breaks by its own chance, not each time.
        pair: The two faults of the services that only together show it, by their name.
    """

    fault: str
    language: str
    family: str = ""
    breaks: tuple[str, ...] = ()
    perhaps: tuple[str, ...] = ()
    pair: str = ""

    @property
    def argv(self) -> tuple[str, ...]:
        """How it is called."""
        return _ARGV[self.language]

    @property
    def env(self) -> dict[str, str]:
        """What it is given."""
        return {"FAULT": self.fault, "PYTHONPATH": str(ROOT)}

    @property
    def profile(self) -> Profile:
        """What it does."""
        return PROFILES[self.language]

    def day(self, place: int) -> list[str]:
        """Return the scenarios of a usual run: its family, what judges its rules, and five others.

        Args:
            place: Its place in the table: others are played with each.
        """
        table = _short()
        own = [each.id for each in table if each.family == self.family or set(each.rules) & set(self.breaks)]
        rest = [each.id for each in table if each.id not in own and each.pace == "quick"]
        start = place * _OTHERS % len(rest)
        return own + (rest + rest)[start : start + _OTHERS]


def _short() -> list[Scenario]:
    return [each for each in load().values() if each.pace != "long"]


def all_scenarios() -> list[str]:
    """Return the ids of all that do not wait for minutes."""
    return [each.id for each in _short()]


def planted() -> list[Planted]:
    """Read the table."""
    rows = tomllib.loads((FOLDER / "planted.toml").read_text("utf-8"))
    return [
        Planted(
            fault,
            row["language"],
            row["family"],
            tuple(row["breaks"]),
            tuple(row.get("perhaps", ())),
            row.get("pair", ""),
        )
        for fault, row in rows.items()
    ]


def need(language: str) -> None:
    """Skip a test where a language is not installed."""
    if shutil.which(_ARGV[language][0]) is None:
        pytest.skip(f"{language} is not installed: its bots cannot be played")

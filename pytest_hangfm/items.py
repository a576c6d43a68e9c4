"""What a test is called and what it runs against, from its name and its markers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_hangfm.fenced import fixture_names
from pytest_hangfm.options import OPTIONS, Target, target_of

if TYPE_CHECKING:
    import pytest

__all__ = [
    "check_id",
    "checks_alone",
    "packaged_checks",
    "remedy_of",
    "target_of_item",
    "title_of",
    "uses_plugin",
]

_MARKERS = frozenset({"preflight", "stage", "live", "simulation", "virtual_time"})


def title_of(name: str) -> str:
    """Turn a test's name into its title: ``test_a_late_answer[room]`` reads ``A late answer (room)``."""
    plain, _, parameters = name.removeprefix("test_").partition("[")
    words = plain.replace("_", " ").strip()
    case = f" ({parameters.removesuffix(']')})" if parameters else ""
    return words[:1].upper() + words[1:] + case


def checks_alone(config: pytest.Config) -> bool:
    """Whether a run was asked for the checks before a deploy and for nothing else: ``-m preflight``."""
    return bool(config.getoption("markexpr").strip() == "preflight")


def packaged_checks() -> Path:
    """Return the folder of the checks that come with the plugin: in it, or beside it in a checkout."""
    here = Path(__file__).parent
    inside = here / "checks"
    return inside if inside.is_dir() else here.parent / "checks"


def check_id(item: pytest.Item) -> str:
    """Return the id of a preflight test: its marker's argument, else its name."""
    marker = item.get_closest_marker("preflight")
    given = marker.args[0] if marker and marker.args else marker.kwargs.get("id") if marker else None
    return str(given) if given else item.name.removeprefix("test_")


def remedy_of(item: pytest.Item) -> str:
    """Return the text of the nearest ``remedy`` marker, or the remedy of the check that it runs."""
    marker = item.get_closest_marker("remedy")
    if marker and marker.args:
        return str(marker.args[0])
    if not item.get_closest_marker("preflight"):
        return ""
    from hangbot.preflight import find_check  # noqa: PLC0415  only a run with checks pays for it

    known = find_check(check_id(item))
    return known.remedy if known else ""


def target_of_item(item: pytest.Item) -> Target:
    """Return what a test runs against."""
    return target_of({marker.name for marker in item.iter_markers()}, item.config.stash[OPTIONS])


def uses_plugin(item: pytest.Item) -> bool:
    """Whether a test uses any of our fixtures or markers."""
    return any(name.startswith("hangfm_") for name in fixture_names(item)) or any(
        marker.name in _MARKERS for marker in item.iter_markers()
    )

"""An incident as a test: what `hangbot replay --as-test` writes, and what that calls."""

import re
from pathlib import Path
from typing import Final

from hangbot.bot.app_forms import AnyApp
from hangbot.errors import HangbotError, UsageError
from hangbot.incident.bundle import read_bundle
from hangbot.incident.conversation import conversation
from hangbot.incident.outcome import is_alike
from hangbot.incident.replay import replayed
from hangbot.new_file import refuse_place, write_new

__all__ = ["assert_alike", "refuse_test", "write_test"]

_FOUND: Final = re.compile(r"(?:test_[\w-]+|[\w-]+_test)\.py")
_NO_NAME: Final = re.compile(r"[^a-z0-9]+")
_TEST: Final = '''\
"""An incident, played to the bot of today; `hangbot replay {bundle}` shows it as a conversation."""

from pathlib import Path

from hangbot.incident.as_test import assert_alike


def test_{name}():
    assert_alike(Path(__file__).with_name("{bundle}"))
'''


def assert_alike(bundle: Path, *, app: AnyApp | None = None) -> None:
    """Fail while the bot of today does something else in an incident than the bot did then.

    Args:
        bundle: The file of `hangbot bundle`.
        app: Hears what the app heard; by default a stand-in says and does what the app did then.

    Raises:
        AssertionError: It does; the conversation says what.
        UsageError: The bundle cannot be read, or has no journal.
    """
    __tracebackhide__ = True
    pairs = replayed(read_bundle(bundle), app=app).pairs()
    if not is_alike(pairs):
        lines = "\n".join(conversation(pairs, differences=True))
        raise AssertionError(f"the bot of today does something else (-: only then, +: only now)\n{lines}")


def refuse_test(bundle: Path, place: Path) -> bool:
    """Refuse a place before the bundle is played; arguments and errors are those of `write_test`.

    Returns:
        Whether the bundle is beside it already, under the name that its copy would have.
    """
    if not _FOUND.fullmatch(place.name):
        raise UsageError(
            f"{place} is no name of a test that pytest finds", remedy="For example tests/test_incident.py."
        )
    beside = place.with_suffix(".zip")
    is_same = beside.exists() and beside.samefile(bundle)
    for each in (place, *(() if is_same else (beside,))):
        refuse_place(each)
    return is_same


def write_test(bundle: Path, place: Path) -> Path:
    """Write a test that replays a bundle, which is copied beside it; return the copy.

    Args:
        bundle: The file of the bundle.
        place: Where the test is to be.

    Raises:
        UsageError: Something is there, or it is no test's name.
        HangbotError: It cannot be written; nothing stays there.
    """
    is_same = refuse_test(bundle, place)
    beside = place.with_suffix(".zip")
    name = _NO_NAME.sub("_", place.stem.lower().removeprefix("test_")).strip("_") or "incident"
    if not is_same:
        write_new(beside, bundle.read_bytes(), "copy of the bundle")
    try:
        write_new(place, _TEST.format(name=name, bundle=beside.name).encode(), "test")
    except HangbotError:
        if not is_same:
            beside.unlink(missing_ok=True)
        raise
    return beside

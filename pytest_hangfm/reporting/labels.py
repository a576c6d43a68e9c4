"""Where a test stands in a report: its epic, feature and story, from its folder and its markers. PURE."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["Kind", "Labels", "labels_of"]

Kind = Literal["preflight", "stage", "test"]

_EPICS: Final[dict[Kind, str]] = {"preflight": "Preflight", "stage": "Stages", "test": "Tests"}
_SEVERITIES: Final[dict[Kind, str]] = {"preflight": "blocker", "stage": "critical", "test": "normal"}
_FOLDERS: Final = frozenset({"checks", "stages", "tests", "test", "pytest_hangfm"})
_SPOKEN: Final = {"ack": "ACK", "cli": "CLI", "api": "API", "http": "HTTP", "tls": "TLS"}


@dataclass(frozen=True, slots=True)
class Labels:
    """Where a test stands.

    Attributes:
        kind: A check, a stage or any other test.
        epic: ``Preflight``, ``Stages`` or ``Tests``.
        feature: The folder below that, or the file, in words.
        story: The file, in words, where the feature is a folder; otherwise empty.
        severity: In Allure's words: a failed check means do not deploy.
    """

    kind: Kind
    epic: str
    feature: str
    story: str
    severity: str


def labels_of(nodeid: str, markers: Collection[str]) -> Labels:
    """Return where a test stands.

    Args:
        nodeid: Its node id: ``stages/test_tiers.py::test_x``.
        markers: The names of its markers; ``preflight`` and ``stage`` win over the folder.
    """
    path = PurePosixPath(nodeid.partition("::")[0])
    kind: Kind = "preflight" if "preflight" in markers else "stage" if "stage" in markers else "test"
    folders = [_words(part) for part in path.parts[:-1] if part not in _FOLDERS]
    file = _words(path.stem.removeprefix("test_"))
    feature, story = (" / ".join(folders), file) if folders and kind == "test" else (file, "")
    return Labels(kind, _EPICS[kind], feature, story, _SEVERITIES[kind])


def _words(name: str) -> str:
    words = [_SPOKEN.get(word, word) for word in name.replace("-", "_").split("_") if word]
    text = " ".join(words)
    return text[:1].upper() + text[1:]

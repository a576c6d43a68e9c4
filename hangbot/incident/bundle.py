"""The file of a bundle: a zip with a manifest, written whole or not at all, and read with mistrust."""

import json
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Final, NamedTuple

from hangbot.errors import UsageError
from hangbot.journal import SCHEMA as JOURNAL_SCHEMA
from hangbot.new_file import write_new
from hangbot.system_errors import remedy_for
from hangbot.text import one_line

__all__ = [
    "JOURNAL",
    "MANIFEST",
    "SCHEMA",
    "Bundle",
    "Missing",
    "read_bundle",
    "write_bundle",
]

SCHEMA: Final = 1
"""Of the bundle: what its files are called and mean."""
MANIFEST: Final = "manifest.json"
JOURNAL: Final = "journal.jsonl"
_KIND: Final = "hangbot support bundle"
_LARGEST: Final = 64 * 2**20
"""Bytes of all that is read of a bundle; what it says of its own sizes is not believed."""
_SHOWN: Final = 40


class Missing(NamedTuple):
    """What is not in a bundle.

    Attributes:
        what: Of which file.
        why: In words.
    """

    what: str
    why: str


class Bundle(NamedTuple):
    """What was read of a bundle.

    Attributes:
        manifest: ``{"kind", "schema", "created", "hangbot", "plain", "bot", "missing"}``.
        config: The settings, by their names in the environment.
        inner: Those that have no name there, by their field.
        journal: The rows of `hangbot.journal.rows`; empty: it has none.
    """

    manifest: Mapping[str, Any]
    config: Mapping[str, str]
    inner: Mapping[str, Any]
    journal: Sequence[Mapping[str, Any]]


def write_bundle(
    place: Path, files: Mapping[str, bytes], manifest: Mapping[str, Any], missing: Iterable[Missing]
) -> None:
    """Write a bundle, whole or not at all.

    Args:
        place: The file, which must not exist.
        files: What it holds, by name.
        manifest: What it says of itself, besides its kind and schema.
        missing: What it does not hold.

    Raises:
        UsageError: Something is there.
        HangbotError: It cannot be written; nothing stays there.
    """
    head = {"kind": _KIND, "schema": SCHEMA, **manifest, "missing": [gap._asdict() for gap in missing]}
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in ((MANIFEST, _pretty(head)), *files.items()):
            archive.writestr(name, content)
    write_new(place, packed.getvalue(), "bundle")


def read_bundle(place: Path) -> Bundle:
    """Read a bundle.

    Raises:
        UsageError: It is none, cut, or of a newer version.
    """
    files = _unpacked(place)
    if MANIFEST not in files:
        raise _unusable(place, "is no bundle of hangbot: it has no manifest")
    manifest = _document(place, MANIFEST, files[MANIFEST])
    if manifest.get("kind") != _KIND:
        raise _unusable(place, "is no bundle of hangbot")
    _check_schema(place, "it", manifest.get("schema"), SCHEMA)
    config = _document(place, "config.json", files.get("config.json", b"{}"))
    journal = _journal(place, files.get(JOURNAL, b""))
    inner = config.get("inner")
    return Bundle(manifest, _texts(config), inner if isinstance(inner, dict) else {}, journal)


def _unpacked(place: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    left = _LARGEST
    try:
        if place.exists() and not place.is_file() and not place.is_dir():
            raise _unusable(place, "is no file that can be read from its end")
        with zipfile.ZipFile(place) as archive:
            for entry in archive.infolist():
                with archive.open(entry) as file:
                    files[entry.filename] = file.read(left + 1)
                left -= len(files[entry.filename])
                if left < 0:
                    raise _unusable(place, f"holds more than {_LARGEST // 2**20} MiB, and no bundle does")
    except OSError as exc:
        raise UsageError(
            f"{place} cannot be read: {exc.strerror or exc}", remedy=remedy_for(exc) or None
        ) from None
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError, zlib.error):
        raise _unusable(place, "is no zip file, or was cut") from None
    return files


def _journal(place: Path, text: bytes) -> list[dict[str, Any]]:
    rows = [_document(place, JOURNAL, line) for line in text.splitlines() if line.strip()]
    if rows:
        if rows[0].get("kind") != "kept":
            raise _unusable(place, f"has a {JOURNAL} that does not say where it begins")
        _check_schema(place, f"its {JOURNAL}", rows[0].get("schema"), JOURNAL_SCHEMA)
    return rows


def _check_schema(place: Path, what: str, found: object, known: int) -> None:
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise _unusable(place, f"does not say of which version {what} is")
    if found > known:
        raise UsageError(
            f"{place} is of a newer hangbot: {what} has version {found}, this one reads {known}",
            remedy="Update hangbot, and try again.",
        )


def _document(place: Path, name: str, content: bytes) -> dict[str, Any]:
    try:
        read = json.loads(content)
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict):
        raise _unusable(place, f"has a {one_line(name, _SHOWN)} that cannot be read")
    return read


def _texts(config: Mapping[str, Any]) -> dict[str, str]:
    rows = config.get("settings")
    return {
        row["name"]: row["value"]
        for row in (rows if isinstance(rows, list) else ())
        if isinstance(row, dict) and isinstance(row.get("name"), str) and isinstance(row.get("value"), str)
    }


def _unusable(place: Path, why: str) -> UsageError:
    return UsageError(f"{place} {why}", remedy="Have it made and sent again: `hangbot bundle`.")


def _pretty(document: object) -> bytes:
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode("utf-8", "replace")

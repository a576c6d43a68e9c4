"""What stands in the files of a bundle, with stand-ins or as it is. PURE."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from hangbot.config.settings import Row
from hangbot.incident.bundle import JOURNAL, Missing
from hangbot.incident.disguise import Disguise
from hangbot.incident.log_lines import disguised_line
from hangbot.incident.rows import disguised
from hangbot.redact import MASK

__all__ = ["Found", "files"]

_IDS: Final = frozenset({"ROOM_UUID", "COMETCHAT_APPID", "COMETCHAT_UID", "COMETCHAT_RECEIVER"})
_TEXTS: Final = frozenset({"BOT_NAME", "BOOT_MESSAGE"})
_PLACES: Final = frozenset({"HANGBOT_OUTBOX", "HANGBOT_STATUS_HOST"})
_ADDRESSES: Final = frozenset({"OPENCHAT_BASE_URL", "TTFM_GATEWAY_BASE_URL", "SOCKET_SERVER_URL"})
_PUBLIC: Final = ".prod.tt.fm"
_LOCAL: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")
_NAMED: Final = frozenset({"name", "bot", "room", "text", "target"})


@dataclass(frozen=True, slots=True)
class Found:
    """What was found out about a bot; ``None``: it was not, and `missing` says why.

    Attributes:
        config: The settings, secrets masked.
        inner: Those that have no name in the environment.
        versions: Of what, and which.
        outbox: Figures of the outbox.
        preflight: What the checks say.
        health: What the running bot says of itself.
        log: Its last lines: ``{"at", "level", "logger", "text"}``.
        journal: The rows of `hangbot.journal.rows`.
        heard: Rows of what the checks heard: of which texts are replaced wherever they stand.
        missing: What was not found out.
    """

    config: Sequence[Row]
    inner: Mapping[str, object]
    versions: Mapping[str, str]
    outbox: Mapping[str, Any] | None = None
    preflight: Mapping[str, Any] | None = None
    health: Mapping[str, Any] | None = None
    log: Sequence[Mapping[str, Any]] | None = None
    journal: Sequence[Mapping[str, Any]] | None = None
    heard: Sequence[Mapping[str, Any]] = ()
    missing: Sequence[Missing] = field(default=())


def files(found: Found, disguise: Disguise | None) -> dict[str, bytes]:
    """Return the files of a bundle by name; without a disguise everything but secrets stands as it is."""
    made: dict[str, bytes] = {}
    if found.journal is not None:  # first: what is replaced there is known everywhere after it
        rows = disguised(found.journal, disguise) if disguise else iter(found.journal)
        made[JOURNAL] = _lines(rows)
    if disguise:
        for _ in disguised(found.heard, disguise):
            pass  # now its texts are known
    made["config.json"] = _pretty(
        {"settings": [_setting(row, disguise) for row in found.config], "inner": dict(found.inner)}
    )
    made["versions.json"] = _pretty(dict(found.versions))
    for name, document in (
        ("outbox.json", found.outbox),
        ("preflight.json", found.preflight),
        ("health.json", found.health),
    ):
        if document is not None:
            made[name] = _pretty(_own(document, disguise) if disguise else document)
    if found.log is not None:
        made["log.jsonl"] = _lines(disguised_line(line, disguise) if disguise else line for line in found.log)
    return made


def _setting(row: Row, disguise: Disguise | None) -> dict[str, str]:
    value, origin = row.value, row.origin
    if disguise is not None:
        value, origin = _value(row, disguise), disguise.sentence(origin)
    return {"name": row.name, "value": value, "origin": origin}


def _value(row: Row, disguise: Disguise) -> str:
    value = row.value
    if value in {"-", MASK, ""}:
        return value
    if row.name in _TEXTS:
        return disguise.text(value)
    if row.name in _IDS or row.name in _PLACES:
        return disguise.id(value)
    if row.name in _ADDRESSES:
        scheme, mark, rest = value.partition("://")
        host = rest.partition("/")[0].rpartition(":")[0] or rest
        public = host in _LOCAL or (host.endswith(_PUBLIC) and "/" not in rest)
        return value if public else scheme + mark + disguise.id(rest)
    return value if _NUMBER.fullmatch(value) else disguise.sentence(value)


def _own(value: Any, disguise: Disguise, key: str = "") -> Any:  # noqa: ANN401  any JSON value
    """Return a document of hangbot's own: its keys and numbers stay."""
    if isinstance(value, Mapping):
        return {name: _own(each, disguise, name) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_own(each, disguise, key) for each in value]
    if isinstance(value, str):
        return disguise.text(value) if key in _NAMED else disguise.sentence(value)
    return value


def _pretty(document: object) -> bytes:
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode("utf-8", "replace")


def _lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode("utf-8", "replace")

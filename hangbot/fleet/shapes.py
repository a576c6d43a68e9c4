"""The two streams of a fleet as JetStream is to have them, and what one that is there must be. PURE."""

from collections.abc import Mapping
from typing import Any, Final

from hangbot.errors import OutboxOfAnother, OutboxUnusable
from hangbot.fleet.jetstream import StreamNames
from hangbot.fleet.refusals import ClusterUnfit

__all__ = [
    "REPLICAS",
    "Shape",
    "asked_prefix",
    "of_another",
    "outlived",
    "records_names",
    "register_names",
    "shape",
    "wrong_with",
]

REPLICAS: Final = 3
MARK_SECONDS: Final = 3600
"""For how long it stays known that something has expired."""
_MARK: Final = "hangbot"
_FORM: Final = "1"
_S: Final = 1_000_000_000

Shape = dict[str, Any]
"""A stream's configuration in JetStream's words."""


def register_names(fleet: str) -> StreamNames:
    """Return the names of the register: a KV bucket of the fleet's name, so that ``nats kv`` shows it."""
    return StreamNames(f"KV_{fleet}", f"$KV.{fleet}.")


def records_names(fleet: str) -> StreamNames:
    """Return the names of the records."""
    return StreamNames(f"{fleet}-records", f"{fleet}.records.", f"{fleet}.stored.records.")


def asked_prefix(fleet: str) -> str:
    """Return what stands before a room's key where its owner is asked."""
    return f"{fleet}.asked."


def shape(names: StreamNames, *, known: float, newest_only: bool) -> Shape:
    """Return how a stream is to be made.

    Args:
        names: Its names.
        known: Seconds for which a key is remembered.
        newest_only: Whether it keeps the newest record of each subject alone, and lets records expire.
    """
    return {
        "name": names.stream,
        "subjects": [f"{names.prefix}>"],
        "num_replicas": REPLICAS,
        "storage": "file",
        "retention": "limits",
        "discard": "new",
        "max_msgs_per_subject": 1 if newest_only else -1,
        "duplicate_window": int(known * _S),
        "allow_direct": True,
        "allow_rollup_hdrs": True,
        "allow_msg_ttl": newest_only,
        **({"subject_delete_marker_ttl": MARK_SECONDS * _S} if newest_only else {}),
        "metadata": {_MARK: _FORM},
    }


def wrong_with(found: Mapping[str, Any], wanted: Shape) -> OutboxUnusable | OutboxOfAnother | None:
    """Return why a stream that is there cannot be a fleet's; ``None``: it can."""
    name, mark = wanted["name"], (found.get("metadata") or {}).get(_MARK)
    if mark is None:
        return of_another(f"the NATS cluster has a stream {name} that is another project's")
    if mark != _FORM:
        return OutboxUnusable(
            f"the NATS cluster's stream {name} was made by a later version of hangbot (form {mark})",
            remedy="Upgrade hangbot on this machine.",
        )
    replicas = int(found.get("num_replicas", 1))
    if replicas < REPLICAS:
        return ClusterUnfit(
            f"the stream {name} has {replicas} replica{'s' if replicas > 1 else ''}, and needs {REPLICAS}: "
            "what is accepted would be lost with one server",
            remedy=f"Have three servers, then: nats stream edit {name} --replicas {REPLICAS}",
        )
    odd = [
        word
        for word in ("allow_direct", "allow_msg_ttl", "max_msgs_per_subject", "retention", "storage")
        if found.get(word, False) != wanted[word]
    ]
    if odd:
        return ClusterUnfit(
            f"the stream {name} was changed by hand: {', '.join(odd)}",
            remedy="Give it back what hangbot made (docs/fleet.md), or the fleet another name.",
        )
    return None


def of_another(problem: str) -> OutboxOfAnother:
    """Return what is said where another project has a fleet's name."""
    remedy = "Give the fleet a name of its own: HANGBOT_OUTBOX=nats://HOST,HOST,HOST/NAME."
    return OutboxOfAnother(problem, remedy=remedy)


def outlived(found: Mapping[str, Any], wanted: Shape) -> Shape | None:
    """Return the configuration with which keys are remembered for long enough; ``None``: they are."""
    if int(found.get("duplicate_window", 0)) >= wanted["duplicate_window"]:
        return None
    return {**found, "duplicate_window": wanted["duplicate_window"]}

"""Whether a cluster keeps what a fleet promises; each miss says what could be lost. PURE."""

from collections.abc import Iterator
from itertools import combinations
from typing import Final

from hangbot.fleet.looks import ClusterLook, ServerLook, behind
from hangbot.fleet.refusals import ClusterUnfit
from hangbot.fleet.shapes import REPLICAS, records_names, register_names, shape, wrong_with
from hangbot.fleet.streams import ClusterAway
from hangbot.preflight import CheckResult, Verdict

__all__ = ["judged"]

_APART_S: Final = 1.0
"""By this much an owner stops before its lease ends."""
_OWN_CLOCK_S: Final = 5.0
_PAYLOAD: Final = 1024 * 1024
_FULL, _FILLING = 0.98, 0.8
"""Shares of what a server's streams may take: at the first it refuses records soon, if not already."""
_S: Final = 1_000_000_000


def judged(seen: ClusterLook, *, fleet: str, retry_total: float, own_power: bool) -> Iterator[CheckResult]:
    """Judge a cluster, what was seen of it first.

    Args:
        seen: What was seen.
        fleet: The fleet's name.
        retry_total: Seconds for which a message is tried.
        own_power: Whether each server has a power supply of its own.
    """
    up = [server for server in seen.servers if not server.problem]
    yield _servers(seen)
    yield _version(seen)
    yield _jetstream(up)
    yield _replicas(seen, fleet)
    yield _sync(up, own_power=own_power)
    yield _space(up)
    yield _window(seen, fleet, retry_total)
    yield _clocks(up)
    yield _size(up)


def _result(name: str, verdict: Verdict, message: str, remedy: str = "") -> CheckResult:
    return CheckResult(name, _TITLES[name], verdict, message, remedy)


def _size_of(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


_TITLES: Final = {
    "servers": "Three servers answer",
    "version": "They are new enough",
    "jetstream": "They store together",
    "replicas": "What is accepted is on three servers",
    "sync": "What is accepted is on disk",
    "space": "They have room for more",
    "window": "A key is remembered for longer than a message is tried",
    "clocks": "Their clocks agree",
    "size": "They take large records",
}


def _servers(seen: ClusterLook) -> CheckResult:
    down = [str(server.problem) for server in seen.servers if server.problem]
    if down:
        return _result(
            "servers",
            "rejected",
            f"{'; '.join(down)}: with one more gone nothing is accepted",
            "Start it again; or correct its address in HANGBOT_OUTBOX.",
        )
    names = ", ".join(server.name for server in seen.servers)
    if len(seen.servers) < REPLICAS:
        return _result(
            "servers",
            "rejected",
            f"HANGBOT_OUTBOX names {names} alone: while that is away no worker finds the others, "
            "and rooms stand still",
            "Name all three: nats://HOST,HOST,HOST",
        )
    return _result("servers", "ok", names)


def _version(seen: ClusterLook) -> CheckResult:
    old = [str(server.problem) for server in seen.servers if isinstance(server.problem, ClusterUnfit)]
    if old:
        return _result(
            "version",
            "rejected",
            f"{'; '.join(old)}: it lets no single message expire, so that the lease of a worker that died "
            "would never end, and its rooms would have no owner",
            "Upgrade it to nats-server 2.11 or newer.",
        )
    versions = sorted({server.version for server in seen.servers if not server.problem})
    return _result("version", "ok", f"nats-server {', '.join(versions)}")


def _jetstream(up: list[ServerLook]) -> CheckResult:
    without = [server.name for server in up if not server.jetstream]
    if without:
        return _result(
            "jetstream",
            "rejected",
            f"JetStream is off at {', '.join(without)}: with one of the others gone nothing is accepted",
            "Add jetstream { store_dir: … } to its nats.conf.",
        )
    if stopped := [server.name for server in up if server.stopped]:
        return _result(
            "jetstream",
            "rejected",
            f"JetStream has stopped at {', '.join(stopped)}: with one of the others gone nothing is accepted",
            "Its log says why: most likely its disk is full, or fails. Make room, and start it again.",
        )
    clusters = sorted({server.cluster for server in up})
    if len(clusters) > 1 or not clusters[0]:
        names = ", ".join(server.name for server in up)
        return _result(
            "jetstream",
            "rejected",
            f"each stands alone, in no cluster ({names}): what one of them has stored is lost with it",
            "Give all the same cluster { name: …, routes: … } in their nats.conf.",
        )
    return _result("jetstream", "ok", f"cluster {clusters[0]}")


def _remedy(seen: ClusterLook) -> str:
    if isinstance(seen.unseen, ClusterAway):  # whose own remedy is to ask here
        return "No majority of the servers stores: mend what is said of them here, or look into their logs."
    return seen.unseen.remedy if seen.unseen else ""


def _replicas(seen: ClusterLook, fleet: str) -> CheckResult:
    if seen.unseen:
        verdict: Verdict = "rejected" if isinstance(seen.unseen, ClusterUnfit) else "cannot_tell"
        return _result("replicas", verdict, str(seen.unseen), _remedy(seen))
    register, records = register_names(fleet), records_names(fleet)
    for names in (register, records):
        stream = seen.streams[names.stream]
        if stream is None:
            continue
        wanted = shape(names, known=0, newest_only=names is register)
        if wrong := wrong_with(stream["config"], wanted):
            return _result("replicas", "rejected", str(wrong), wrong.remedy)
        if late := behind(stream):
            return _result(
                "replicas",
                "rejected",
                f"{', '.join(late)} of {names.stream} is away or behind: with another one gone nothing is "
                "accepted",
                "Start it, and wait until it has caught up.",
            )
    missing = [name for name, stream in seen.streams.items() if stream is None]
    if missing:
        return _result("replicas", "ok", f"the first worker makes {' and '.join(missing)} with {REPLICAS}")
    return _result("replicas", "ok", f"{REPLICAS} of each stream, none behind")


def _sync(up: list[ServerLook], *, own_power: bool) -> CheckResult:
    lost = "what was accepted in the last minutes is lost when the power of all fails at once"
    if late := [server.name for server in up if server.synced is False]:
        message = f"{', '.join(late)} acknowledge before they write to disk"
        if own_power:
            return _result("sync", "ok", f"{message}; each has a power supply of its own, as you say")
        return _result(
            "sync",
            "rejected",
            f"{message}: {lost}",
            "Write sync_interval: always into jetstream { } of each nats.conf; or give each a power supply "
            "of its own, and say so: --own-power",
        )
    if stopped := [server.name for server in up if server.jetstream and server.stopped]:
        return _result(
            "sync", "cannot_tell", f"JetStream has stopped at {', '.join(stopped)}", "Start it again first."
        )
    if unseen := [f"{server.name} ({server.monitor})" for server in up if server.synced is None]:
        if own_power:
            return _result("sync", "ok", "each has a power supply of its own, as you say")
        return _result(
            "sync",
            "cannot_tell",
            f"the monitoring port of {', '.join(unseen)} does not answer. Where sync_interval is not always, "
            f"{lost}",
            'Write http: "HOST:PORT" and server_tags: ["monitor:PORT"] into nats.conf; or see to it by hand, '
            "and give each a power supply of its own: --own-power",
        )
    return _result("sync", "ok", "sync_interval: always")


def _space(up: list[ServerLook]) -> CheckResult:
    seen = [(server.used / server.most, server) for server in up if server.used is not None and server.most]
    if not seen:
        return _result("space", "ok", "as far as can be seen: no monitoring port answers")
    share, fullest = max(seen, key=lambda each: each[0])
    message = f"{fullest.name} uses {share:.0%} of {_size_of(fullest.most)}"
    if share < _FILLING:
        others = ", the others no more" if len(seen) == len(up) else ", of those that can be seen"
        return _result("space", "ok", message + others)
    return _result(
        "space",
        "rejected" if share >= _FULL else "warn",
        f"{message}: once it is full nothing is accepted any more, and no lease is kept",
        "Give it more: max_file_store in jetstream { } of nats.conf, and a larger disk.",
    )


def _window(seen: ClusterLook, fleet: str, retry_total: float) -> CheckResult:
    if seen.unseen:
        return _result("window", "cannot_tell", str(seen.unseen), _remedy(seen))
    name = records_names(fleet).stream
    if (stream := seen.streams[name]) is None:
        return _result("window", "ok", f"the first worker makes {name} with twice STAGE_RETRY_TOTAL_MS")
    window = stream["config"].get("duplicate_window", 0) / _S
    found = f"{window:g} s, and a message is tried for {retry_total:g} s"
    if window <= retry_total:
        return _result(
            "window",
            "rejected",
            f"{found}: one whose answer was lost could be accepted twice",
            f"Start a worker with this STAGE_RETRY_TOTAL_MS, which widens it; or: nats stream edit {name} "
            f"--dupe-window {2 * retry_total:g}s",
        )
    return _result("window", "ok", found)


def _clocks(up: list[ServerLook]) -> CheckResult:
    pairs = [
        (abs(one.ahead - other.ahead) - one.unsure - other.unsure, one.name, other.name)
        for one, other in combinations(up, 2)
    ]
    apart, one, other = max(pairs, default=(0.0, "", ""))
    if apart > _APART_S:
        return _result(
            "clocks",
            "rejected",
            f"those of {one} and {other} are {apart:.1f} s apart: when another server begins to lead, leases "
            "end too early by that, and two workers act on one room",
            "Let all of them follow a time server (NTP).",
        )
    off = max(up, key=lambda server: abs(server.ahead))
    if abs(off.ahead) - off.unsure > _OWN_CLOCK_S:
        return _result(
            "clocks",
            "warn",
            f"that of this machine is {abs(off.ahead):.0f} s {'behind' if off.ahead > 0 else 'ahead'}: "
            "messages with a time to live end at the wrong moment where a room moves",
            "Let this machine follow a time server (NTP).",
        )
    return _result("clocks", "ok", f"within {max(apart, 0.001):.3f} s")


def _size(up: list[ServerLook]) -> CheckResult:
    least = min(up, key=lambda server: server.max_payload)
    if least.max_payload < _PAYLOAD:
        return _result(
            "size",
            "warn",
            f"{least.name} takes {least.max_payload} bytes: what a handler does at once is refused where it "
            "is larger",
            f"Write max_payload: {_PAYLOAD} into nats.conf.",
        )
    return _result("size", "ok", f"up to {least.max_payload} bytes")

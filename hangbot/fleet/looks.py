"""What is seen of a cluster's servers and streams, before it is judged."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import httpx

from hangbot.clock import Clock
from hangbot.config.cluster import ClusterAddress
from hangbot.errors import OutboxUnusable
from hangbot.fleet.jetstream import parsed
from hangbot.fleet.nats_cluster import open_link
from hangbot.fleet.providing import found_stream
from hangbot.fleet.server_process import MONITOR_TAG
from hangbot.fleet.shapes import records_names, register_names
from hangbot.fleet.streams import ClusterAway

if TYPE_CHECKING:
    from hangbot.fleet.link import Link

__all__ = ["ClusterLook", "ServerLook", "behind", "look"]

_WITHIN_S: Final = 2.0
_REMEDY: Final = "Start them, or correct their addresses in HANGBOT_OUTBOX."
_LOOKS: Final = 5
_AGAIN_S: Final = 0.5
_USUAL_MONITOR: Final = "8222"


@dataclass(frozen=True, slots=True)
class ServerLook:
    """A server.

    Attributes:
        server: ``HOST:PORT``, as the configuration names it.
        problem: Why it could not be looked at; ``None``: it could.
        name: Its own name.
        cluster: The name of its cluster; empty: it is alone.
        version: Of nats-server.
        jetstream: Whether it is to store.
        stopped: Whether it has stopped storing by itself, as it does where its disk is full.
        ahead: Seconds by which its clock is ahead of ours.
        unsure: Seconds by which that may be wrong.
        max_payload: Bytes of the largest message that it takes.
        synced: Whether it writes to disk before it acknowledges; ``None``: that could not be seen.
        used: Bytes that its streams take; ``None``: likewise.
        most: Bytes that they may take.
        monitor: Where that was looked for.
    """

    server: str
    problem: OutboxUnusable | None = None
    name: str = ""
    cluster: str = ""
    version: str = ""
    jetstream: bool = False
    stopped: bool = False
    ahead: float = 0.0
    unsure: float = 0.0
    max_payload: int = 0
    synced: bool | None = None
    used: int | None = None
    most: int = 0
    monitor: str = ""


@dataclass(frozen=True, slots=True)
class ClusterLook:
    """All servers that are named; both streams as JetStream shows them, by their names.

    A stream that is ``None`` is not there; where ``unseen`` says why, neither could be looked at.
    """

    servers: tuple[ServerLook, ...]
    streams: Mapping[str, dict[str, Any] | None]
    unseen: OutboxUnusable | None = None


async def look(address: ClusterAddress, clock: Clock) -> ClusterLook:
    """Look at a cluster without changing anything.

    Raises:
        OutboxUnusable: None of its servers can be looked at.
    """
    looks = [_at_server(replace(address, servers=(server,)), clock) for server in address.servers]
    servers = tuple(await asyncio.gather(*looks))
    problems = [found.problem for found in servers if found.problem]
    if len(problems) == len(servers):
        for problem in problems:
            if not isinstance(problem, ClusterAway):
                raise problem
        raise ClusterAway("; ".join(map(str, problems)), remedy=_REMEDY)
    streams: dict[str, dict[str, Any] | None] = {}
    try:
        async with open_link(address, within=_WITHIN_S, clock=clock) as link:
            for names in (register_names(address.fleet), records_names(address.fleet)):
                streams[names.stream] = await _settled(link, names.stream, clock)
    except OutboxUnusable as exc:
        return ClusterLook(servers, {}, exc)
    return ClusterLook(servers, streams)


async def _settled(link: "Link", name: str, clock: Clock) -> dict[str, Any] | None:
    """Look at a stream until none of its servers is behind, for a moment: those of a busy one always are."""
    for _ in range(_LOOKS - 1):
        found = await found_stream(link, name)
        if found is None or not behind(found):
            return found
        await clock.sleep(_AGAIN_S)
    return await found_stream(link, name)


def behind(stream: Mapping[str, Any]) -> list[str]:
    """Return the names of a stream's servers that are away, or have not all of it."""
    peers = (stream.get("cluster") or {}).get("replicas") or []
    return [peer["name"] for peer in peers if peer.get("offline") or not peer.get("current")]


async def _at_server(address: ClusterAddress, clock: Clock) -> ServerLook:
    (server,) = address.servers
    try:
        async with open_link(address, within=_WITHIN_S, clock=clock) as link:
            begun, wall = clock.now(), clock.wall()
            found = parsed(await link.ask("$SYS.REQ.USER.INFO"))["server"]
            took = clock.now() - begun
            max_payload = link.max_payload
    except OutboxUnusable as exc:
        return ServerLook(server, exc)
    port = next(
        (tag.removeprefix(MONITOR_TAG) for tag in found.get("tags", ()) if tag.startswith(MONITOR_TAG)),
        _USUAL_MONITOR,
    )
    monitor = f"http://{server.rpartition(':')[0]}:{port}"
    storing = await _storing(monitor, found.get("id", ""))
    stopped, config = bool(storing.get("disabled")), storing.get("config", {})
    is_seen = bool(storing) and not stopped
    return ServerLook(
        server,
        name=found.get("name", server),
        cluster=found.get("cluster", ""),
        version=found.get("ver", ""),
        jetstream=bool(found.get("jetstream")),
        stopped=stopped,
        ahead=datetime.fromisoformat(found["time"]).timestamp() - (wall + took / 2),
        unsure=took / 2,
        max_payload=max_payload,
        synced=bool(config.get("sync_always")) if is_seen else None,
        used=storing.get("storage", 0) if is_seen else None,
        most=config.get("max_storage", 0),
        monitor=monitor,
    )


async def _storing(monitor: str, server_id: str) -> dict[str, Any]:
    """Ask a server's monitoring port how it stores.

    Returns:
        Nothing where that does not answer, or another server does.
    """
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=_WITHIN_S) as client:
            found = (await client.get(f"{monitor}/jsz", params={"config": "1"})).json()
    except (httpx.HTTPError, ValueError):
        return {}
    return found if isinstance(found, dict) and found.get("server_id") == server_id else {}

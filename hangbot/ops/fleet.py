"""What the port of a fleet's worker serves: the fleet page, metrics, and how the worker is."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from hangbot.clock import Clock
from hangbot.errors import HangbotError
from hangbot.ops.access import Access, is_loopback
from hangbot.ops.fleet_view import FleetShown, health_row
from hangbot.ops.port import open_page_or_health
from hangbot.ops.token import NoToken, read_token

__all__ = ["FleetShown", "PortAddress", "open_fleet_port"]

TOKEN_FILE: Final = "hangbot-fleet.token"  # noqa: S105  the file's name
_PLACE: Final = f"the file {TOKEN_FILE} in the folder of the rooms"
_MAKE: Final = (
    "Make one there, as the worker's user: `(umask 077; head -c 24 /dev/urandom | base64 > {path})`."
)


class PortAddress(NamedTuple):
    """Where a worker's port is opened.

    Attributes:
        host: The address or the name.
        port: The port; 0: a free one; ``None``: it is not opened.
    """

    host: str
    port: int | None


@asynccontextmanager
async def open_fleet_port(
    address: PortAddress,
    shown: FleetShown,
    folder: Path,
    *,
    hide: Callable[[str], str],
    on_token: Callable[[str], None],
    clock: Clock,
) -> AsyncIterator[str | None]:
    """Serve on a worker's port while the block runs, and look at the fleet meanwhile.

    Args:
        address: Where.
        shown: What is shown.
        folder: That of the rooms, in which the token is, where there is one.
        hide: Masks secrets, also those that are known later.
        on_token: Called with the token, which is a secret.
        clock: Measures and waits.

    Yields:
        The address, or ``None`` where it is not opened.

    Raises:
        HangbotError: The port cannot be had; or it is open to others, and there is no token.
    """
    host, port = address
    if port is None:
        yield None
        return
    access = _access(host, folder / TOKEN_FILE)
    if access.token:
        on_token(access.token)

    def row() -> Mapping[str, Any]:
        return health_row(shown, clock.wall())

    def open_page() -> AbstractAsyncContextManager[int]:
        from hangbot.ops import fleet_assembly  # noqa: PLC0415  aiohttp is loaded for an open port alone

        return fleet_assembly.open_fleet_page(shown, row, access, port, hide=hide, clock=clock)

    async with open_page_or_health(host, port, row, open_page, clock=clock, whose="the worker") as where:
        looking = asyncio.create_task(shown.lookout.run(), name="hangbot-lookout")
        try:
            yield where
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)


def _access(host: str, path: Path) -> Access:
    """Read the token, which is not needed on this machine; raises `HangbotError`."""
    make = _MAKE.format(path=path)
    try:
        token = read_token(path)
    except NoToken as exc:
        raise HangbotError(str(exc), remedy=f"Remove the file. {make}") from None
    if token is None and not is_loopback(host):
        problem = f"HANGBOT_STATUS_HOST opens the page to others ({host}), and there is no token {path}"
        raise HangbotError(problem, remedy=make)
    return Access(host, token, f"no file {path}", place=_PLACE)

"""Opens a connection to the room."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from hangbot.bot.events import Event
from hangbot.claims import read_claims
from hangbot.clock import Clock, SystemClock
from hangbot.config import Settings
from hangbot.figures import Figures
from hangbot.hangfm.network import NETWORK, Network
from hangbot.hangfm.room import RoomClient
from hangbot.hangfm.socket import FrameTap, connect_room
from hangbot.hangfm.wire.events import RoomMessage
from hangbot.hangfm.wire.room_events import RoomEvents

__all__ = ["open_room"]


@asynccontextmanager
async def open_room(  # noqa: PLR0913  what may be handed in, by name
    settings: Settings,
    *,
    clock: Clock | None = None,
    on_message: Callable[[RoomMessage], None] = lambda _: None,
    on_frame: Callable[[str | bytes], None] | None = None,
    guard: Callable[[str], None] = lambda _: None,
    events: RoomEvents | None = None,
    on_event: Callable[[Event], None] | None = None,
    network: Network = NETWORK,
    figures: Figures | None = None,
) -> AsyncIterator[RoomClient]:
    """Connect to the room socket and listen; joining is the caller's next step.

    Args:
        settings: The configuration.
        clock: Bounds every wait.
        on_message: Given every room message.
        on_frame: Shown every frame as it came, before it is read.
        guard: Called with an action's name before it is sent; what it raises keeps it from being sent.
        events: Finds out what happens, over several connections where it is given to each of them.
        on_event: Called with what happens, in order.
        network: Carries it, as long as it is permitted to act.
        figures: Count what it hears.

    Raises:
        HangbotError: As `hangbot.hangfm.socket.connect_room` does.
    """
    token, within = settings.ttfm_api_token.get_secret_value(), settings.connect_timeout
    claims, clock = read_claims(token), clock or SystemClock()
    connection = await connect_room(
        settings.room_url, token, within=within, clock=clock, journal=network.journal, dialling=network.dial
    )

    def may_leave(action: str) -> None:
        network.permit.check(action, service="room")
        guard(action)

    room = RoomClient(
        connection if on_frame is None else FrameTap(connection, on_frame),
        settings.room_uuid,
        clock=clock,
        ack_timeout=settings.ack_timeout,
        silence=settings.heartbeat_timeout,
        on_message=on_message,
        guard=may_leave,
        me=claims.uid if claims else settings.chat_uid,
        events=None if on_event is None else events or RoomEvents(settings.room_uuid),
        on_event=on_event or (lambda _: None),
        figures=figures,
    )
    async with room.listening():
        yield room

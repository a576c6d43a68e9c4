"""Whether a song has been over for so long without a word that the room must have lost the bot. PURE.

All is reckoned in the server's own time: it is known from the answer to joinRoom and from each
heartbeat (milliseconds since 1970), and goes on with a monotonic clock (seconds) in between.
"""

from typing import Final

from hangbot.hangfm.wire.state import RoomState

__all__ = ["OVERDUE", "Overdue"]

OVERDUE: Final = 30.0
"""Seconds after the end of a song in which a room that has not lost the bot says what follows."""

_LATEST_MS: Final = 2**53
"""JavaScript's greatest whole number."""


class Overdue:
    """The server's time, and when the room last said anything.

    Args:
        now: The monotonic clock in seconds, as every other ``now`` here.
    """

    def __init__(self, now: float) -> None:
        self._server_ms: float | None = None
        self._known_at = now
        self._last_word_at = now

    def set_time(self, server_ms: object, now: float) -> float | None:
        """Learn the server's time, and return it in seconds since 1970; what is no time is passed over."""
        if isinstance(server_ms, str) and server_ms.isascii() and server_ms.isdecimal():
            server_ms = float(server_ms)
        moment = _moment(server_ms)
        if moment is None:
            return None
        if self._server_ms is not None:
            # What was said stays where it was in the server's time, however that has jumped since.
            self._last_word_at -= (moment - self._server_ms) / 1000 - (now - self._known_at)
        self._server_ms, self._known_at = moment, now
        return moment / 1000

    def hear(self, now: float) -> None:
        """Note that the room said something."""
        self._last_word_at = now

    def left(self, state: RoomState | None, now: float) -> float | None:
        """Return the seconds until the song is overdue, at most 0 when it is; ``None`` while none plays."""
        playing = state.now_playing() if state else None
        ends = _moment(playing.get("endTime")) if playing else None
        if ends is None or self._server_ms is None:
            return None
        over = (self._server_ms - ends) / 1000 + (now - self._known_at)
        return OVERDUE - min(over, now - self._last_word_at)


def _moment(ms: object) -> float | None:
    """Return a time as a number, or ``None`` for what is none."""
    # Compared first: JSON has whole numbers that no float holds.
    if isinstance(ms, int | float) and not isinstance(ms, bool) and 0 < ms < _LATEST_MS:
        return float(ms)
    return None

"""What all parts of the bot share: its settings, what it prints, how it ends, and its pauses."""

import os
import random
import sys
from typing import Final

TOKEN: Final = os.environ.get("BOT_USER_TOKEN", "")
ROOM: Final = os.environ.get("ROOM_UUID", "")
SOCKET: Final = os.environ.get("SOCKET_SERVER_URL", "https://socket.prod.tt.fm").replace("http", "ws", 1)
CHAT: Final = os.environ.get("OPENCHAT_BASE_URL", "https://openchat.prod.tt.fm") + "/v3.0"
GATEWAY: Final = os.environ.get("TTFM_GATEWAY_BASE_URL", "https://gateway.prod.tt.fm")
APP_ID: Final = os.environ.get("COMETCHAT_APPID", "")
PORT: Final = int(os.environ.get("PORT", "0"))


class Over(Exception):
    """The bot has to end: the message says why."""

    def __init__(self, why: str, code: int = 1) -> None:
        super().__init__(why)
        self.code = code


def tell(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class Backoff:
    """Pauses that double, up to a minute, the moment within them by chance."""

    def __init__(self, first: float = 1.0, most: float = 60.0) -> None:
        self._first, self._most = first, most
        self._pause = first

    def again(self) -> float:
        """Return the seconds to wait now."""
        pause, self._pause = self._pause, min(2 * self._pause, self._most)
        return random.uniform(pause / 2, pause)  # noqa: S311  no secret depends on it

    def calm(self) -> None:
        """Begin anew: all has been well for a while."""
        self._pause = self._first

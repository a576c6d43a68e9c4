"""What the bot says of itself to other processes: a page, a socket beside the outbox, systemd."""

from hangbot.status.local import Silent, ask, poke, socket_path
from hangbot.status.report import lines
from hangbot.status.service import open_status

__all__ = ["Silent", "ask", "lines", "open_status", "poke", "socket_path"]

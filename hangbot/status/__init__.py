"""What the bot says of itself to other processes: health pages, a socket beside the outbox, systemd."""

from hangbot.status.local import Silent, ask, poke, socket_path
from hangbot.status.report import lines
from hangbot.status.service import Status, open_health_port, open_status

__all__ = ["Silent", "Status", "ask", "lines", "open_health_port", "open_status", "poke", "socket_path"]

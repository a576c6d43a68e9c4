"""What is still to be sent, and how far the chat was read: on disk before anything leaves."""

import asyncio
import json
import uuid
from pathlib import Path
from typing import Any, Final

_FILE: Final = Path("bot-state.json")


class Outbox:
    """Lines that wait to be sent, in their order, and the number of the last row that was read.

    Attributes:
        last: That number; ``None`` before the first start.
        lines: Each with muid, text and whether it may have been sent.
        news: Set when there is a line to send.
    """

    def __init__(self) -> None:
        self.last: int | None = None
        self.lines: list[dict[str, Any]] = []
        self.news = asyncio.Event()
        if _FILE.exists():
            kept = json.loads(_FILE.read_text("utf-8"))
            self.last, self.lines = kept["last"], kept["lines"]
            self.news.set()

    def keep(self) -> None:
        """Write everything down."""
        fresh = _FILE.with_suffix(".new")
        fresh.write_text(json.dumps({"last": self.last, "lines": self.lines}), "utf-8")
        fresh.replace(_FILE)

    def add(self, text: str) -> None:
        """Take a line that is to be sent; `keep` has to follow."""
        self.lines.append({"muid": str(uuid.uuid4()), "text": text, "may_be_there": False})
        self.news.set()

    def try_now(self, line: dict[str, Any]) -> None:
        """Note that a line is about to leave."""
        line["may_be_there"] = True
        self.keep()

    def done(self, line: dict[str, Any]) -> None:
        """Forget a line."""
        self.lines.remove(line)
        self.keep()

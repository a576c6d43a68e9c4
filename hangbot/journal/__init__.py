"""What the bot and its services said to each other in the last minutes, kept in memory for an incident.

An entry is what was sent or received itself, not a copy; it is read, and masked, only when it is asked for.
What is kept begins with a checkpoint: how the connections and the room stood before its first entry.
"""

from hangbot.journal.chance import Chance, NotedChance
from hangbot.journal.entries import Checkpoint, Entry, Excerpt, Snapshot
from hangbot.journal.keeping import LARGEST, OLDEST, SILENT, Journal
from hangbot.journal.packing import unpack
from hangbot.journal.reading import SCHEMA, rows

__all__ = [
    "LARGEST",
    "OLDEST",
    "SCHEMA",
    "SILENT",
    "Chance",
    "Checkpoint",
    "Entry",
    "Excerpt",
    "Journal",
    "NotedChance",
    "Snapshot",
    "rows",
    "unpack",
]

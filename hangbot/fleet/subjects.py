"""Under which subjects of a fleet's register things stand: a kind, a dot and a name. PURE."""

from enum import StrEnum

__all__ = ["Kind"]


class Kind(StrEnum):
    """What stands there, and by whose name.

    Attributes:
        LEASE: Who owns a room; the room's key.
        WISH: What is wanted of a room; its key.
        WORKER: A worker that lives; its name.
        FOLDER: The room files that it has; its name.
        DRAIN: That it is to drain; its name.
    """

    LEASE = "lease"
    WISH = "wish"
    WORKER = "worker"
    FOLDER = "folder"
    DRAIN = "drain"

    @property
    def all(self) -> str:
        """The subject of all of the kind, to be read by."""
        return self.of("*")

    def of(self, name: str) -> str:
        """Return the subject of one."""
        return f"{self}.{name}"

    def has(self, subject: str) -> bool:
        """Return whether that is the subject of one of the kind."""
        return subject.startswith(self.of(""))

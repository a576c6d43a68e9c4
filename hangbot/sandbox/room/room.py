"""One room as the service keeps it, composed of its parts.

PURE: no clock, no sockets. Every change returns the messages that it causes, in order.
The state has the shape of a recorded join response, the messages the names and patch
form of recorded ones.
"""

from typing import Any

from hangbot.sandbox.ids import Ids
from hangbot.sandbox.room import songs
from hangbot.sandbox.room.moderation import Moderation
from hangbot.sandbox.room.presence import Presence
from hangbot.sandbox.room.stage import Stage
from hangbot.sandbox.room.state import ActionRefused, RoomMessage, RoomState, first_settings
from hangbot.sandbox.room.variants import RoomVariants
from hangbot.sandbox.room.votes import Votes

__all__ = ["ActionRefused", "Room", "RoomMessage"]


class Room:
    """One room and everyone in it.

    Args:
        uuid: The room's uuid, also the GUID of its chat group.
        slug: The room's name in URLs.
        name: What people call it.
        variants: The unknowns, settled.
        ids: Where play ids come from.

    Attributes:
        votes: The votes on the playing song.
        stage: DJs and songs.
        presence: Who is here.
        moderation: Roles, settings and kicks.
    """

    def __init__(
        self, uuid: str, slug: str, name: str, variants: RoomVariants, ids: Ids | None = None
    ) -> None:
        self.uuid = uuid
        self.slug = slug
        self.name = name
        self._state = RoomState(first_settings(uuid, slug, name, variants), variants)
        self.votes = Votes(self._state)
        self.stage = Stage(self._state, self.votes, ids or Ids())
        self.presence = Presence(self._state, self.stage, self.votes)
        self.moderation = Moderation(self._state, self.stage, self.presence)
        self._answered: dict[str, Any] = {}
        self._answered_of: tuple[Any, ...] = (None,) * 4

    def __contains__(self, uid: object) -> bool:
        return uid in self._state

    @property
    def state(self) -> dict[str, Any]:
        """The state as clients hold it."""
        return self._state.shown

    @property
    def roles(self) -> dict[str, str]:
        """Room roles by uid."""
        return self._state.roles

    @property
    def live(self) -> bool:
        """Whether the server holds a state for the room; the first join makes one (``didCreate``)."""
        return self._state.live

    def animate(self, uid: str, animation: str, emoji: str | None) -> list[RoomMessage]:
        """Jump, or show an emoji.

        Raises:
            ActionRefused: Not here.
        """
        self._state.require(uid)
        params = {"userUuid": uid, "animation": animation}
        if animation == "emoji" and emoji is not None:
            params["emoji"] = emoji
        return [RoomMessage("playedOneTimeAnimation", params=params)]

    def reset(self) -> list[RoomMessage]:
        """Clear the state; the server closes every connection of the room after it."""
        self._state.empty()
        self.presence.reset()
        self.votes.reset()
        return [RoomMessage("roomReset")]

    def server_state(self) -> dict[str, Any]:
        """Return what actions answer with: the server's own view, as a lab recording has it.

        The same object as long as nothing in it has changed; most actions change nothing. (Comparing
        costs little: what did not change is the same object.)
        """
        shown = self._state.shown
        parts = (shown["allUsers"], shown["djs"], shown["nowPlaying"], shown["songsRemainingForDj"])
        if parts != self._answered_of:
            self._answered_of = parts
            self._answered = {
                "allUsers": [{"uuid": u["uuid"], "tokenRole": u["tokenRole"]} for u in parts[0]],
                "djs": [
                    {"userUuid": dj["uuid"], "nextSongId": songs.song_id(dj["nextSong"])} for dj in parts[1]
                ],
                "nowPlaying": parts[2],
                "shouldRemoveDjAfterSong": False,
                "songsRemainingForDj": parts[3],
            }
        return self._answered

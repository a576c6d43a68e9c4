"""Votes on the playing song.

PURE.
"""

from collections.abc import Mapping
from typing import Final

from hangbot.sandbox.room.patches import Operation, PatchBuilder, pointer
from hangbot.sandbox.room.state import NOTHING_PLAYS, ActionRefused, RoomMessage, RoomState

__all__ = ["Votes"]

_Cast = dict[str, bool]
"""``songVotes`` of a user: ``like``, ``star``, or neither."""

# Differences go through keys from the last to the first; the state has likes, dislikes, stars.
_COUNTS_IN_ORDER: Final = ("stars", "dislikes", "likes")


class Votes:
    """Who votes how, and what that makes of the counts.

    Args:
        state: The room's state.
    """

    def __init__(self, state: RoomState) -> None:
        self._state = state
        self._voters: set[str] = set()

    def cast(self, uid: str, votes: Mapping[str, bool]) -> list[RoomMessage]:
        """Vote on the playing song: ``like`` true or false, ``star``; a later vote replaces the earlier.

        Other names in ``votes`` count for nothing.

        Raises:
            ActionRefused: Not here, nothing plays, or it is the DJ's own song and that is forbidden.
        """
        self._state.require(uid)
        shown = self._state.shown
        if shown["nowPlaying"] is None:
            raise ActionRefused(NOTHING_PLAYS)
        if not self._state.variants.dj_may_vote and shown["djs"] and shown["djs"][0]["uuid"] == uid:
            raise ActionRefused("You cannot vote on your own song.")
        data = shown["allUserData"][uid]
        before: _Cast = data["songVotes"]
        after = before | {name: votes[name] for name in ("like", "star") if name in votes}
        counts, vibe = shown["voteCounts"], shown["vibeMeter"]
        shown["voteCounts"] = _counted(counts, before, after)
        shown["vibeMeter"] = self.vibe()
        shown["allUserData"][uid] = {**data, "songVotes": after}
        self._voters.add(uid)
        changed = (counts, shown["voteCounts"]), (vibe, shown["vibeMeter"])
        return [RoomMessage("votedOnSong", _patch(uid, (before, after), *changed))]

    def vibe(self) -> float:
        """Return ``vibeMeter`` as the votes are now."""
        # One like among ten users showed as 1/9 in a recorded message; the formula is inferred.
        likes: int = self._state.shown["voteCounts"]["likes"]
        others = len(self._state.shown["allUsers"]) - 1
        if likes == 0 or likes >= others:
            return 1 if likes else 0
        return likes / others

    def clear(self, patch: PatchBuilder) -> None:
        """Take all votes away: another song plays."""
        data = self._state.shown["allUserData"]
        for uid in self._voters:
            patch.set_entry(uid, {**data[uid], "songVotes": {}})
        self._voters.clear()
        patch.set("voteCounts", {"likes": 0, "dislikes": 0, "stars": 0})
        patch.set("vibeMeter", 0)

    def forget(self, uid: str) -> None:
        """Forget that a user has voted; the counts stay as they are."""
        self._voters.discard(uid)

    def reset(self) -> None:
        """Forget every voter."""
        self._voters.clear()


def _counted(counts: Mapping[str, int], cast: _Cast, now: _Cast) -> dict[str, int]:
    """Return ``voteCounts`` once a user's votes ``cast`` are replaced by those of ``now``."""
    after = dict(counts)
    for sign, votes in ((-1, cast), (1, now)):
        like = votes.get("like")
        if like is not None:
            after["likes" if like else "dislikes"] += sign
        if votes.get("star"):
            after["stars"] += sign
    return after


def _patch(
    uid: str,
    votes: tuple[_Cast, _Cast],
    counts: tuple[Mapping[str, int], Mapping[str, int]],
    vibe: tuple[float, float],
) -> list[Operation]:
    """Return what a vote changes; each argument but ``uid`` is a value before and after it.

    Written down directly instead of compared: votes are by far the most frequent change.
    """
    before, after = counts
    ops: list[Operation] = [
        {"op": "replace", "path": f"/voteCounts/{name}", "value": after[name]}
        for name in _COUNTS_IN_ORDER
        if after[name] != before[name]
    ]
    if vibe[1] != vibe[0]:
        ops.append({"op": "replace", "path": "/vibeMeter", "value": vibe[1]})
    old, new = votes
    path = f"/allUserData{pointer(uid)}/songVotes"
    ops += [
        {"op": "replace", "path": f"{path}/{name}", "value": new[name]}
        for name in reversed(old)
        if old[name] is not new[name]
    ]
    ops += [
        {"op": "add", "path": f"{path}/{name}", "value": given}
        for name, given in new.items()
        if name not in old
    ]
    return ops

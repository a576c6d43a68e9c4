"""Which scenarios show each class of faults alone: what a bot fails in there is not searched again. PURE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pytest_hangfm.proof.search.kind import FaultKind

__all__ = ["ALONE", "without_known"]

_DROP: Final = ("room-socket.abort", "room-socket.again-and-again", "room-socket.votes-again")
_AWAY: Final = ("chat-in.outage", "chat-in.while-out", "chat-in.push-drop")

ALONE: Final[Mapping[str, tuple[str, ...]]] = {
    "room.cut": _DROP,
    "room.closed": ("room-socket.close",),
    "room.closed-on-purpose": ("room-socket.server-close",),
    "room.reset": ("room-socket.reset",),
    "room.away": (*_DROP, "room-socket.outage", "room-socket.back-off"),
    "room.proxy-page": (*_DROP, "room-socket.handshake-fails"),
    "room.join-refused": (*_DROP, "join.refused", "join.refused-again", "room-socket.one-connection"),
    "room.join-late": (*_DROP, "state.early"),
    "room.no-welcome": (*_DROP, "join.no-welcome"),
    "room.messages-lost": ("state.lost",),
    "room.messages-twice": ("state.doubled",),
    "room.messages-reordered": ("state.reordered",),
    "room.patches-unfitting": ("state.unfitting",),
    "room.frames-unknown": ("state.unknown-messages",),
    "room.crowd": ("state.leaving", "state.no-profiles"),
    "chat.answer-lost": ("chat-out.lost-answer",),
    "chat.send-cut": ("chat-out.cut",),
    "chat.send-503": ("chat-out.unavailable",),
    "chat.send-empty-500": ("chat-out.empty-500",),
    "chat.send-page": ("chat-out.page",),
    "chat.send-401": ("chat-out.token-expired",),
    "chat.send-limited": ("chat-out.limited",),
    "chat.send-slow": ("chat-out.late-answer",),
    "chat.lookup-503": (),
    "chat.lookup-page": (),
    "chat.lookup-cut": (),
    "chat.history-503": ("chat-in.history-fails",),
    "chat.history-page": ("chat-in.history-page",),
    "chat.history-empty": ("chat-in.history-empty",),
    "chat.history-cut": ("chat-in.outage",),
    "chat.history-slow": ("start.chat-late",),
    "chat.away": (*_AWAY, "chat-out.cut"),
    "chat.unwell": (*_AWAY, "chat-in.history-fails", "chat-out.unavailable"),
    "chat.answers-lost": (*_AWAY, "chat-out.lost-answer"),
    "chat.push-broken": ("chat-in.push-drop", "chat-in.while-out"),
    "chat.push-refused": ("chat-in.push-drop", "chat-in.push-refused", "chat-in.while-out"),
    "chat.push-twice": ("chat-in.push-doubled",),
    "chat.token-ends": ("chat-in.token-expired",),
    "chat.lines": ("chat-in.burst",),
    "gateway.503": ("start.exchange-fails",),
    "gateway.page": ("start.exchange-page",),
    "gateway.cut": ("start.exchange-fails",),
    "gateway.slow": ("start.exchange-late",),
    "bot.restarted": ("chat-in.restart", "chat-in.while-down", "stop.drains", "stop.sigterm"),
    "bot.killed": ("chat-in.killed", "chat-in.while-down"),
    "services.restart": ("room-socket.restart", *_AWAY),
}
"""The rules that are judged by each class of faults alone."""


def without_known(kinds: Mapping[str, FaultKind], broken: Collection[str]) -> dict[str, FaultKind]:
    """Return the classes that a bot does not fail in alone, as far as that is known.

    Args:
        kinds: The classes, by name.
        broken: Ids of the rules that it was seen to break.
    """
    sound = {name: kind for name, kind in kinds.items() if not set(ALONE[name]) & set(broken)}
    # What no class leads to any more cannot take place.
    return {name: kind for name, kind in sound.items() if not kind.after or sound.keys() & set(kind.after)}

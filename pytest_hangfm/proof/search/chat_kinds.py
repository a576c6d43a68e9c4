"""Faults of the chat, and of the gateway that gives its tokens."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pytest_hangfm.proof.search.kind import Args, FaultKind, Happen, armed, away

if TYPE_CHECKING:
    from pytest_hangfm.proof.play import Play

__all__ = ["CHAT_KINDS"]

_PAGE: Final = "<html><body>Request blocked</body></html>"
_HTML: Final = {"Content-Type": "text/html"}
_NO_AUTH: Final = {"error": {"code": "ERR_NO_AUTH", "message": "Who?"}}
_PUSH: Final = ("answers", "push")
_Values = Mapping[str, tuple[Any, ...]]
_TIMES: Final[_Values] = {"times": (1, 2)}
_UNKNOWN_SENDS: Final = ("chat.answer-lost", "chat.send-cut", "chat.send-empty-500", "chat.send-503")
"""After these a bot that asks before it sends again asks."""
_EXCHANGES: Final = ("chat.token-ends", "chat.send-401", "bot.restarted")
"""After these a bot exchanges its token."""


def _break_push(play: Play) -> None:
    play.sandbox.chat.realtime.abort_all()


def _sends(name: str, do: str, *, weight: float = 1.0, **fixed: Any) -> FaultKind:  # noqa: ANN401  what the sandbox takes
    return FaultKind(name, armed("chat.send", do, **fixed), weight=weight)


def _looks_up(name: str, do: str, **more: Any) -> FaultKind:  # noqa: ANN401  see above
    return FaultKind(name, armed("chat.lookup", do, **more), after=_UNKNOWN_SENDS)


def _history(name: str, do: str, *, args: _Values = _TIMES, **fixed: Any) -> FaultKind:  # noqa: ANN401  see above
    return FaultKind(name, armed("chat.history", do, **fixed), args=args, weight=0.7)


def _exchanges(name: str, do: str, *, args: _Values = _TIMES, **fixed: Any) -> FaultKind:  # noqa: ANN401  see above
    return FaultKind(name, armed("gateway.token", do, **fixed), args=args, after=_EXCHANGES, may_end=True)


async def _token_ends(play: Play, _args: Args, _lasts: float) -> int:
    play.revoke_chat_token()
    return 1


async def _push_breaks(play: Play, _args: Args, _lasts: float) -> int:
    play.mark("the chat's socket breaks")
    _break_push(play)
    return 1


def _unwell(do: str, **fixed: Any) -> Happen:  # noqa: ANN401  see above
    return away("chat.*", do, _break_push, times=0, **fixed)


async def _lines(play: Play, _args: Args, _lasts: float) -> int:
    play.mark("sixty lines come at once")
    for number in range(60):
        await play.people[number % len(play.people)].say(f"line {number} of many")
        if number % 20 == 0:
            await asyncio.sleep(0)
    return 1


CHAT_KINDS: Final = (
    _sends("chat.answer-lost", "cut_after_store", weight=2.0),
    _sends("chat.send-cut", "cut_before_store"),
    _sends("chat.send-503", "status", status=503, body=""),
    _sends("chat.send-empty-500", "status", status=500, body=""),
    _sends("chat.send-page", "status", status=403, body=_PAGE, headers=_HTML, weight=0.5),
    _sends("chat.send-401", "status", status=401, body=_NO_AUTH, weight=0.7),
    _sends("chat.send-limited", "status", status=429, body="", headers={"Retry-After": "3"}, weight=0.7),
    FaultKind(
        "chat.send-slow",
        armed("chat.send", "delay"),
        ("answers",),
        (3.0, 5.0),
        {"ms": (3000, 5000)},
        weight=1.5,
    ),
    _looks_up("chat.lookup-503", "status", status=503, body=""),
    _looks_up("chat.lookup-page", "status", status=403, body=_PAGE, headers=_HTML),
    _looks_up("chat.lookup-cut", "cut_before_store"),
    _history("chat.history-503", "status", status=503, body=""),
    _history("chat.history-page", "status", status=200, body=_PAGE, headers=_HTML),
    _history("chat.history-empty", "status", status=200, body=""),
    _history("chat.history-cut", "cut_before_store"),
    _history("chat.history-slow", "delay", args={"ms": (1500, 3000)}),
    FaultKind("chat.away", _unwell("refuse"), lasts=(2.0, 4.0), may_end=True),
    FaultKind("chat.unwell", _unwell("status", status=503, body=""), lasts=(2.0, 4.0), may_end=True),
    FaultKind("chat.answers-lost", _unwell("cut_after_store"), lasts=(2.0, 4.0), may_end=True),
    FaultKind("chat.push-broken", _push_breaks, _PUSH, (0.0, 0.0), may_end=True),
    FaultKind(
        "chat.push-refused",
        away("chat.ws", "refuse", _break_push),
        _PUSH,
        (3.0, 5.0),
        {"times": (1, 2)},
        weight=0.7,
        may_end=True,
    ),
    FaultKind("chat.push-twice", armed("chat.ws", "duplicate"), _PUSH, args={"times": (10, 20)}, weight=0.7),
    FaultKind("chat.token-ends", _token_ends, lasts=(0.0, 0.0), weight=1.5, may_end=True),
    FaultKind("chat.lines", _lines, lasts=(0.0, 0.0), weight=0.5),
    _exchanges("gateway.503", "status", status=503, body=""),
    _exchanges("gateway.page", "status", status=200, body=_PAGE, headers=_HTML),
    _exchanges("gateway.cut", "cut_before_store"),
    _exchanges("gateway.slow", "delay", args={"ms": (1500, 4000)}),
)

"""Requests that are refused, cut, held back or answered with something else."""

from random import Random
from typing import TYPE_CHECKING, Any, Final

from pytest_hangfm.simulation.faults.kind import Args, Begin, Effect, FaultKind, nothing

if TYPE_CHECKING:
    from pytest_hangfm.simulation.world import World

__all__ = ["KINDS", "armed"]

_POINTS: Final = ("chat.*", "chat.*", "chat.send", "chat.history", "gateway.*")
_STATUSES: Final[tuple[tuple[int, Any, dict[str, str] | None], ...]] = (
    (503, "", None),
    (500, "", None),
    (502, "<html><h1>502 Bad Gateway</h1></html>", None),
    (429, {"error": {"code": "AUTH_ERR_TOO_MANY_REQUESTS", "message": "slow down"}}, {"Retry-After": "7"}),
    (403, "<!doctype html><title>Just a moment...</title>", {"Content-Type": "text/html"}),
    (408, "", None),
)
_CHAT: Final = frozenset({"chat", "send"})


def armed(world: "World", on: str, do: str, **more: Any) -> Effect:  # noqa: ANN401  passed on
    """Arm a fault of the sandbox."""
    faults = world.sandbox.faults
    fault = faults.add(on, do, **more)

    def end() -> None:
        hits[0] = faults.hits(fault.id)
        faults.remove(fault.id)
        hits[1] = 1

    hits = [0, 0]
    return Effect(lambda: hits[0] if hits[1] else faults.hits(fault.id), end)


def _request(do: str) -> Begin:
    async def begin(world: "World", args: Args, _lasts: float) -> Effect:
        return armed(world, args["on"], do, times=args["times"], ms=args.get("ms"))

    return begin


def _few(random: Random) -> Args:
    return {"on": random.choice(_POINTS), "times": random.choice((1, 1, 2, 3, 6))}


def _slow(random: Random) -> Args:
    return {**_few(random), "ms": round(10 ** random.uniform(2.3, 4.3))}


def _status(random: Random) -> Args:
    return {**_few(random), "answer": random.randrange(len(_STATUSES))}


def _sends(random: Random) -> Args:
    return {"times": random.choice((1, 1, 2, 4))}


def _often(random: Random) -> Args:
    return {"times": random.choice((1, 2, 4, 8))}


async def _answered(world: "World", args: Args, _lasts: float) -> Effect:
    status, body, headers = _STATUSES[args["answer"]]
    return armed(world, args["on"], "status", times=args["times"], status=status, body=body, headers=headers)


async def _refused_send(world: "World", args: Args, _lasts: float) -> Effect:
    status, body, headers = _STATUSES[args["answer"]]
    return armed(world, "chat.send", "status", times=args["times"], status=status, body=body, headers=headers)


async def _doubled(world: "World", _args: Args, _lasts: float) -> Effect:
    """The answer to a send comes twice: the next one is answered by it, and reaches the chat no more."""
    bot = world.sandbox.bot.uid
    own = [row for row in world.sandbox.messages if row["sender"] == bot and row.get("muid")]
    if not own:
        return Effect(lambda: 0)
    return armed(world, "chat.send", "status", times=1, status=200, body={"data": own[-1]})


def _lost(do: str) -> Begin:
    async def begin(world: "World", args: Args, _lasts: float) -> Effect:
        return armed(world, "chat.send", do, times=args["times"])

    return begin


async def _lost_and_unanswered(world: "World", args: Args, _lasts: float) -> Effect:
    """The answer to a send is lost, and so are those to the questions what became of it."""
    asked = armed(world, "chat.lookup", "status", times=args["times"], status=503)
    sent = armed(world, "chat.send", "cut_after_store")

    def end() -> None:
        for effect in (asked, sent):
            if effect.end:
                effect.end()

    return Effect(asked.hits, end)


async def _history(world: "World", args: Args, _lasts: float) -> Effect:
    """No history, just when it is needed: the socket that brings the lines has broken."""
    trouble = armed(world, "chat.history", args["do"], times=args["times"], ms=3000.0)
    ws = armed(world, "chat.ws", "abort")

    def end() -> None:
        for effect in (trouble, ws):
            if effect.end:
                effect.end()

    return Effect(trouble.hits, end)


def _history_args(random: Random) -> Args:
    return {
        "do": random.choice(("status", "garbage", "delay", "hang", "refuse")),
        "times": random.choice((1, 3)),
    }


async def _no_token(world: "World", args: Args, _lasts: float) -> Effect:
    """The chat's token is revoked, and the exchange for a fresh one fails."""
    trouble = armed(world, "gateway.token", args["do"], times=args["times"], ms=3000.0)
    await world.revoke_chat_token()
    return trouble


def _token_args(random: Random) -> Args:
    return {"do": random.choice(("status", "garbage", "hang", "refuse")), "times": random.choice((1, 2, 4))}


KINDS: Final = (
    FaultKind("request refused", _request("refuse"), _few, (60.0, 120.0), _CHAT, weight=1.3),
    FaultKind("request answered otherwise", _answered, _status, (60.0, 120.0), _CHAT, weight=1.3),
    FaultKind("request hangs", _request("hang"), _few, (60.0, 120.0), _CHAT, weight=1.3),
    FaultKind("request answered with a page", _request("garbage"), _few, (60.0, 120.0), _CHAT, weight=1.1),
    FaultKind("request slow", _request("delay"), _slow, (60.0, 120.0), _CHAT, weight=1.2),
    FaultKind("send refused", _refused_send, _status, (60.0, 120.0), _CHAT),
    FaultKind(
        "send cut before it is stored", _lost("cut_before_store"), _sends, (60.0, 120.0), _CHAT, weight=1.3
    ),
    FaultKind("send cut after it is stored", _lost("cut_after_store"), _sends, (60.0, 120.0), _CHAT),
    FaultKind("send answered twice", _doubled, nothing, (60.0, 120.0), _CHAT),
    FaultKind("send and question unanswered", _lost_and_unanswered, _often, (60.0, 180.0), _CHAT),
    FaultKind("no history", _history, _history_args, (60.0, 120.0), _CHAT),
    FaultKind("no fresh token", _no_token, _token_args, (30.0, 120.0), _CHAT),
)

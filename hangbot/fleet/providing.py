"""The streams of a fleet in a cluster: those that are there, if they are ours, or new ones."""

import json
from typing import TYPE_CHECKING, Any, Final

from hangbot.fleet.jetstream import EXISTS, MISSING, NoResponder, error_code, error_of, parsed
from hangbot.fleet.refusals import ClusterUnfit, NoFleet
from hangbot.fleet.shapes import Shape, of_another, outlived, wrong_with
from hangbot.fleet.streams import AnswerMissing

if TYPE_CHECKING:
    from hangbot.fleet.link import Link

__all__ = ["ask_jetstream", "found_stream", "provide"]

_WITHIN_S: Final = 0.5
_TRIES: Final = 8
_OF_ONE: Final = 2
"""Of them through one server, if there are others."""


async def ask_jetstream(link: "Link", what: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Ask JetStream's API for what may be asked again, and return its answer, which may be an error.

    A stream that is just being made does not answer, and forgets what it was asked.

    Raises:
        ClusterUnfit: There is no JetStream.
        ClusterAway: As `Link.ask` does.
    """
    asked = json.dumps(body).encode() if body else b""
    tries_left = _TRIES
    while True:
        tries_left -= 1
        begun = link.clock.now()
        try:
            return parsed(await link.ask(f"$JS.API.{what}", asked, within=min(_WITHIN_S, link.within)))
        except NoResponder as exc:
            raise ClusterUnfit(f"JetStream is off at NATS server {link.server}") from exc
        except AnswerMissing:
            if not tries_left:
                raise
            if tries_left % _OF_ONE == 0:
                link.doubt(begun)


async def found_stream(link: "Link", name: str) -> dict[str, Any] | None:
    """Return what there is to know of a stream; ``None``: there is none."""
    found = await ask_jetstream(link, f"STREAM.INFO.{name}")
    if error_code(found) == MISSING:
        return None
    if "error" in found:
        raise error_of(found)
    return found


async def provide(link: "Link", wanted: Shape, *, make: bool = True) -> None:
    """Have a stream.

    Args:
        link: To the cluster.
        wanted: The stream.
        make: Whether to make one that is missing.

    Raises:
        NoFleet: It is missing, and not to be made.
        OutboxOfAnother: Its name, or its subjects, are another project's.
        OutboxUnusable: It is of a later version, or the cluster cannot have it.
    """
    name = wanted["name"]
    found = await found_stream(link, name)
    if found is None and not make:
        raise NoFleet(f"no worker has been started on this fleet: there is no stream {name}")
    if found is None:
        made = await ask_jetstream(link, f"STREAM.CREATE.{name}", wanted)
        if "error" not in made:
            return
        if error_code(made) not in EXISTS:
            raise error_of(made)
        found = await found_stream(link, name)  # another worker was faster
        if found is None:
            subjects = ", ".join(wanted["subjects"])
            raise of_another(f"the NATS cluster has a stream of another project's with {subjects}")
    if wrong := wrong_with(found["config"], wanted):
        raise wrong
    if longer := outlived(found["config"], wanted):
        changed = await ask_jetstream(link, f"STREAM.UPDATE.{name}", longer)
        if "error" in changed:
            raise error_of(changed)

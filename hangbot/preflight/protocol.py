"""Check whether the services still speak as this hangbot knows them."""

import json
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from hangbot.errors import HangbotError
from hangbot.preflight import shapes
from hangbot.preflight.model import CheckContext, Finding, check
from hangbot.preflight.probe import room_spec
from hangbot.preflight.shapes import Difference, compare

__all__ = ["protocol_drift"]

_MOST_NAMED: Final = 8
_KNOWN_SPEC: Final = {"pathname": "/primus", "parser": "json", "transformer": "websockets"}


@check(
    "drift",
    "Services speak as hangbot knows them",
    needs=("room.joined",),
    remedy="Update hangbot: `pip install --upgrade hangbot`.",
)
async def protocol_drift(context: CheckContext) -> Finding:
    """The live answers and frames are of the shapes that hangbot knows.

    A new field is a note, since nothing reads it; one that is gone or changed is a warning.
    """
    found: list[Difference] = []
    compared = [
        *await _chat(context, found),
        *await _room(context, found),
    ]
    differences = list(dict.fromkeys(found))
    bad = [difference for difference in differences if difference.what != "new"]
    new = [difference for difference in differences if difference.what == "new"]
    note = f"; new, and not read: {_named(new)}" if new else ""
    if bad:
        gone, changed = ([d for d in bad if d.what == what] for what in ("gone", "changed"))
        kinds = [
            f"{what}: {_named(those)}" for what, those in (("changed", changed), ("gone", gone)) if those
        ]
        return Finding(
            f"the services speak otherwise than hangbot knows: {'; '.join(kinds)}{note}",
            "Update hangbot (`pip install --upgrade hangbot`); if that is the newest, report this line.",
        )
    return Finding(f"{', '.join(compared) or 'nothing'} as hangbot knows them{note}")


def _named(differences: Iterable[Difference]) -> str:
    names = sorted({str(difference) for difference in differences})
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


async def _chat(context: CheckContext, found: list[Difference]) -> list[str]:
    """Compare the chat's answers; a request that fails is the matter of another check."""
    compared = []
    with suppress(HangbotError):
        found += compare(shapes.ME, dict(await context.chat.me()), "me")
        compared.append("me")
    with suppress(HangbotError):
        found += compare(shapes.GROUP, dict(await context.chat.group()), "group")
        compared.append("group")
    with suppress(HangbotError):
        rows = await context.chat.call(
            "GET",
            f"/groups/{context.chat.group_id}/messages",
            what="the newest messages",
            params={"per_page": 20, "affix": "prepend"},
        )
        found += compare(shapes.Shape(("list",), each=shapes.MESSAGE), rows, "messages")
        compared.append("messages")
    return compared


async def _room(context: CheckContext, found: list[Difference]) -> list[str]:
    """Compare the frames of one visit, and the server's description of itself."""
    compared = []
    frames: list[str | bytes] = []
    with suppress(HangbotError):
        async with context.open_room(on_frame=frames.append) as room:
            await room.welcome(context.settings.welcome_timeout)
            await room.join()
    for frame in frames:
        try:
            document = json.loads(frame)
        except (ValueError, RecursionError):
            found.append(Difference("frame", "changed", "no JSON"))
            continue
        found += shapes.frame_of(document)
        if isinstance(document, dict) and document.get("context") == "response" and not document.get("error"):
            found += compare(shapes.JOINED, document, "joinRoom")
            compared.append("joinRoom")
    with suppress(HangbotError):
        spec = await room_spec(context)
        if spec is not None:
            found += compare(shapes.SPEC, dict(spec), "spec")
            found += (
                Difference(f"spec.{name}", "changed", f"{spec[name]}, not {known}")
                for name, known in _KNOWN_SPEC.items()
                if isinstance(spec.get(name), str) and spec[name] != known
            )
            compared.append("spec")
    return compared

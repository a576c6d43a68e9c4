"""A plan as one word that can be copied into a shell: `decode` reads what `encode` has written. PURE.

The word holds the whole plan, so that it plays the same world when seeds draw others. With it go the
version of Python and hashes of the code and the libraries it was made with: only with these does a
simulation lead to the same history, byte for byte.
"""

import base64
import json
import zlib
from collections.abc import Collection
from dataclasses import astuple, dataclass
from typing import Final

from pytest_hangfm.simulation.plan import Plan

__all__ = ["PROOF", "SIMULATION", "MadeWith", "TokenError", "TokenKind", "decode", "encode"]

_LARGEST: Final = 4 * 2**20
"""Bytes of a plan's JSON: more was not written by `encode`."""


class TokenError(ValueError):
    """A word that is no token of a simulation; its text says what to do, and shows nothing of the word."""


@dataclass(frozen=True, slots=True)
class TokenKind:
    """What replays a token.

    Attributes:
        family: How its tokens begin, without the number of the format.
        format: That number.
        of: What it is, in words.
    """

    family: str
    format: int
    of: str

    @property
    def name(self) -> str:
        """Family and format: ``sim1``."""
        return f"{self.family}{self.format}"


SIMULATION: Final = TokenKind("sim", 1, "a simulation")
PROOF: Final = TokenKind("prove", 1, "a proof")


@dataclass(frozen=True, slots=True)
class MadeWith:
    """What decides how a plan plays.

    Attributes:
        python: The minor version, such as ``3.11``.
        libraries: A hash of the versions of the libraries.
        code: A hash of the code of hangbot and its harness.
    """

    python: str
    libraries: str
    code: str

    def difference(self, here: "MadeWith") -> str:
        """Return in words how a token's makers differ from what is here; empty where they do not."""
        parts = []
        if self.python != here.python:
            parts.append(f"Python {self.python}, here is {here.python}")
        if self.libraries != here.libraries:
            parts.append("other versions of libraries")
        if self.code != here.code:
            parts.append(f"other code of hangbot ({self.code}, here is {here.code})")
        return "; ".join(parts)


def encode(plan: Plan, made_with: MadeWith, kind: TokenKind = SIMULATION) -> str:
    """Return a plan, and what it was made with, as one word of letters, digits, ``-`` and ``_``."""
    content = json.dumps([*astuple(made_with), plan.as_json()], separators=(",", ":"))
    packed = zlib.compress(content.encode(), 9)
    return f"{kind.name}-{base64.urlsafe_b64encode(packed).decode().rstrip('=')}"


def decode(
    text: str, kind: TokenKind = SIMULATION, faults: Collection[str] | None = None
) -> tuple[Plan, MadeWith]:
    """Return a token's plan, and what it was made with; white space in it, as of a wrapped line, is ignored.

    Args:
        text: The token.
        kind: What is to replay it.
        faults: The classes of faults that can be played; ``None``: that is not looked at.

    Raises:
        TokenError: It is none, is damaged, is of another format, or has faults that are not known.
    """
    word = "".join(text.split())
    plan, made_with = _read(word, kind)
    unknown = sorted({fault.kind for fault in plan.faults} - set(faults)) if faults is not None else []
    if unknown:
        raise TokenError(
            f"this token has faults that are not known here ({', '.join(unknown)}): "
            "replay it with the hangbot that made it"
        )
    return plan, made_with


def _read(word: str, kind: TokenKind) -> tuple[Plan, MadeWith]:
    if not word:
        raise TokenError("no token was given: copy one from the output of a search")
    begin, dash, rest = word.partition("-")
    if not dash or begin != kind.name:
        if dash and begin.startswith(kind.family) and begin.removeprefix(kind.family).isdigit():
            raise TokenError(
                f"this token is of format {begin}, and this hangbot reads {kind.name}: "
                "replay it with the hangbot that made it"
            )
        raise TokenError(f"this is no token of {kind.of}: those begin with {kind.name}-")
    try:
        python, libraries, code, written = map(str, json.loads(_unpacked(rest)))
    except (ValueError, TypeError, RecursionError, zlib.error) as exc:
        raise TokenError(f"this token is not whole: copy all of it, from {kind.name}- to its end") from exc
    try:
        return Plan.from_json(written), MadeWith(python, libraries, code)
    except ValueError as exc:
        raise TokenError(f"this token holds {exc}: replay it with the hangbot that made it") from exc


def _unpacked(word: str) -> bytes:
    packed = base64.b64decode(word + "=" * (-len(word) % 4), altchars=b"-_", validate=True)
    unpacking = zlib.decompressobj()
    content = unpacking.decompress(packed, _LARGEST)
    if not unpacking.eof:
        raise ValueError("its end is missing")
    return content

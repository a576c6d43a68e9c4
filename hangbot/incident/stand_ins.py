"""What stands in the place of an id, a word or a text: drawn with a key, of the same length and look."""

import hashlib
import hmac
import re
from typing import Final

__all__ = ["StandIns"]

_HEX: Final = re.compile(r"[0-9a-f]{6,}")
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
_DIGITS: Final = "0123456789abcdef"
_TRIES: Final = 200


class StandIns:
    """The same one for the same, and another for another as far as its length allows.

    Args:
        key: What they are drawn with; without it none can be looked up.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._pieces: dict[str, str] = {}
        self._used: set[str] = set()

    def piece(self, piece: str) -> str:
        """Return what stands for a part of an id: letters for letters, digits for digits."""
        if piece not in self._pieces:
            shape = "hex" if _HEX.fullmatch(piece) and any(map(str.isdigit, piece)) else "word"
            self._pieces[piece] = self._drawn(piece, shape)
        return self._pieces[piece]

    def uuid(self, text: str) -> str:
        """Return what stands for a UUID, of the same version; hyphens make no difference."""
        bare = text.replace("-", "").lower()
        if bare not in self._pieces:
            drawn = self._drawn(bare, "hex")
            self._pieces[bare] = drawn[:12] + bare[12] + drawn[13:16] + bare[16] + drawn[17:]
        done = iter(self._pieces[bare])
        return "".join("-" if letter == "-" else next(done) for letter in text)

    def letters(self, text: str) -> str:
        """Return as many letters as a text has, drawn for all of it."""
        return "".join(_LETTERS[number % 26] for number in self._bytes(f"text:{text}", len(text)))

    def _drawn(self, piece: str, shape: str) -> str:
        for attempt in range(_TRIES):
            stream = self._bytes(f"{shape}:{attempt}:{piece}", len(piece))
            draw = _like if shape == "word" else _hex_like
            done = "".join(map(draw, piece, stream))
            if done not in self._used and done != piece:
                break
        self._used.add(done)
        return done

    def _bytes(self, text: str, length: int) -> bytes:
        raw = text.encode("utf-8", "surrogatepass")
        blocks = (
            hmac.new(self._key, block.to_bytes(4, "big") + raw, hashlib.sha256).digest()
            for block in range(length // 32 + 1)
        )
        return b"".join(blocks)[:length]


def _hex_like(_: str, number: int) -> str:
    return _DIGITS[number % 16]


def _like(letter: str, number: int) -> str:
    if letter.isdecimal():
        return str(number % 10)
    drawn = _LETTERS[number % 26]
    return drawn.upper() if letter.isupper() else drawn

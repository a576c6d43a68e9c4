"""Clients' frames, cut out of what was read.

PURE. Nearly every frame of a client is a short text in one piece. To find those takes a tenth
of the time that a general parser needs for them, and the time of a busy room is spent there.
Whatever else arrives, well-formed or not, is left to ``websockets``, byte for byte.
"""

from collections.abc import Iterator
from typing import Final

try:
    from websockets.speedups import apply_mask
except ImportError:  # pragma: no cover  a platform for which websockets has no compiled part
    from websockets.utils import apply_mask

__all__ = ["FrameCutter"]

_WHOLE_TEXT: Final = 0x81
_FIN: Final = 0x80
_OPCODE: Final = 0x0F
_HIGHEST_DATA_OPCODE: Final = 2
_MASKED: Final = 0x80
_TWO_BYTES: Final = 126
_EIGHT_BYTES: Final = 127
_HEAD: Final = 6
"""Bytes of the shortest head of a masked frame."""
_WIDTHS: Final = {_TWO_BYTES: 2, _EIGHT_BYTES: 8}
"""What a longer length adds to it."""


class FrameCutter:
    """Cuts the bytes of one connection, from the beginning of a frame on."""

    def __init__(self) -> None:
        self._kept = b""
        self._passing = 0
        self._in_parts = False
        self._stopped = False

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bool]]:
        """The pieces of what arrived, in order; the beginning of a text is kept until its end is there.

        Args:
            data: What was read.

        Yields:
            A piece and whether it is the payload of a whole text message; else it is raw bytes.
        """
        if self._kept:
            data, self._kept = self._kept + data, b""
        at, end = 0, len(data)
        if self._passing:
            at = min(self._passing, end)
            self._passing -= at
            yield data[:at], False
        while at < end:
            if self._stopped:
                yield data[at:], False
                return
            first, second = data[at], data[at + 1] if at + 1 < end else _MASKED
            size = second - _MASKED
            begin = at + _HEAD + _WIDTHS.get(size, 0)
            if first == _WHOLE_TEXT and 0 <= size < _EIGHT_BYTES and not self._in_parts:
                if size == _TWO_BYTES and begin <= end:
                    size = data[at + 2] << 8 | data[at + 3]
                stop = begin + size
                if stop > end:
                    self._kept = data[at:]
                    return
                yield apply_mask(data[begin:stop], data[begin - 4 : begin]), True
            elif size < 0 or begin > end:
                # Not masked, so an error; or there is no telling where it ends.
                self._stopped = True
                continue
            else:
                if first & _OPCODE <= _HIGHEST_DATA_OPCODE:
                    self._in_parts = not first & _FIN
                stop = begin + (size if size < _TWO_BYTES else int.from_bytes(data[at + 2 : begin - 4]))
                self._passing = max(0, stop - end)
                yield data[at:stop], False
            at = stop

    def stop(self) -> bytes:
        """Cut no more: all that comes is raw from now on. Returns what was kept of it."""
        self._stopped = True
        kept, self._kept = self._kept, b""
        return kept

"""Primus on the wire: control frames and the JSON that both sides write.

PURE. Captured from Primus 8.0.9 with the ``ws`` transformer: every frame is a text frame
of one JSON value; control messages are JSON strings, with the quotes on the wire.
"""

import json
import math
from typing import Any, Final

from hangbot.sandbox.ids import Ids

__all__ = [
    "MAX_MESSAGE_BYTES",
    "SERVER_CLOSE",
    "SPEC_PATH",
    "Unreadable",
    "decode",
    "encode",
    "is_id_request",
    "is_pong",
    "new_spark_id",
    "ping",
    "spark_id",
    "spec",
]

SERVER_CLOSE: Final = '"primus::server::close"'
"""Sent before a close that is meant: the official client then does not come back."""

SPEC_PATH: Final = "/primus/spec"
MAX_MESSAGE_BYTES: Final = 10_485_760
"""Primus' ``maxLength``; one byte more is answered with a close of code 1009."""

_PONG: Final = "primus::pong::"
_ID: Final = "primus::id::"
_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"


class Unreadable(ValueError):
    """A frame that is not JSON; the server ignores it without a word."""


def _refuse_constant(name: str) -> None:
    raise Unreadable(name)


_read = json.JSONDecoder(parse_constant=_refuse_constant).decode
# What is written here was read from JSON or made here; looking for circles would take a sixth of the time.
_write = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), allow_nan=False, check_circular=False
).encode
_write_ascii = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def decode(text: str) -> Any:  # noqa: ANN401  any JSON value
    """The JSON value of a frame.

    Raises:
        Unreadable: It is none (``NaN`` and ``Infinity`` are none either), or nested past reading.
    """
    try:
        return _read(text)
    except (ValueError, RecursionError):
        raise Unreadable("no JSON") from None


def encode(value: Any) -> str:  # noqa: ANN401  any JSON value
    """A JSON value as JavaScript writes it: compact, U+2028 and U+2029 escaped.

    Half surrogate pairs are written as escapes (they cannot go out as UTF-8), numbers
    past the range of a double as ``null``.
    """
    try:
        text = _write(value)
    except ValueError:
        text = _write(_without_infinities(value))
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return _write_ascii(_without_infinities(value))
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def ping(now_ms: int) -> str:
    """The heartbeat; the number is the server's clock."""
    return f'"primus::ping::{now_ms}"'


def is_pong(value: object) -> bool:
    """Whether a decoded frame is the heartbeat's answer; any number will do."""
    return isinstance(value, str) and value.startswith(_PONG)


def is_id_request(value: object) -> bool:
    """Whether a decoded frame asks for the connection's id."""
    return isinstance(value, str) and value.startswith(_ID)


def spark_id(spark: str) -> str:
    """The answer to a request for the id."""
    return f'"{_ID}{spark}"'


def new_spark_id(ids: Ids) -> str:
    """An id as Primus makes them: 21 characters."""
    return "".join(_ALPHABET[byte & 63] for byte in ids.raw(21))


def spec(ping_interval_s: float) -> str:
    """Body of ``GET /primus/spec``."""
    return encode(
        {
            "pingInterval": round(ping_interval_s * 1000),
            "pathname": "/primus",
            "version": "8.0.9",
            "parser": "json",
            "transformer": "websockets",
        }
    )


def _without_infinities(value: Any) -> Any:  # noqa: ANN401  any JSON value
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _without_infinities(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_infinities(item) for item in value]
    return value

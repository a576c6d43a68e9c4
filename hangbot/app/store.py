"""``ctx.store``: values by key, kept over restarts, written when the handler ends."""

import json
import re
from functools import cache
from typing import Any, Final, TypeVar, overload

from pydantic import BaseModel, TypeAdapter, ValidationError

from hangbot.app.buffer import Buffer
from hangbot.app.durations import Seconds, seconds_of
from hangbot.app.users import uuid_of
from hangbot.bot.events import User
from hangbot.clock import Clock
from hangbot.errors import UsageError

__all__ = ["LONGEST_KEY", "LONGEST_VALUE", "AppStore"]

Value = TypeVar("Value")

LONGEST_KEY: Final = 200
"""Characters of a key."""
LONGEST_VALUE: Final = 256 * 1024
"""Bytes of a value as JSON."""

_NONE: Final = "null"
"""A value that is ``None``, which is as good as none."""
_UNFIT: Final = re.compile("[\0\ud800-\udfff]")
"""What SQLite cannot take: NUL, and half a character."""
_to_json: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
_from_json: Final = json.JSONDecoder().decode


class AppStore:
    """What an app keeps in one place: in this room, of one user (`user`), or in all rooms (`everywhere`).

    A value is what JSON can hold, or a pydantic model. What is read is as it will be when the handler ends;
    where another handler changed meanwhile what this one read and changed, none of this one is written, and
    it runs again.

    Args:
        buffer: What is changed goes here.
        clock: Says when something expires.
        app: The app's name.
        place: Where, below that.
    """

    def __init__(self, buffer: Buffer, clock: Clock, app: str, place: str) -> None:
        self._buffer = buffer
        self._clock = clock
        self._app = app
        self._place = place
        self._space = f"{app}/{place}"

    def user(self, user: User | str) -> "AppStore":
        """Return what is kept of a user here; ``user`` may be its uuid."""
        return self.part(f"user/{uuid_of(user)}")

    def part(self, name: str) -> "AppStore":
        """Return a part of this place, with keys of its own."""
        return AppStore(self._buffer, self._clock, self._app, f"{self._place}/{_checked(name, 'part')}")

    @property
    def everywhere(self) -> "AppStore":
        """What is kept for every room that this outbox serves."""
        return AppStore(self._buffer, self._clock, self._app, "everywhere")

    async def keys(self) -> list[str]:
        """Return all keys here, in order, as they will be when the handler ends."""
        return await self._buffer.keys(self._space)

    @overload
    async def get(self, key: str, default: object = None) -> Any: ...  # noqa: ANN401  whatever was stored

    @overload
    async def get(self, key: str, *, type: type[Value]) -> Value | None: ...

    @overload
    async def get(self, key: str, default: Value, *, type: type[Value]) -> Value: ...

    async def get(self, key: str, default: Any = None, *, type: Any = None) -> Any:  # noqa: A002
        """Return a value, or the default where there is none.

        Args:
            key: What it is called.
            default: Returned where there is none.
            type: What it must be: a pydantic model, or any other type that pydantic reads.

        Raises:
            UsageError: What is stored is not of that type.
            OutboxError: It could not be read.
        """
        found = await self._buffer.read(self._space, _checked(key))
        if found is None:
            return default
        if type is None:
            return _from_json(found)
        try:
            return _adapter(type).validate_json(found)
        except ValidationError as exc:
            raise UsageError(
                f"what is stored under {key!r} is no {getattr(type, '__name__', type)}: "
                f"{exc.errors(include_input=False, include_url=False)[0]['msg']}",
                remedy="Delete it, or read it without a type and store it anew.",
            ) from None

    async def set(self, key: str, value: object, *, expires: Seconds | None = None) -> None:
        """Store a value.

        Args:
            key: What it is called: up to 200 characters.
            value: What JSON can hold, or a pydantic model; up to 256 KiB of it.
            expires: Seconds, or a `datetime.timedelta`, after which it is gone; never by default.

        Raises:
            UsageError: It cannot be stored.
        """
        key = _checked(key)
        until = None
        if expires is not None:
            until = self._clock.wall() + seconds_of(expires, f"the time until the value of {key!r} expires")
        self._buffer.change(self._space, key, _written(key, value), until)

    async def delete(self, key: str) -> None:
        """Forget a value; one that is not there is no error."""
        self._buffer.change(self._space, _checked(key), None)

    async def compare_and_set(self, key: str, expected: object, value: object) -> bool:
        """Store a value where another one stands (``None``: none); return whether it was that.

        Raises:
            UsageError: It cannot be stored.
            OutboxError: It could not be read.
        """
        found = await self._buffer.read(self._space, _checked(key))
        same = bool(_from_json(found or _NONE) == _from_json(_written(key, expected)))
        if same:
            self._buffer.change(self._space, key, _written(key, value))
        return same


def _checked(key: object, what: str = "key") -> str:
    if not isinstance(key, str) or not key or len(key) > LONGEST_KEY or _UNFIT.search(key):
        raise UsageError(
            f"the {what} {repr(key)[:50]} of the store is no text of 1 to {LONGEST_KEY} characters",
            remedy="Give it as text: `str(…)` of a number, a hash of what is too long.",
        )
    return key


def _written(key: str, value: object) -> str:
    try:
        text = value.model_dump_json() if isinstance(value, BaseModel) else _to_json(value)
        size = len(text.encode())
    except (TypeError, ValueError, RecursionError) as exc:
        raise UsageError(
            f"the value of {key!r} cannot be stored: {exc}", remedy="Store what JSON can hold, or a model."
        ) from None
    if size > LONGEST_VALUE:
        raise UsageError(
            f"the value of {key!r} takes {size} bytes, more than {LONGEST_VALUE}",
            remedy="Store it in pieces, or in a file of your own.",
        )
    return text


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:  # noqa: ANN401  any type that pydantic reads
    return TypeAdapter(kind)

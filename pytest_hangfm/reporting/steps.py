"""Steps of a test for the report, true to async code: how long it took, and how it ended.

Each task has its own place in the tree (a context variable), so steps that run at the same
time stand beside each other, under the step that started them.
"""

from __future__ import annotations

import functools
import inspect
import time
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["StepNode", "begin_steps", "hangfm_step", "take_steps"]

F = TypeVar("F", bound="Callable[..., Any]")


@dataclass(slots=True)
class StepNode:
    """A step as it was: times in milliseconds since the epoch.

    Attributes:
        name: What the step is, as a sentence.
        start: When it began.
        stop: When it ended; ``None`` while it runs.
        error: What ended it, or ``None``.
        children: The steps within it, in the order in which they began.
    """

    name: str
    start: int
    stop: int | None = None
    error: BaseException | None = None
    children: list[StepNode] = field(default_factory=list)


_within: Final[ContextVar[StepNode | None]] = ContextVar("hangfm_step", default=None)
_roots: list[list[StepNode]] = []
"""The list that a report collects, if one does; empty otherwise."""


def begin_steps() -> None:
    """Collect the steps of a new test."""
    _roots[:] = [[]]


def take_steps() -> list[StepNode]:
    """Return the steps of the test so far, and collect no more."""
    return _roots.pop() if _roots else []


class hangfm_step:  # noqa: N801  used like a function, as pytest.raises is
    """Name a part of a test in the Allure report; without a report it does nothing.

    As a block (a plain ``with`` is right in async code too)::

        with hangfm_step("the room answers"):
            await hangfm_room.act("addDj")

    or on a function, async or not::

        @hangfm_step("alice says hello")
        async def greet(alice): ...

    Args:
        name: The step as a sentence; no place for a secret.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._open: list[tuple[StepNode, Token[StepNode | None]]] = []

    def __enter__(self) -> None:
        node = StepNode(self._name, _now_ms())
        above = _within.get()
        if _roots:
            (above.children if above is not None else _roots[0]).append(node)
        self._open.append((node, _within.set(node)))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        node, token = self._open.pop()
        node.stop, node.error = _now_ms(), error
        _within.reset(token)

    def __call__(self, function: F) -> F:
        """Make every call of a function a step."""
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def awaited(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  as the original
                with hangfm_step(self._name):
                    return await function(*args, **kwargs)

            return cast("F", awaited)

        @functools.wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  as the original
            with hangfm_step(self._name):
                return function(*args, **kwargs)

        return cast("F", called)


def _now_ms() -> int:
    return round(time.time() * 1000)

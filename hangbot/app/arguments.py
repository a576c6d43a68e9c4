"""The arguments of a command: what its handler's signature takes, read from the words of a line. PURE."""

import enum
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType, NoneType, UnionType
from typing import Annotated, Any, Final, Literal, NamedTuple, Union, get_args, get_origin

from hangbot.bot.events import User
from hangbot.errors import UsageError

__all__ = ["Argument", "BadArguments", "FindUser", "Signature", "read_signature"]

FindUser = Callable[[str], User | None]
"""Finds a user of the room by nickname, mention or uuid; `BadArguments`: a name is that of several."""

_WORD: Final = re.compile(r'"([^"]*)"|(\S+)')
_MISSING: Final = inspect.Parameter.empty
_LONGEST_NAME: Final = 8
"""Words of a nickname."""
_LONGEST_SHOWN: Final = 60
"""Characters of a word that an answer repeats."""
_LARGEST: Final = 100
"""Characters of a number that is still read."""
_YES: Final = frozenset({"yes", "y", "on", "true", "1"})
_NO: Final = frozenset({"no", "n", "off", "false", "0"})


class _Word(NamedTuple):
    """A word of a line, or what stands in quotes, and where."""

    text: str
    start: int
    end: int
    quoted: bool


class BadArguments(Exception):
    """The words of a line are not what the command takes; the sentence is for the user who wrote it."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of argument: what it is called in an answer, and how a word is read (``None``: it is none)."""

    called: str
    read: Callable[[str, FindUser], object | None]


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a command.

    Attributes:
        name: The parameter's.
        kind: What it is.
        default: Its value where it is left out; `inspect.Parameter.empty`: it must be given.
        takes: One word, all that follow (``*words``), or the rest of the line as it is (``*, text: str``).
    """

    name: str
    kind: _Kind
    default: object = _MISSING
    takes: Literal["word", "words", "rest"] = "word"

    @property
    def needed(self) -> bool:
        """Whether it must be given."""
        return self.default is _MISSING and self.takes != "words"

    def __str__(self) -> str:
        shown = self.name if self.takes == "word" else f"{self.name}…"
        return f"<{shown}>" if self.needed else f"[{shown}]"


class Injected(NamedTuple):
    """A parameter that the app fills in.

    Attributes:
        name: The parameter's.
        kind: Its type.
        place: How many positional ones stand between the context and it; ``None``: it is given by name.
    """

    name: str
    kind: Any
    place: int | None


@dataclass(frozen=True, slots=True)
class Signature:
    """What a handler takes beside its context.

    Attributes:
        arguments: Read from the line, in order.
        injected: Filled in by the app, in order.
    """

    arguments: tuple[Argument, ...] = ()
    injected: tuple[Injected, ...] = ()

    @property
    def names_users(self) -> bool:
        """Whether one of them is a user of the room."""
        return any(argument.kind is _KINDS[User] for argument in self.arguments)

    def usage(self, called: str) -> str:
        """Return how a command is written: ``/skip [count]``."""
        return " ".join((called, *map(str, self.arguments)))

    def read(self, text: str, find: FindUser) -> tuple[list[object], dict[str, object]]:
        """Return the positional and the named arguments in what follows the command's name.

        Raises:
            BadArguments: One is missing, is something else, or is too many.
        """
        words = list(_words(text))
        values: list[object] = []
        named: dict[str, object] = {}
        for argument in self.arguments:
            if argument.takes == "words":
                while words:
                    values.append(_value(argument, _taken(argument, text, words, find), find))
            elif argument.takes == "rest" and words:
                named[argument.name], words = text[words[0].start :].strip(), []
            elif words:
                values.append(_value(argument, _taken(argument, text, words, find), find))
            elif argument.needed:
                raise BadArguments(f"{argument.name} is missing")
            elif argument.takes == "rest":
                named[argument.name] = argument.default
            else:
                values.append(argument.default)
        if words:
            raise BadArguments(f"“{_shown(words[0].text)}” is too much")
        return values, named


def read_signature(handler: Callable[..., object], label: str) -> Signature:
    """Return what a command's handler takes after its context.

    Args:
        handler: The function.
        label: What it is called in an error.

    Raises:
        UsageError: No line could fill it in.
    """
    parameters = _parameters(handler, label)
    arguments: list[Argument] = []
    injected: list[Injected] = []
    for place, parameter in enumerate(parameters[1:]):
        kind = _kind(parameter.annotation)
        if parameter.kind is parameter.VAR_KEYWORD:
            raise UsageError(f"{label} takes **{parameter.name}", remedy="Name each argument.")
        if kind is None:
            if parameter.annotation is _MISSING:
                raise UsageError(
                    f"{label}: its argument {parameter.name} has no type",
                    remedy=f"Write for example `{parameter.name}: str`.",
                )
            injected.append(_injected(parameter, place, label))
        else:
            arguments.append(_argument(parameter, kind, label))
    for before, after in pairwise(arguments):
        if before.takes != "word":
            raise UsageError(f"{label}: nothing can follow {before.name}", remedy="Put it last.")
        if after.needed and not before.needed:
            raise UsageError(f"{label}: {after.name} cannot be left out, {before.name} before it can")
    return Signature(tuple(arguments), tuple(injected))


def _parameters(handler: Callable[..., object], label: str) -> list[inspect.Parameter]:
    try:
        parameters = list(inspect.signature(handler, eval_str=True).parameters.values())
    except NameError as exc:
        raise UsageError(f"{label}: {exc}", remedy="Import the type where the handler is defined.") from None
    except Exception as exc:  # noqa: BLE001  an annotation that is text may hold anything
        raise UsageError(
            f"{label}: the types of its arguments cannot be read ({type(exc).__name__}: {exc})",
            remedy="Correct the annotations.",
        ) from None
    if not parameters or parameters[0].kind not in {
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    }:
        raise UsageError(f"{label} takes no context", remedy="Write `async def NAME(ctx, …)`.")
    return parameters


def _argument(parameter: inspect.Parameter, kind: _Kind, label: str) -> Argument:
    if parameter.kind is parameter.VAR_POSITIONAL:
        return Argument(parameter.name, kind, takes="words")
    if parameter.kind is parameter.KEYWORD_ONLY:
        if kind is not _TEXT:
            raise UsageError(
                f"{label}: {parameter.name} stands after `*` and is no text",
                remedy="What stands there has the rest of the line: make it a `str`, or move it before.",
            )
        return Argument(parameter.name, kind, parameter.default, "rest")
    return Argument(parameter.name, kind, parameter.default)


def _injected(parameter: inspect.Parameter, place: int, label: str) -> Injected:
    kind = parameter.annotation
    try:
        hash(kind)
    except TypeError:  # `x: []`, `x: {}`
        can_be_provided = False
    else:
        can_be_provided = parameter.kind is not parameter.VAR_POSITIONAL
    if not can_be_provided:
        stars = "*" * (parameter.kind is parameter.VAR_POSITIONAL)
        name = getattr(kind, "__name__", kind)
        raise UsageError(
            f"{label} takes {stars}{parameter.name}: {name}, which nothing fills in",
            remedy="Give it another type.",
        )
    by_name = parameter.kind is parameter.KEYWORD_ONLY
    return Injected(parameter.name, kind, None if by_name else place)


def _kind(annotation: object) -> _Kind | None:
    """Return what kind of argument a type is; ``None`` for one that no word can be."""
    if get_origin(annotation) is Annotated:
        return _kind(get_args(annotation)[0])
    if get_origin(annotation) in {Union, UnionType}:
        others = [each for each in get_args(annotation) if each is not NoneType]
        return _kind(others[0]) if len(others) == 1 else None
    if get_origin(annotation) is Literal:
        return _choice({str(choice): choice for choice in get_args(annotation)})
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return _choice({member.name.lower(): member for member in annotation})
    return _KINDS.get(annotation) if isinstance(annotation, type) else None


def _choice(choices: Mapping[str, object]) -> _Kind:
    folded = {name.casefold(): value for name, value in choices.items()}
    return _Kind(f"one of {', '.join(choices)}", lambda word, _: folded.get(word.casefold()))


def _value(argument: Argument, word: str, find: FindUser) -> object:
    value = argument.kind.read(word, find)
    if value is None:
        raise BadArguments(f"{argument.name} is {argument.kind.called}, not “{_shown(word)}”")
    return value


def _taken(argument: Argument, text: str, words: list[_Word], find: FindUser) -> str:
    """Take the word of an argument from those that are left; the name of a user may be several of them."""
    if argument.kind is _KINDS[User]:
        for number in range(min(len(words), _LONGEST_NAME), 1, -1):
            name = text[words[0].start : words[number - 1].end]
            if find(name) is not None:
                del words[:number]
                return name
    word = words.pop(0)
    if word.text.startswith('"') and not word.quoted:
        raise BadArguments(f"the quote before “{_shown(word.text[1:])}” does not end")
    return word.text


def _words(text: str) -> Iterator[_Word]:
    """Yield each word of a text, or what stands in quotes."""
    for match in _WORD.finditer(text):
        quoted = match[1] is not None
        yield _Word(match[1] if quoted else match[2], match.start(), match.end(), quoted)


def _shown(word: str) -> str:
    return word if len(word) <= _LONGEST_SHOWN else f"{word[:_LONGEST_SHOWN]}…"


def _integer(word: str, _: FindUser) -> int | None:
    return int(word) if len(word) <= _LARGEST and re.fullmatch(r"[+-]?[0-9]+", word) else None


def _number(word: str, _: FindUser) -> float | None:
    plain = re.fullmatch(r"[+-]?([0-9]+([.,][0-9]*)?|[.,][0-9]+)", word)
    return float(word.replace(",", ".")) if plain and len(word) <= _LARGEST else None


def _truth(word: str, _: FindUser) -> bool | None:
    return True if word.casefold() in _YES else False if word.casefold() in _NO else None


_TEXT: Final = _Kind("a word", lambda word, _: word)
_KINDS: Final[Mapping[object, _Kind]] = MappingProxyType(
    {
        str: _TEXT,
        int: _Kind("a whole number", _integer),
        float: _Kind("a number", _number),
        bool: _Kind("yes or no", _truth),
        User: _Kind("somebody in the room", lambda word, find: find(word)),
    }
)

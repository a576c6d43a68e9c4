"""From text to the settings' values, and from what is wrong to one line each.

A fault line names the environment name, where its text stands, and what is expected. It
shows the text only where the name's value is no secret, and then through a redactor: a
token pasted behind the wrong name stays a secret.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from hangbot.claims import read_claims
from hangbot.config.envfile import EnvFile, place, showable
from hangbot.config.fields import Env, tidy_token, unquoted
from hangbot.config.foreign import FOREIGN, is_offered, known_as, says_the_same, secrets_of
from hangbot.errors import ConfigError
from hangbot.redact import Redactor, without_login
from hangbot.text import whole

__all__ = [
    "InvalidSettings",
    "Refusal",
    "Value",
    "complain",
    "fault_lines",
    "given",
    "nearest",
    "refusals",
    "strangers",
]

CLOSE: Final = 0.8
"""How like a name another must be (difflib's ratio) to be suggested for it."""
LONGEST_SHOWN: Final = 60
LONGEST_NAME: Final = 64
_PARTS: Final = re.compile(r"[!-~]+")

Table = Mapping[str, Env]
"""Each field that has an environment name."""


@dataclass(frozen=True, slots=True)
class Value:
    """The text of one name, and where it stands, in words.

    Attributes:
        text: The text.
        origin: Where it stands.
        parsed: Whether a file's quotes were taken off already: those that are left are meant, in a text.
        cut: Whether a comment was taken off behind it.
    """

    text: str = field(repr=False)
    origin: str
    parsed: bool = False
    cut: bool = False

    @property
    def absent(self) -> bool:
        """Empty counts as absent."""
        return not self.text.strip()


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the model refused: the field, and what is wrong or expected, without the value."""

    field: str
    problem: str
    missing: bool = False


class InvalidSettings(ConfigError):
    """Values that the model refused, by field."""

    def __init__(self, refusals: Sequence[Refusal], values: Mapping[str, object], table: Table) -> None:
        redactor = _redactor(table, values)
        faults = tuple(
            _fault(refusal, table, "", values.get(refusal.field), redactor) for refusal in refusals
        )
        super().__init__(_summary(faults), faults=faults, remedy="Correct the values named above.")
        self.refusals = tuple(refusals)


def given(table: Table, values: Mapping[str, Value]) -> tuple[dict[str, object], tuple[str, ...]]:
    """The fields' values from the names' texts, and a warning for each text that was tidied."""
    found: dict[str, object] = {}
    warnings = []
    for name, env in table.items():
        value = values.get(env.name)
        if value is None or value.absent:
            continue
        text = whole(value.text)
        notes: tuple[str, ...] = ()
        if env.secret:
            text, notes = tidy_token(text)
        elif not (env.free and value.parsed):
            text, notes = unquoted(text)
        if notes:
            warnings.append(f"{env.name} ({value.origin}): taken without the {' and the '.join(notes)}")
        if env.free and value.cut:
            warnings.append(
                f"{env.name} ({value.origin}): ends before the ' #', which begins a comment; "
                "put the value into quotes if it goes on"
            )
        found[name] = env.value(text)
    return found, tuple(warnings)


def refusals(exc: ValidationError, model: Mapping[str, FieldInfo], table: Table) -> tuple[Refusal, ...]:
    """What pydantic found, in our words."""
    found: dict[str, Refusal] = {}
    for error in exc.errors(include_url=False, include_input=False):
        name, kind = str(error["loc"][0]), error["type"]
        if kind == "default_factory_not_called" or name in found:
            continue  # said already: of the field it is derived from, or for another member of a union
        if kind == "extra_forbidden":
            close = nearest(name, model)
            found[name] = Refusal(name, f"no such setting{f'; did you mean {close}?' if close else ''}")
        elif kind == "missing":
            found[name] = Refusal(name, "required, and not set", missing=True)
        elif kind == "value_error":
            found[name] = Refusal(name, str(error["ctx"]["error"]))
        elif name in table:
            found[name] = Refusal(name, f"expected {table[name].expectation(model[name].metadata)}")
        else:
            found[name] = Refusal(name, error["msg"])
    return tuple(found.values())


def fault_lines(
    found: Iterable[Refusal], table: Table, values: Mapping[str, Value], unknown: Mapping[str, str]
) -> list[str]:
    """One line for each refusal, with the place of its text and the name it may have been misspelt as.

    Args:
        found: What the model refused.
        table: The fields that have an environment name.
        values: The texts that were read, by environment name.
        unknown: Names that are none of the table's, with their places.
    """
    texts = {name: value.text for name, env in table.items() if (value := values.get(env.name))}
    redactor = _redactor(table, texts, secrets_of({n: v.text for n, v in values.items() if n in unknown}))
    lines = []
    for refusal in found:
        env = table[refusal.field]
        value = values.get(env.name)
        origin = value.origin if value else ""
        line = _fault(refusal, table, origin, value.text if value else None, redactor)
        if refusal.missing:
            line = line.replace("not set", "empty") if value else line
            line += "".join(f"; {hint}" for hint in _hints(env.name, values, unknown))
        lines.append(line)
    return lines


_SOCKET_TOKEN: Final = "TTFM_API_TOKEN"  # noqa: S105  a name


def _hints(own: str, values: Mapping[str, Value], unknown: Mapping[str, str]) -> Iterable[str]:
    """Where what is missing may stand: under another bot's name, a misspelt one, or its twin's."""
    for name, where in unknown.items():
        text = values[name].text if name in values else ""
        if FOREIGN.get(name, nearest(name, [own])) == own and is_offered(name, text, own):
            told = f" {known_as(name)}" if name in FOREIGN else f": did you mean {own}?"
            yield f"{_printable(name)} ({where}){told}"
    twin = values.get(_SOCKET_TOKEN)
    if own == "BOT_USER_TOKEN" and twin:
        claims = read_claims(tidy_token(twin.text)[0])
        if claims and claims.role == "bot":
            yield f"{_SOCKET_TOKEN} ({twin.origin}) holds a bot's token: name it {own}"


def strangers(file: EnvFile, table: Table, ours: Callable[[str], str], said: str = "") -> list[str]:
    """A warning for each name of the file that is none of the table's, with the nearest that is.

    Args:
        file: The file.
        table: The fields that have an environment name.
        ours: Gives the text of a setting by its environment name; another bot's name for the same
            value is no matter for a warning.
        said: What was said already; a name that stands there with its place is not told again.
    """
    known = [env.name for env in table.values()]
    free = [name for name in known if name not in file.values]
    warnings = []
    for name, entry in file.values.items():
        where = place(file.path, entry.line)
        if name in known or f"{_printable(name)} ({where})" in said or says_the_same(name, entry.value, ours):
            continue
        told = known_as(name)
        own = FOREIGN.get(name)
        if own and ours(own):
            told += ", which has another value"
        if not told:
            close = nearest(name, free)
            offered = close and is_offered(name, entry.value, close)
            told = "is unknown to hangbot; " + (f"did you mean {close}?" if offered else "it is passed over")
        warnings.append(f"{where}: {_printable(name)} {told}")
    return warnings


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The one of ``names`` that ``name`` was most likely meant to be."""
    spelt = {candidate.upper(): candidate for candidate in names}
    close = difflib.get_close_matches(name[:LONGEST_NAME].upper(), spelt, n=1, cutoff=CLOSE)
    return spelt[close[0]] if close else None


def complain(
    faults: Sequence[str], remedy: str | None = None, *, warnings: Sequence[str] = ()
) -> ConfigError:
    """One error for all faults, with what is odd besides."""
    return ConfigError(_summary(faults), faults=faults, remedy=remedy, warnings=warnings)


def _summary(faults: Sequence[str]) -> str:
    if len(faults) == 1:
        return f"configuration: {faults[0]}"
    return "\n  ".join((f"configuration: {len(faults)} faults", *faults))


def _fault(refusal: Refusal, table: Table, origin: str, value: object, redactor: Redactor) -> str:
    env = table.get(refusal.field)
    name = env.name if env else refusal.field
    problem, semicolon, hint = refusal.problem.partition(";")
    if problem.startswith("expected") and value is not None and not (env and env.secret):
        text = value if isinstance(value, str) else repr(value)
        text = redactor.text(without_login(text) if env and env.is_address else text)
        problem += f", not {text[:LONGEST_SHOWN]!r}{'…' if len(text) > LONGEST_SHOWN else ''}"
    return f"{name}{f' ({origin})' if origin else ''}: {problem}{semicolon}{hint}"


def _redactor(table: Table, values: Mapping[str, object], foreign: Iterable[str] = ()) -> Redactor:
    secrets = [*foreign, *(values.get(name) for name, env in table.items() if env.secret)]
    # The parts too, which white space or an odd character in a token sets apart.
    return Redactor(part for secret in secrets if isinstance(secret, str) for part in _PARTS.findall(secret))


def _printable(name: str) -> str:
    """A name as it may be shown: what is not spelt like one may be a secret on a line of its own."""
    return name if showable(name.upper()) else "a name"

"""Turn text into the values of settings, and everything that is wrong into one line each. PURE.

A fault line names the environment name, where its text stands, and what is expected. It
shows the text only where the value is no secret, and then through a redactor: a token
pasted behind the wrong name stays a secret.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from hangbot.claims import read_claims
from hangbot.config.envfile import EnvFile, location, may_show
from hangbot.config.fields import Env
from hangbot.config.foreign import FOREIGN, is_offered, known_as, says_the_same, secrets_of
from hangbot.errors import ConfigError
from hangbot.redact import Redactor, without_login
from hangbot.text import whole

__all__ = [
    "InvalidSettings",
    "Refusal",
    "Value",
    "clean_token",
    "config_error",
    "fault_lines",
    "nearest",
    "parse_values",
    "refusals",
    "unknown_names",
    "unquoted",
]

CLOSE: Final = 0.8
"""How similar a name must be (difflib's ratio) to be suggested."""
LONGEST_SHOWN: Final = 60
LONGEST_NAME: Final = 64
_PARTS: Final = re.compile(r"[!-~]+")

Table = Mapping[str, Env]
"""Each field that has an environment name."""


@dataclass(frozen=True, slots=True)
class Value:
    """The text of one name, and where it stands.

    Attributes:
        text: The text.
        origin: Where it stands, in words.
        parsed: Whether a file's quotes were removed already, so that any that are left belong to the text.
        cut: Whether a comment behind it was removed.
    """

    text: str = field(repr=False)
    origin: str
    parsed: bool = False
    cut: bool = False

    @property
    def absent(self) -> bool:
        """Whether nothing is set: empty counts as absent."""
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


def parse_values(table: Table, values: Mapping[str, Value]) -> tuple[dict[str, object], tuple[str, ...]]:
    """Return the fields' values from the names' texts, and a warning for each text that was cleaned."""
    found: dict[str, object] = {}
    warnings = []
    for name, env in table.items():
        value = values.get(env.name)
        if value is None or value.absent:
            continue
        text = whole(value.text)
        notes: tuple[str, ...] = ()
        if env.secret:
            text, notes = clean_token(text)
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


def unquoted(value: str) -> tuple[str, tuple[str, ...]]:
    """Return a value without the quotes around it, and a note of them.

    Docker's ``--env-file`` takes a line as it stands, and a shell's quotes with it.
    """
    text = value.strip()
    inner = text[1:-1]
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" and text[0] not in inner:
        return inner, ("quotes around it",)
    return value, ()


def clean_token(value: str) -> tuple[str, tuple[str, ...]]:
    """Return a token without what was pasted along with it, and what that was.

    Browsers keep the token in quotes (seen in the service's local storage), and HTTP tools
    show it behind ``Bearer``.
    """
    notes = []
    cleaned = value.strip()
    if cleaned != value:
        notes.append("white space around it")
    if len(cleaned) > 1 and cleaned[0] == cleaned[-1] and cleaned[0] in "\"'":
        cleaned = cleaned[1:-1].strip()
        notes.append("quotes around it")
    bare = re.sub(r"(?i)^bearer(?:\s+|$)", "", cleaned)
    if bare != cleaned:
        notes.append("'Bearer' before it")
    return bare, tuple(notes)


def refusals(exc: ValidationError, model: Mapping[str, FieldInfo], table: Table) -> tuple[Refusal, ...]:
    """Translate pydantic's errors."""
    found: dict[str, Refusal] = {}
    for error in exc.errors(include_url=False, include_input=False):
        name, kind = str(error["loc"][0]), error["type"]
        if kind == "default_factory_not_called" or name in found:
            continue  # reported for the field it is derived from, or for another member of a union
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
    """Return a line for each refusal, with the location of its text and the name that was probably meant.

    Args:
        found: What the model refused.
        table: The fields that have an environment name.
        values: The texts that were read, by environment name.
        unknown: Names that the table does not have, with their locations.
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
    """Yield where a missing value may stand: under another bot's name, a misspelt one, or TTFM_API_TOKEN."""
    for name, where in unknown.items():
        text = values[name].text if name in values else ""
        if FOREIGN.get(name, nearest(name, [own])) == own and is_offered(name, text, own):
            hint = f" {known_as(name)}" if name in FOREIGN else f": did you mean {own}?"
            yield f"{_printable(name)} ({where}){hint}"
    other = values.get(_SOCKET_TOKEN)
    if own == "BOT_USER_TOKEN" and other:
        claims = read_claims(clean_token(other.text)[0])
        if claims and claims.role == "bot":
            yield f"{_SOCKET_TOKEN} ({other.origin}) holds a bot's token: name it {own}"


def unknown_names(file: EnvFile, table: Table, ours: Callable[[str], str], reported: str = "") -> list[str]:
    """Return a warning for each name in the file that the table does not have, with the nearest that it has.

    Args:
        file: The file.
        table: The fields that have an environment name.
        ours: Returns the text of a setting by its environment name; another bot's name for the same
            value deserves no warning.
        reported: The faults so far; a name that they mention with its location is left out.
    """
    known = [env.name for env in table.values()]
    free = [name for name in known if name not in file.values]
    warnings = []
    for name, entry in file.values.items():
        where = location(file.path, entry.line)
        if (
            name in known
            or f"{_printable(name)} ({where})" in reported
            or says_the_same(name, entry.value, ours)
        ):
            continue
        note = known_as(name)
        own = FOREIGN.get(name)
        if own and ours(own):
            note += ", which has another value"
        if not note:
            close = nearest(name, free)
            offered = close and is_offered(name, entry.value, close)
            note = "is unknown to hangbot; " + (f"did you mean {close}?" if offered else "it is passed over")
        warnings.append(f"{where}: {_printable(name)} {note}")
    return warnings


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the one of ``names`` that was most likely meant; ``None`` where none is close."""
    spelt = {candidate.upper(): candidate for candidate in names}
    close = difflib.get_close_matches(name[:LONGEST_NAME].upper(), spelt, n=1, cutoff=CLOSE)
    return spelt[close[0]] if close else None


def config_error(
    faults: Sequence[str], remedy: str | None = None, *, warnings: Sequence[str] = ()
) -> ConfigError:
    """Return one error for all faults, with the warnings."""
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
    # The parts as well: white space or an odd character may split a token.
    return Redactor(part for secret in secrets if isinstance(secret, str) for part in _PARTS.findall(secret))


def _printable(name: str) -> str:
    """Return a name as it may be shown: text that is not spelt like a name may be a secret."""
    return name if may_show(name.upper()) else "a name"

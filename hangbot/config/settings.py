"""The bot's configuration: one frozen `Settings`, and where each value of it came from.

Durations are seconds in here, whatever unit the environment has. The names outside are
those that public bots already use.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Self
from urllib.parse import quote, unquote, urlsplit

from pydantic import PrivateAttr, SecretStr, ValidationError

from hangbot.config.cluster import SCHEME, parse_address
from hangbot.config.envfile import EnvFile, location, read_env_file
from hangbot.config.foreign import secrets_of
from hangbot.config.lint import lint
from hangbot.config.locations import OUTBOX, OutboxLocation, outbox_location
from hangbot.config.parsing import (
    InvalidSettings,
    Value,
    config_error,
    fault_lines,
    parse_values,
    refusals,
    unknown_names,
    unquoted,
)
from hangbot.config.table import ENV, SettingsTable
from hangbot.errors import ConfigError
from hangbot.redact import Redactor

__all__ = ["Row", "Settings"]

ENVIRONMENT: Final = "environment"
DEFAULT: Final = "default"

_EXPLAINED: Final = (
    "a file that `hangbot init` writes explains each name, docs/bot-token.md where a token comes from."
)
_NAMES: Final = frozenset(env.name for env in ENV.values())


class Settings(SettingsTable):
    """What the bot must know before it touches the network.

    Frozen; durations are seconds, secrets `SecretStr`, addresses without a slash at the
    end. Made by `load` (a file and the environment), `from_env` and `with_changes`. Whatever is
    wrong comes as one `ConfigError`, never as pydantic's own error, which could show a value.
    """

    _given: frozenset[str] = PrivateAttr(default=frozenset())
    _origins: Mapping[str, str] = PrivateAttr(default_factory=dict)
    _warnings: tuple[str, ...] = PrivateAttr(default=())
    _file: Path | None = PrivateAttr(default=None)
    _former_outbox: Path | None = PrivateAttr(default=None)
    _foreign_secrets: tuple[str, ...] = PrivateAttr(default=())

    def __init__(self, /, **values: object) -> None:
        try:
            super().__init__(**values)  # type: ignore[arg-type]  # that is what pydantic looks at
        except ValidationError as exc:
            refused = refusals(exc, type(self).model_fields, ENV)
        else:
            self._given = frozenset(values)
            return
        # Raised outside the handler: the handled error holds the values, and would become the context.
        raise InvalidSettings(refused, values, ENV)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        if not vars(self):
            return  # refused: a traceback may show it, and it holds nothing
        redactor = Redactor(self.secrets())
        for name, value in super().__repr_args__():
            yield name, redactor.value(value)

    @classmethod
    def from_env(cls, env: Mapping[str, str], *, sources: Mapping[str, str] | None = None) -> Self:
        """Build settings from environment names; nothing but ``env`` is read.

        Args:
            env: Text by name. Empty text counts as absent; names that are not hangbot's are
                ignored.
            sources: Where a name's text stands, for faults and `origins`; ``environment``
                for the names it lacks.

        Raises:
            ConfigError: ``faults`` has a line for each thing that is wrong or missing.
        """
        places = sources or {}
        values = {name: Value(text, places.get(name, ENVIRONMENT)) for name, text in env.items()}
        return cls._read(values, unknown=dict.fromkeys(env.keys() - _NAMES, ENVIRONMENT))

    @classmethod
    def load(
        cls,
        env_file: Path,
        environ: Mapping[str, str],
        *,
        required: bool = True,
        file: EnvFile | None = None,
        read: Callable[[Path], bytes] | None = None,
    ) -> Self:
        """Read the configuration file and the environment; the environment wins.

        Args:
            env_file: The file.
            environ: Usually ``os.environ``, which is not read by itself.
            required: Whether the file must exist. Without it, a missing file is ignored
                as long as the environment sets any of hangbot's names.
            file: What the file says, where it was read already.
            read: What else reads it; see `read_env_file`.

        Raises:
            ConfigError: The file cannot be read, or ``faults`` has a line for each thing that
                is wrong in the file and in the values, all at once.
        """
        own = {
            name: Value(text, ENVIRONMENT)
            for name, text in environ.items()
            if name in _NAMES and text.strip()
        }
        remedy = f"Correct that in {env_file} or in the environment; {_EXPLAINED}"
        found: Path | None = env_file
        try:
            file = file or read_env_file(env_file, read=read)
        except ConfigError as exc:
            if required or not own or not isinstance(exc.__cause__, FileNotFoundError):
                raise
            file, remedy, found = EnvFile(env_file, {}, ()), exc.remedy, None
        values = {
            name: Value(entry.value, location(file.path, entry.line), parsed=True, cut=entry.cut)
            for name, entry in file.values.items()
        }
        unknown = dict.fromkeys(environ.keys() - _NAMES, ENVIRONMENT) | {
            name: value.origin for name, value in values.items() if name not in _NAMES
        }
        around = {name: Value(text, ENVIRONMENT) for name, text in environ.items() if name not in _NAMES}
        known = around | values | own
        named = known.get(OUTBOX)
        settings = cls._read(
            known,
            unknown=unknown,
            file=file,
            outbox=outbox_location(
                found, unquoted(named.text.strip())[0] if named and not named.absent else None
            ),
            remedy=remedy,
        )
        foreign = {name: entry.value for name, entry in file.values.items() if name not in _NAMES}
        outside = {name: value.text for name, value in around.items()}
        settings._was_read(found, (*secrets_of(foreign), *secrets_of(outside, known_only=True)))  # noqa: SLF001  a new one of its own
        return settings

    @classmethod
    def _read(
        cls,
        values: Mapping[str, Value],
        *,
        unknown: Mapping[str, str],
        file: EnvFile | None = None,
        outbox: OutboxLocation | None = None,
        remedy: str | None = None,
    ) -> Self:
        """Build settings from texts and their locations; report every fault, the file's too, in one error."""
        found, warnings = parse_values(ENV, values)
        faults = list(file.faults) if file else []
        if (named := values.get(OUTBOX)) and (text := unquoted(named.text.strip())[0]).startswith(SCHEME):
            found.pop("outbox")
            try:
                found["cluster"] = parse_address(text)
            except ConfigError as exc:
                faults.append(f"{named.origin}: {exc}. {exc.remedy}")
        if outbox:
            found["outbox"] = outbox.path
        settings = None
        try:
            settings = cls(**found)
        except InvalidSettings as exc:
            faults += fault_lines(exc.refusals, ENV, values, unknown)
        if settings is None or faults:
            unread = unknown_names(file, ENV, _texts(values), "\n".join(faults)) if file else []
            raise config_error(faults, remedy, warnings=(*warnings, *unread)) from None
        unread = unknown_names(file, ENV, settings._text) if file else []
        origins = {
            name: value.origin
            for name, env in ENV.items()
            if name in found and (value := values.get(env.name))
        }
        if outbox:
            settings._former_outbox = outbox.former
            if outbox.origin and not settings.cluster:
                origins["outbox"] = outbox.origin
        settings._origins = origins
        settings._warnings = (*warnings, *unread, *lint(settings, settings.origins))
        return settings

    def with_changes(self, **changes: object) -> Self:
        """Return a copy with other values, validated and derived anew (`model_copy` does neither).

        Raises:
            ConfigError: A value is wrong, or a name is no field.
        """
        kept = {name: getattr(self, name) for name in self._given}
        changed = type(self)(**(kept | changes))
        changed._origins = {n: o for n, o in self._origins.items() if n not in changes}  # noqa: SLF001  a copy of its own
        changed._warnings = self._warnings  # noqa: SLF001  see above
        changed._foreign_secrets = self._foreign_secrets  # noqa: SLF001  see above
        changed._file = self._file  # noqa: SLF001  see above
        changed._former_outbox = None if "outbox" in changes else self._former_outbox  # noqa: SLF001  see above
        return changed

    def _was_read(self, file: Path | None, secrets: tuple[str, ...]) -> None:
        """Keep where this comes from, and the secrets of others that stood there."""
        public = {self._text(env.name) for env in ENV.values() if not env.secret}
        self._foreign_secrets = tuple(text for text in secrets if text not in public)
        self._file = file

    @property
    def origins(self) -> Mapping[str, str]:
        """Return where each field's value came from, in words, by the field's name."""
        return MappingProxyType({name: self._origin(name) for name in type(self).model_fields})

    def _origin(self, name: str) -> str:
        if name in self._given:
            return self._origins.get(name, "given")
        if name == "chat_uid" and self.chat_uid is None:
            return "asked of the chat (/me) when needed"
        if name in {"chat_app_id", "chat_api_key"} and self.chat_app_id is None:
            return "not set"
        env = ENV.get(name)
        return (env.otherwise if env else "") or DEFAULT

    def stands_in_file(self, name: str) -> bool:
        """Return whether a field's value was read from the configuration file."""
        return self._origins.get(name, ENVIRONMENT) != ENVIRONMENT

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is odd about the configuration but prevents nothing, a line each."""
        return self._warnings

    @property
    def file(self) -> Path | None:
        """The configuration file that was read, or ``None``."""
        return self._file

    @property
    def former_outbox(self) -> Path | None:
        """Where earlier versions of hangbot kept the outbox, when that is somewhere else."""
        return self._former_outbox

    def secrets(self) -> tuple[str, ...]:
        """Return every value that may never be shown, for a `Redactor`; other bots' tokens as well."""
        tokens = [self.bot_user_token, self.ttfm_api_token, self.chat_token, self.chat_api_key]
        found = [token.get_secret_value() if token else None for token in tokens]
        if "chat_app_id" in self._given and found[-1] == self.chat_app_id:
            del found[-1]  # a key that only repeats the app id is as public as the app id
        if password := urlsplit(self.room_url).password:
            found += [password, unquote(password)]
        if self.cluster and self.cluster.password:
            found += [self.cluster.password, quote(self.cluster.password, safe="")]
        found += self._foreign_secrets
        return tuple(dict.fromkeys(secret for secret in found if secret))

    def _text(self, name: str) -> str:
        """Return a setting as it would stand in the environment; empty for none."""
        (field,) = (field for field, env in ENV.items() if env.name == name)
        value = getattr(self, field)
        if isinstance(value, SecretStr):
            return value.get_secret_value()
        return "" if value is None else str(value)

    def described(self) -> tuple["Row", ...]:
        """Return the configuration for printing: a row for each environment name, secrets masked."""
        redactor, origins = Redactor(self.secrets()), self.origins
        return tuple(
            Row(env.name, redactor.text(env.shown(self._value(name))), origins[name])
            for name, env in ENV.items()
        )

    def _value(self, name: str) -> object:
        return self.cluster if name == "outbox" and self.cluster else getattr(self, name)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the printed configuration.

    Attributes:
        name: The environment name.
        value: As it is written there; ``<masked>`` for a secret, ``-`` for none.
        origin: Where it came from, in words.
    """

    name: str
    value: str
    origin: str


def _texts(values: Mapping[str, Value]) -> Callable[[str], str]:
    """Return a function from a name to the text that was read for it; empty for none."""
    return lambda name: values[name].text if name in values else ""

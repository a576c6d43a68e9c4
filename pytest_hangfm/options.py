"""The plugin's options: from the command line, the environment, the ini file or the defaults, in this order.

Values are named tuples here: every pytest run of the environment makes these classes, and
making a frozen dataclass takes some milliseconds.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, cast

import pytest

from pytest_hangfm.configuration import Configuration
from pytest_hangfm.secrets import configured_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

__all__ = ["OPTIONS", "REQUIRED_NAMES", "Options", "Target", "add_options", "read_options", "target_of"]

Target = Literal["live", "sandbox"]

OPTIONS: Final[pytest.StashKey[Options]] = pytest.StashKey()
"""Where a run's `Options` are: ``config.stash[OPTIONS]``."""

DEFAULT_ENV_FILE: Final = "hang-fm-config.env"
REQUIRED_NAMES: Final = ("BOT_USER_TOKEN", "ROOM_UUID")
"""Any of them in the environment counts as a configuration; a test compares them with the settings."""

_TARGETS: Final = ("auto", "sandbox", "live")
_GUARDS: Final = ("auto", "all", "off")
_SWITCH: Final = {"1": True, "true": True, "yes": True, "on": True}
_SWITCH_OFF: Final = {"0": False, "false": False, "no": False, "off": False}


class Options(NamedTuple):
    """One run's options.

    Attributes:
        target: ``auto``, ``sandbox`` or ``live``.
        env_file: The configuration file for live targets.
        env_file_named: Whether that file was named: then it has to exist.
        json: Where the verdict goes as JSON, or ``None``.
        live_writes: Whether a live target may see more of the bot than that it joined.
        only: Ids (or patterns) of the only checks to make; empty for all.
        ignore: Ids (or patterns) of checks to leave out.
        strict: Whether a warning fails its check.
        guard: Which tests are kept on loopback and searched for leaks: ``auto`` (each test
            of a run in which the plugin is used), ``all`` or ``off``.
        from_file: Whether the configuration file is there, or was named.
        from_environment: Whether a required name is in the environment.
        in_ci: Whether a CI service runs this.
        bot: The command of the bot that is proven, or empty.
        simulate: The token of the one world in which simulated tests are played; empty: those of their seeds.
        seeds: In how many worlds they are played; 0: as their marks say.
        configuration: What the configuration file says.
    """

    target: Literal["auto", "sandbox", "live"]
    env_file: Path
    env_file_named: bool
    json: Path | None
    live_writes: bool
    only: tuple[str, ...]
    ignore: tuple[str, ...]
    strict: bool
    guard: Literal["auto", "all", "off"]
    from_file: bool
    from_environment: bool
    in_ci: bool
    bot: str = ""
    simulate: str = ""
    seeds: int = 0
    configuration: Configuration | None = None

    @property
    def configured(self) -> bool:
        """Whether there is a configuration to go live with."""
        return self.from_file or self.from_environment

    @property
    def origin(self) -> str:
        """Return where the configuration comes from, in words."""
        file = _masked(self.env_file.name, self.configuration, os.environ)
        if self.from_file and self.from_environment:
            return f"{file} and the environment"
        return "the environment" if self.from_environment else file

    @property
    def checks_are_live(self) -> bool:
        """Whether the preflight checks examine what is configured."""
        return self.target == "live" or (self.target == "auto" and self.configured)

    def header(self) -> str:
        """Return in words what the tests of this run touch."""
        if not self.checks_are_live:
            return "hangfm: everything on the sandbox on 127.0.0.1, nothing live is touched"
        tests = "preflight, stage and live tests" if self.target == "live" else "preflight"
        writes = "writing too" if self.target == "live" and self.live_writes else "joining and reading only"
        where = f"what is configured in {self.origin} ({writes})"
        return f"hangfm: LIVE: {tests} on {where}, the rest on the sandbox"


def target_of(markers: Collection[str], options: Options) -> Target:
    """Return what a test with these markers runs against."""
    if "live" in markers:
        return "live"
    if "preflight" in markers:
        return "live" if options.checks_are_live else "sandbox"
    return "live" if options.target == "live" and "stage" in markers else "sandbox"


class _Spec(NamedTuple):
    """An option in its three spellings: ``--hangfm-NAME``, ``HANGFM_NAME``, ini ``hangfm_name``."""

    name: str
    help: str
    metavar: str = ""
    """Empty for a switch."""

    @property
    def flag(self) -> str:
        return "--hangfm-" + self.name.replace("_", "-")

    @property
    def env(self) -> str:
        return "HANGFM_" + self.name.upper()

    @property
    def ini(self) -> str:
        return "hangfm_" + self.name


_SPECS: Final = (
    _Spec(
        "target",
        "auto (default): preflight on what is configured, everything else on the sandbox; "
        "sandbox: nothing live; live: preflight, stage and live tests on what is configured",
        "auto|sandbox|live",
    ),
    _Spec("env_file", f"the configuration for live targets (default {DEFAULT_ENV_FILE})", "PATH"),
    _Spec("json", "write the preflight's verdict there as JSON", "PATH"),
    _Spec("live_writes", "let live targets see more than that the bot joined: messages, votes, songs"),
    _Spec("only", "make only these checks (ids or patterns like chat.*, by comma)", "IDS"),
    _Spec("ignore", "leave these checks out (ids or patterns, by comma)", "IDS"),
    _Spec("strict", "a check that warns has failed"),
    _Spec("bot", "the bot that pytest_hangfm.proof proves", "COMMAND"),
    _Spec(
        "guard",
        "which tests are kept on loopback and searched for leaked tasks and sockets: "
        "auto (default; all tests of a run that uses the plugin), all, off",
        "auto|all|off",
    ),
    _Spec("simulate", "play simulated tests in the world of this token, as a failure names it", "TOKEN"),
    _Spec("seeds", "play simulated tests in so many worlds, whatever their marks say", "N"),
)


def add_options(parser: pytest.Parser) -> None:
    """Declare every option, for the command line and for the ini file."""
    group = parser.getgroup("hangfm", "Hang.fm bots: preflight, stages and the sandbox")
    for spec in _SPECS:
        more = f" [env: {spec.env}, ini: {spec.ini}]"
        if spec.metavar:
            group.addoption(
                spec.flag, dest=spec.ini, metavar=spec.metavar, default=None, help=spec.help + more
            )
            parser.addini(spec.ini, f"{spec.help} (as {spec.flag})", type="string", default="")
        else:
            group.addoption(
                spec.flag, dest=spec.ini, action="store_true", default=None, help=spec.help + more
            )
            parser.addini(spec.ini, f"{spec.help} (as {spec.flag})", type="bool", default=False)


def read_options(config: pytest.Config, environ: Mapping[str, str] = os.environ) -> Options:
    """Read the options of a run.

    Raises:
        pytest.UsageError: A value is none of those possible, or the JSON cannot be written there.
    """
    texts = {spec.name: _text(config, spec, environ) for spec in _SPECS if spec.metavar}
    env_file = _path(config, *texts["env_file"]) or config.invocation_params.dir / DEFAULT_ENV_FILE
    configuration = Configuration(env_file, config)

    def one_of(value: str, possible: tuple[str, ...], where: str) -> str:
        if value not in possible:
            shown = _masked(repr(value), configuration, environ)
            raise pytest.UsageError(f"{where}: {shown} is none of {', '.join(possible)}")
        return value

    target, guard = (texts[name][0] or "auto" for name in ("target", "guard"))
    one_of(target, _TARGETS, texts["target"][1])
    one_of(guard, _GUARDS, texts["guard"][1])
    switches = {spec.name: _switch(config, spec, environ, one_of) for spec in _SPECS if not spec.metavar}
    named = bool(texts["env_file"][0])
    in_environment = any(environ.get(name, "").strip() for name in REQUIRED_NAMES)
    return Options(
        target=cast('Literal["auto", "sandbox", "live"]', target),
        env_file=env_file,
        env_file_named=named,
        json=_writable(_path(config, *texts["json"]), texts["json"][1]),
        live_writes=switches["live_writes"],
        only=_ids(texts["only"][0]),
        ignore=_ids(texts["ignore"][0]),
        strict=switches["strict"],
        guard=cast('Literal["auto", "all", "off"]', guard),
        from_file=named or configuration.is_there,
        from_environment=in_environment,
        bot=texts["bot"][0],
        simulate=texts["simulate"][0],
        seeds=_count(*texts["seeds"]),
        in_ci=environ.get("CI", "").strip().lower() not in {"", *_SWITCH_OFF},
        configuration=configuration,
    )


def _text(config: pytest.Config, spec: _Spec, environ: Mapping[str, str]) -> tuple[str, str]:
    """The option's text and, for messages, where it was given."""
    given = config.getoption(spec.ini)
    if given is not None:
        return str(given).strip(), spec.flag
    if environ.get(spec.env, "").strip():
        return environ[spec.env].strip(), spec.env
    return str(config.getini(spec.ini)).strip(), spec.ini


def _switch(
    config: pytest.Config,
    spec: _Spec,
    environ: Mapping[str, str],
    one_of: Callable[[str, tuple[str, ...], str], str],
) -> bool:
    if config.getoption(spec.ini):
        return True
    text = environ.get(spec.env, "").strip().lower()
    if not text:
        return bool(config.getini(spec.ini))
    known = _SWITCH | _SWITCH_OFF
    return known[one_of(text, tuple(known), spec.env)]


def _masked(text: str, configuration: Configuration | None, environ: Mapping[str, str]) -> str:
    """Return a text without the secrets of the configuration: one may stand in an option's place."""
    from hangbot.redact import Redactor  # noqa: PLC0415  only a run with checks, or a wrong call, pays for it

    return Redactor(configured_secrets(configuration.text() if configuration else "", environ)).text(text)


def _path(config: pytest.Config, text: str, where: str) -> Path | None:
    """A path; one of the ini file counts from that file's folder, any other from where pytest was called."""
    if not text:
        return None
    from_ini = where.startswith("hangfm_") and config.inipath is not None
    base = cast("Path", config.inipath).parent if from_ini else config.invocation_params.dir
    return base / text


def _writable(path: Path | None, where: str) -> Path | None:
    """Refuse a place that cannot be written before the tests run, not after."""
    if path is None:
        return None
    folder = path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise pytest.UsageError(f"{where}: {folder} cannot be made: {exc.strerror}") from None
    if path.is_dir() or not os.access(path if path.exists() else folder, os.W_OK):
        raise pytest.UsageError(f"{where}: {path} cannot be written")
    return path


def _count(text: str, where: str) -> int:
    """A number of at least 1; 0 where none is given."""
    if text and not (text.isdecimal() and int(text)):
        raise pytest.UsageError(f"{where}: {text!r} is no number of at least 1")
    return int(text or 0)


def _ids(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())

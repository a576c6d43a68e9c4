"""No secret in a report: what pytest says of a test is masked before it is written anywhere.

One `Redaction` a run, fed with the configuration's values as soon as there are any (before a
test is collected), with what `hangfm_settings` holds and with the tokens of each sandbox.
"""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pytest

from pytest_hangfm.fenced import pytest_log_handlers
from pytest_hangfm.items import target_of_item, uses_plugin
from pytest_hangfm.options import OPTIONS
from pytest_hangfm.secrets import configured_secrets
from pytest_hangfm.stash import SANDBOX

if TYPE_CHECKING:
    import warnings
    from collections.abc import Generator, Mapping

    from hangbot.redact import Redactor

__all__ = ["REDACTION", "Redaction", "result_files"]

T = TypeVar("T")

REDACTION: Final[pytest.StashKey[Redaction]] = pytest.StashKey()
"""Where a run's `Redaction` is: ``config.stash[REDACTION]``."""

_FEW: Final = 20
_SHAPES: Final = ("eyJ", "auth_")
_JWT: Final = re.compile(r"eyJ[A-Za-z0-9_-]{2,}\.eyJ[A-Za-z0-9_-]{2,}\.")
"""A token, configured or not."""
_WORKER_TOKENS: Final = "hangfm_tokens"


class Redaction:
    """Masks what a run reports, and looks through the result files at its end.

    Args:
        config: The run's configuration.
        environ: Where the environment is read.
    """

    def __init__(self, config: pytest.Config, environ: Mapping[str, str] = os.environ) -> None:
        self._config = config
        configuration = config.stash[OPTIONS].configuration
        said = configuration.text() if configuration else ""
        self._known = dict.fromkeys(configured_secrets(said, environ))
        self._mine: set[str] = set()
        self._redactor: Redactor | None = None
        self._item: pytest.Item | None = None
        self._tokens: set[str] = set()
        self._named = 0
        self._found: list[Path] = []

    def __repr__(self) -> str:
        return f"<Redaction of {len(self._known)} secrets>"

    # -- what is known

    def learn(self, *secrets: str) -> None:
        """Mask these from now on, in every test."""
        self._known.update(dict.fromkeys(secrets))
        if self._redactor is not None:
            self._redactor.add(*secrets)

    def text(self, text: str) -> str:
        """The same text with every secret masked: the configuration's, and those of the running test."""
        return self._current().text(text)

    def shown(self, text: str, *, coloured: bool = False) -> str:
        """The same for people: what others wrote is escaped as well.

        Args:
            text: What is to be shown.
            coloured: Whether pytest has put its own colours into it, where it does so at all.
        """
        from pytest_hangfm.reporting.escaping import escape_text  # noqa: PLC0415  only a run with something to show pays for it

        return escape_text(self.text(text), colours=coloured and _has_colours(self._config))

    def value(self, value: T) -> T:
        """The same for nested values."""
        return self._current().value(value)

    def concerns(self, item: pytest.Item | None) -> bool:
        """Whether a test's report is to be masked: not in a run that does not use the plugin."""
        return bool(self._known) or (item is not None and uses_plugin(item))

    def concerns_now(self) -> bool:
        """Whether that of the running test is."""
        return self.concerns(self._item)

    def _current(self) -> Redactor:
        from hangbot.redact import Redactor  # noqa: PLC0415  only a run with something to mask pays for it

        if self._redactor is None:
            self._redactor = Redactor(self._known)
        self._redactor.add(*self._mine, *self._of_sandbox())
        return self._redactor

    def _of_sandbox(self) -> list[str]:
        """The tokens of the test's sandbox, of all its people so far."""
        sandbox = self._item.stash.get(SANDBOX, None) if self._item is not None else None
        if sandbox is None:
            return []
        tokens = [token for person in sandbox.people for token in (person.token, person.chat_token)]
        # What looks like a token is masked by its looks; thousands of known secrets would take their time.
        return tokens[:_FEW] + [token for token in tokens[_FEW:] if not token.startswith(_SHAPES)]

    # -- from one test to the next

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Forget the tokens of the last test's sandbox, but for the last look."""
        if self._mine or self._of_sandbox():
            self._mine.clear()
            self._redactor = None
        self._item = item
        result = yield
        self._tokens.update(self._of_sandbox())
        return result

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, object, object]:
        """Learn what settings hold, also where a test has others than the configuration's."""
        result = yield
        if fixturedef.argname == "hangfm_settings" and callable(secrets := getattr(result, "secrets", None)):
            found: tuple[str, ...] = secrets()
            item = self._item
            if fixturedef.scope == "function" and item is not None and target_of_item(item) == "sandbox":
                self._mine.update(found)
                self._tokens.update(found)
            else:
                self.learn(*found)
        return result

    # -- what pytest reports

    def pytest_sessionstart(self) -> None:
        """Mask what pytest's log handlers write; the records themselves stay as they are."""
        for handler in pytest_log_handlers(self._config):
            if handler.formatter is not None:
                handler.setFormatter(_MaskingFormatter(handler.formatter, self))

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Mask what went wrong while tests were collected."""
        report = yield
        if self._known and (report.longrepr or report.sections):
            self._mask(report)
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_make_parametrize_id(self, val: object, argname: str) -> str | None:
        """Keep secrets out of the names of tests: those go everywhere, pytest's cache included."""
        text = val.decode("utf-8", "replace") if isinstance(val, bytes) else val
        if not self._known or not isinstance(text, str):
            return None
        if not (_JWT.search(text) or self._current().holds(text)):
            return None
        self._named += 1
        return f"{argname}-masked-{self._named}"

    @pytest.hookimpl(tryfirst=True)
    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage) -> None:
        """Mask a warning's text, and show it escaped."""
        if self.concerns_now():
            text = str(warning_message.message)
            if (masked := self.shown(text)) != text:
                warning_message.message = warning_message.category(masked)

    def report(self, item: pytest.Item, report: pytest.TestReport) -> None:
        """Mask what a report says of a test."""
        speaks = report.longrepr or report.sections or report.user_properties or hasattr(report, "wasxfail")
        if speaks and self.concerns(item):
            self._mask(report)

    def _mask(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        from pytest_hangfm.reporting.masking import mask_report  # noqa: PLC0415  only failures pay for it

        mask_report(report, lambda text, coloured: self.shown(text, coloured=coloured), self.value)

    # -- the last look

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Look through the result files when all are written; what is found fails the run."""
        result = yield
        worker: dict[str, object] | None = getattr(self._config, "workeroutput", None)
        if worker is not None:
            worker[_WORKER_TOKENS] = list(self._tokens)
            return result
        if self._known or self._tokens:
            from pytest_hangfm.reporting.scan import Tokens, scan  # noqa: PLC0415  only such a run pays for it

            self._item = None
            self._found = scan(result_files(self._config), self._current(), Tokens(self._tokens))
        if self._found and session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_report_from_serializable(
        self,
    ) -> Generator[None, pytest.TestReport | pytest.CollectReport | None, object]:
        """Let a report from a worker of xdist read like one of this process."""
        report = yield
        if report is not None:
            from pytest_hangfm.reporting.masking import restore_crash  # noqa: PLC0415  only with xdist

            restore_crash(report)
        return report

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:  # noqa: ANN401  xdist's
        """Take over the tokens that a worker of xdist knew."""
        self._tokens.update(getattr(node, "workeroutput", {}).get(_WORKER_TOKENS, ()))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Report what had to be masked where no secret should have been at all."""
        if self._named:
            terminalreporter.write_line(
                f"hangfm: a secret would have been part of the names of tests ({self._named} value(s)): "
                "never parametrize with secrets",
                yellow=True,
            )
        if self._found:
            names = ", ".join(dict.fromkeys(str(path) for path in self._found[:_FEW]))
            terminalreporter.write_line(
                f"hangfm: {len(self._found)} result file(s) held a secret; it is masked now, and the run has "
                f"failed: {names}. Renew the secret if a file has left this machine.",
                red=True,
            )


class _MaskingFormatter(logging.Formatter):
    """Another formatter's text with the secrets masked, and what others wrote escaped."""

    def __init__(self, inner: logging.Formatter, redaction: Redaction) -> None:
        super().__init__()
        self._inner = inner
        self._redaction = redaction

    def format(self, record: logging.LogRecord) -> str:
        if self._redaction.concerns_now():
            from pytest_hangfm.reporting.escaping import escape_record  # noqa: PLC0415  only our tests pay for it

            record = escape_record(record)
        return self._redaction.text(self._inner.format(record))


def _has_colours(config: pytest.Config) -> bool:
    """Whether reports of this process hold colours of pytest's own; xdist's workers have no terminal."""
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    return bool(getattr(terminal, "hasmarkup", False)) or config.getoption("color", None) == "yes"


def result_files(config: pytest.Config) -> list[Path]:
    """Return where a run leaves its results: Allure's, junit's, ours, and pytest's cache."""
    given = [config.getoption(name, None) for name in ("allure_report_dir", "xmlpath")]
    found = [config.invocation_params.dir / str(path) for path in given if path]
    if (verdict := config.stash[OPTIONS].json) is not None:
        found.append(verdict)
    if config.pluginmanager.hasplugin("cacheprovider"):
        folder = os.path.expandvars(Path(config.getini("cache_dir")).expanduser())
        found.append(config.rootpath / folder / "v" / "cache")
    return found

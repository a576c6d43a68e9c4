"""Load the author's own apps, ``--app MODULE:NAME``; report at the start what is wrong with them."""

import inspect
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final, cast

import hangbot
from hangbot.bot.app_forms import AnyApp, check_app, is_async
from hangbot.cli import early_signals
from hangbot.errors import HangbotError, UsageError

__all__ = ["load_app", "load_apps"]

logger = logging.getLogger("hangbot")

_FILE: Final = "hangbot-app.toml"
"""An app without code, beside the configuration."""
_OURS: Final = (f"{Path(hangbot.__file__).parent}{os.sep}",)
"""Where code stands that is no author's."""
_INSTALLED: Final = "hangbot.apps"
"""The group of entry points under which a package offers apps."""


def load_apps(named: Sequence[str] | None, folder: Path) -> AnyApp | None:
    """Load all apps that ``--app`` names, as one; without any, the app that is a file in a folder.

    Raises:
        UsageError: As `load_app` does; or several are named of which one is no `hangbot.App`.
        ConfigError: The file holds what it may not.
    """
    if not named:
        return _app_of_file(folder)
    first, *others = apps = [load_app(each) for each in named]
    if not others:
        return first
    from hangbot.app import App  # noqa: PLC0415  heavy: only who has several pays for it

    together = App("together", prefix=first.prefix if isinstance(first, App) else "/")
    for name, app in zip(named, apps, strict=True):
        if not isinstance(app, App):
            raise UsageError(
                f"--app {name}: of several apps each has to be a `hangbot.App`, and this one is not",
                remedy="Give it alone, or make it an `App`.",
            )
        together.include(app)
    together.check()
    return together


def _app_of_file(folder: Path) -> AnyApp | None:
    path = folder / _FILE
    if not path.is_file():
        return None
    from hangbot.app.without_code import app_of_file  # noqa: PLC0415  heavy: see above

    app = app_of_file(path)
    logger.info("the app is %s", path, extra={"action": "app"})
    return app


def load_app(named: str) -> AnyApp:
    """Import the app that ``--app`` names, also from the working directory.

    Raises:
        UsageError: It cannot be imported, is not there, or has none of the forms that an app may have.
    """
    module, _, name = _place(named).partition(":")
    if module.endswith(".py") or module.startswith(".") or "/" in module:
        raise UsageError(
            f"--app {named}: {module} is a file or a place, expected MODULE:NAME",
            remedy=f"In its folder, give --app {Path(module).stem.strip('.') or 'mybot'}:{name or 'app'}.",
        )
    if not module or not name:
        raise UsageError(f"--app {named}: expected MODULE:NAME", remedy="For example --app mybot:on_message.")
    app = _attribute(named, _imported(named, module), name)
    check_app(app, f"--app {named}{_definition(app)}")
    return cast("AnyApp", app)


def _place(named: str) -> str:
    """Return ``MODULE:NAME`` of an app, also of one that is installed and given by its name."""
    if ":" in named:
        return named
    installed = {each.name: each.value for each in entry_points(group=_INSTALLED)}
    if named in installed:
        return installed[named]
    there = f"; installed are {', '.join(sorted(installed))}" if installed else ""
    raise UsageError(
        f"--app {named}: expected MODULE:NAME, or the name of an installed app{there}",
        remedy="For example --app mybot:app.",
    )


def _imported(named: str, module: str) -> object:
    here = _here()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return import_module(module)
    except BaseException as exc:  # any error of the author's module is the author's, even an exit
        if early_signals.came():
            raise  # a signal, not the module
        if isinstance(exc, ModuleNotFoundError) and exc.name and module.startswith(exc.name):
            raise UsageError(
                f"--app {named}: there is no module {exc.name} in {here}, nor is one installed",
                remedy="Start hangbot in the folder of the module, or correct the name.",
            ) from None
        if isinstance(exc, HangbotError):
            raise UsageError(f"--app {named}{_line_of(exc)}: {exc}", remedy=exc.remedy) from exc
        reason = f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__
        raise UsageError(
            f"--app {named} cannot be imported{_line_of(exc)} ({reason})",
            remedy="Correct the module.",
        ) from exc


def _attribute(named: str, loaded: object, name: str) -> object:
    app = loaded
    for part in name.split("."):
        try:
            app = getattr(app, part)
        except AttributeError:
            known = [each for each in vars(loaded) if _may_be_app(getattr(loaded, each))]
            hint = f"; there is {', '.join(known)}" if known else ""
            other = _namesake(loaded)
            raise UsageError(
                f"--app {named}: {getattr(loaded, '__name__', loaded)} has no {name}{hint or other}",
                remedy="Rename your module." if other else "Check the name.",
            ) from None
    return app


def _namesake(loaded: object) -> str:
    """Say that a module is another one than that of its name in the working directory, if it is."""
    mine = Path(_here(), f"{getattr(loaded, '__name__', '')}.py")
    file = getattr(loaded, "__file__", None)
    if not mine.is_file() or (file is not None and Path(file).resolve() == mine.resolve()):
        return ""
    return f"; it is the one of that name that Python found first ({file or 'built in'}), not {mine}"


def _here() -> str:
    try:
        return str(Path.cwd())
    except OSError:  # it was deleted
        return ""


def _may_be_app(candidate: object) -> bool:
    if inspect.isclass(candidate) or inspect.ismodule(candidate):
        return False
    return is_async(candidate) or inspect.getattr_static(candidate, "on_message", None) is not None


def _definition(app: object) -> str:
    """Say where something is defined, where that is known."""
    function = inspect.getattr_static(app, "on_message", app)
    code = getattr(inspect.unwrap(function) if callable(function) else function, "__code__", None)
    return f" ({Path(code.co_filename).name} line {code.co_firstlineno})" if code else ""


def _line_of(error: BaseException) -> str:
    """Say on which line of the author's code an import failed."""
    if isinstance(error, SyntaxError) and error.filename:
        return f" at {Path(error.filename).name} line {error.lineno}"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(_OURS) and "importlib" not in frame.filename
    ]
    return f" at {Path(frames[-1].filename).name} line {frames[-1].lineno}" if frames else ""

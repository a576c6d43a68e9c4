"""Load the author's own app, ``--app MODULE:NAME``; report at the start what is wrong with it."""

import inspect
import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import cast

from hangbot.bot.app_forms import AnyApp, check_app, is_async
from hangbot.cli import early_signals
from hangbot.errors import UsageError

__all__ = ["load_app"]


def load_app(named: str | None) -> AnyApp | None:
    """Import the app that ``--app`` names, also from the working directory; ``None`` where it names none.

    Raises:
        UsageError: It cannot be imported, is not there, or has none of the forms that an app may have.
    """
    if named is None:
        return None
    module, _, name = named.partition(":")
    if not module or not name:
        raise UsageError(f"--app {named}: expected MODULE:NAME", remedy="For example --app mybot:on_message.")
    app = _attribute(named, _imported(named, module), name)
    check_app(app, f"--app {named}{_definition(app)}")
    return cast("AnyApp", app)


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
            raise UsageError(
                f"--app {named}: {getattr(loaded, '__name__', loaded)} has no {name}{hint}",
                remedy="Check the name.",
            ) from None
    return app


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
        if frame.filename != __file__ and "importlib" not in frame.filename
    ]
    return f" at {Path(frames[-1].filename).name} line {frames[-1].lineno}" if frames else ""

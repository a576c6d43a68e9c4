"""What it costs to import hangbot, to ask its version, to have its plugin in a pytest run, and to check."""

import functools
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Final

from bench.figures import Figure, at_most, figure, interleaved, ratio
from bench.plan import Plan
from bench.processes import ROOT

__all__ = ["STEPS"]

_LIMIT: Final = 60.0
_PEERS: Final = "httpx, websockets, pydantic"
_PEERS_CLIENT: Final = "httpx, websockets.asyncio.client, pydantic"
"""websockets loads its parts on first use, so its bare import says little about a bot."""
_PEERS_IN_USE: Final = f"{_PEERS_CLIENT}, pydantic.main"
"""So does pydantic: this loads what a model needs, without making one."""
_EMPTY_TEST: Final = "async def test_nothing() -> None:\n    pass\n"


def _imports(plan: Plan) -> list[Figure]:
    modules = ("hangbot", "hangbot.factory", "hangbot.sandbox", _PEERS, _PEERS_CLIENT, _PEERS_IN_USE)
    values = interleaved(
        plan.rounds(9), {name: functools.partial(_import_ms, name) for name in modules}, within=40
    )
    bot = (
        f"{median(values['hangbot']):.0f} ms (its names load on first use);"
        f" {_PEERS}: {median(values[_PEERS]):.0f} ms"
    )
    factory = (
        f"{median(values['hangbot.factory']):.0f} ms; the same with websockets.asyncio.client:"
        f" {median(values[_PEERS_CLIENT]):.0f} ms"
    )
    in_use = f"with pydantic.main as well: {median(values[_PEERS_IN_USE]):.0f} ms"
    sandbox = f"{median(values['hangbot.sandbox']):.0f} ms"
    return [
        figure("import hangbot", ratio(values, "hangbot", _PEERS), "x", goal=at_most(1.10), beside=bot),
        figure(
            "import hangbot.factory, which is all a bot needs",
            ratio(values, "hangbot.factory", _PEERS_CLIENT),
            "x",
            goal=at_most(1.10),
            beside=factory,
        ),
        figure(
            "the same, over the three in use",
            ratio(values, "hangbot.factory", _PEERS_IN_USE),
            "x",
            beside=in_use,
        ),
        figure("import hangbot.sandbox", ratio(values, "hangbot.sandbox", _PEERS), "x", beside=sandbox),
    ]


def _import_ms(modules: str) -> float:
    """Time an import inside a fresh interpreter, without that interpreter's own start."""
    code = f"import time; t = time.perf_counter(); import {modules}; print(time.perf_counter() - t)"
    return float(_run("-c", code).stdout) * 1000


def _version(plan: Plan) -> list[Figure]:
    values = interleaved(
        plan.rounds(9),
        {
            "version": lambda: _wall_ms("-m", "hangbot", "--version"),
            "bare": lambda: _wall_ms("-c", "pass"),
        },
        within=15,
    )
    extra = [mine - bare for mine, bare in zip(values["version"], values["bare"], strict=True)]
    beside = f"{median(values['version']):.0f} ms; bare python {median(values['bare']):.0f} ms"
    return [
        figure("--version, over bare python", extra, "ms", goal=at_most(15), beside=beside),
    ]


def _plugin(plan: Plan) -> list[Figure]:
    name = "one empty async test, with the plugin"
    if find_spec("pytest_hangfm") is None or find_spec("pytest_asyncio") is None:
        return [Figure(name, None, "x", beside="the plugin or pytest-asyncio is not installed")]
    with tempfile.TemporaryDirectory(prefix="hangbot-bench-") as folder:
        test = Path(folder) / "test_empty.py"
        test.write_text(_EMPTY_TEST, encoding="utf-8")
        (Path(folder) / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n", encoding="utf-8")
        values = interleaved(
            plan.rounds(5),
            {
                "with": lambda: _pytest_ms(folder, "-p", "pytest_hangfm"),
                "without": lambda: _pytest_ms(folder),
            },
            within=20,
        )
    beside = f"{median(values['with']):.0f} ms; with pytest-asyncio alone {median(values['without']):.0f} ms"
    return [figure(name, ratio(values, "with", "without"), "x", goal=at_most(1.10), beside=beside)]


def _pytest_ms(folder: str, *extra: str) -> float:
    # Without auto-loading: what else is installed (hypothesis, Allure) would be measured with it.
    command = ("-m", "pytest", "-q", "--disable-plugin-autoload", "-p", "asyncio", "--rootdir", folder)
    return _wall_ms(*command, *extra, folder)


def _wall_ms(*arguments: str) -> float:
    started = time.perf_counter()
    _run(*arguments)
    return (time.perf_counter() - started) * 1000


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  our own interpreter
        [sys.executable, *arguments], check=True, capture_output=True, text=True, timeout=_LIMIT, cwd=ROOT
    )


def _preflight(plan: Plan) -> list[Figure]:
    name = "pytest -m preflight on the sandbox, from start to end"
    if find_spec("pytest_hangfm") is None or find_spec("pytest_asyncio") is None:
        return [Figure(name, None, "s", beside="the plugin or pytest-asyncio is not installed")]
    command = ("-m", "pytest", "-q", "-m", "preflight", "--hangfm-target=sandbox")
    values = interleaved(plan.rounds(5), {"run": lambda: _wall_ms(*command) / 1000}, within=30)
    return [figure(name, values["run"], "s", goal=at_most(1.5), beside="with every plugin that is installed")]


STEPS: Final = (_imports, _version, _plugin, _preflight)
"""The measurements of this part, in the order of the table."""

"""What a report says of the run as a whole: environment, executor, categories of failures."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from typing import TYPE_CHECKING, Any, Final

import pytest

from hangbot import __version__
from pytest_hangfm.options import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["CATEGORIES", "environment", "executor", "write_run_info"]

_WITHIN: Final = 5.0

CATEGORIES: Final = (
    {
        "name": "Not ready: a check was rejected",
        "matchedStatuses": ["failed"],
        "messageRegex": r"(?s).*\[FAIL\].*",
    },
    {
        "name": "Cannot tell: no answer from Hang.fm or the network",
        "matchedStatuses": ["failed", "broken"],
        "messageRegex": r"(?s).*(\[\?\?\?\?\]|Unreachable|ConnectError|TimeoutError).*",
    },
    {
        "name": "A message was lost, doubled or came too late",
        "matchedStatuses": ["failed"],
        "messageRegex": r"(?s).*(was to be (delivered|failed|uncertain)|has not ended within"
        r"|did not say|was to say nothing).*",
    },
    {
        "name": "Something was left behind, or wanted to leave the machine",
        "matchedStatuses": ["failed", "broken"],
        "messageRegex": r"(?s).*(the test left \d+|only loopback is allowed|no route of the sandbox"
        r"|was expected to hit and never did).*",
    },
    {"name": "Skipped: not on this target", "matchedStatuses": ["skipped"], "messageRegex": "(?s).*live.*"},
)
"""First match wins. The expressions are read by JavaScript and by Java."""


def write_run_info(folder: Path, config: pytest.Config, environ: Mapping[str, str] = os.environ) -> None:
    """Write ``environment.properties``, ``executor.json`` and ``categories.json``; what is there stays."""
    lines = [f"{name} = {value}" for name, value in environment(config, environ).items()]
    _write_new(folder / "environment.properties", "\n".join(lines) + "\n")
    _write_new(folder / "executor.json", json.dumps(executor(environ), indent=1) + "\n")
    _write_new(folder / "categories.json", json.dumps(CATEGORIES, indent=1) + "\n")


def _write_new(path: Path, text: str) -> None:
    if not path.exists():
        path.write_text(text, encoding="utf-8")


def environment(config: pytest.Config, environ: Mapping[str, str]) -> dict[str, str]:
    """Return what the run was made of, by name."""
    options = config.stash[OPTIONS]
    summary = config.pluginmanager.get_plugin("hangfm-preflight")
    facts = {
        "Verdict": summary.headline() if summary is not None else "",
        "Target": options.header().removeprefix("hangfm: "),
        "hangbot": __version__,
        "Commit": environ.get("GITHUB_SHA", "")[:12] or _commit(config),
        "Python": platform.python_version(),
        "pytest": pytest.__version__,
        "System": f"{platform.system()} {platform.machine()}",
        "Configuration": options.origin if options.configured else "none",
    }
    return {name.replace(" ", "."): value for name, value in facts.items() if value}


def _commit(config: pytest.Config) -> str:
    """Ask git for the commit; without git or a repository there is none."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"],  # noqa: S607  whichever git is on the path
            cwd=config.rootpath,
            capture_output=True,
            text=True,
            timeout=_WITHIN,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def executor(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return who made the run: GitHub Actions with a link to it, or a person."""
    if "GITHUB_RUN_ID" not in environ:
        return {"name": "by hand", "type": "local", "reportName": "hangbot"}
    repository = (
        f"{environ.get('GITHUB_SERVER_URL', 'https://github.com')}/{environ.get('GITHUB_REPOSITORY', '')}"
    )
    number = environ.get("GITHUB_RUN_NUMBER", "0")
    return {
        "name": "GitHub Actions",
        "type": "github",
        "url": repository,
        "buildOrder": int(number) if number.isdigit() else 0,
        "buildName": f"{environ.get('GITHUB_WORKFLOW', 'run')} #{number}",
        "buildUrl": f"{repository}/actions/runs/{environ['GITHUB_RUN_ID']}",
        "reportName": "hangbot",
    }

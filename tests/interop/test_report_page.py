"""The page of `make report`, built by Allure and looked at in a browser."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.browser import CHROMIUM, open_page

ROOT: Final = Path(__file__).parents[2]
BUILT_WITHIN: Final = 600.0
"""Seconds; a cold npm fetches Allure first."""
TESTS: Final = """
async def test_at_once(hangfm_sandbox, hangfm_bot, hangfm_acks):
    hangfm_sandbox.faults.add("chat.send", "cut_before_store", times=1)
    await hangfm_bot.say("hello", key="m-1")
    await hangfm_acks.settled("m-1")
    hangfm_acks.assert_delivered("m-1", tier=1)


async def test_good(hangfm_bot, hangfm_acks):
    await hangfm_bot.say("hello", key="m-2")
    await hangfm_acks.settled("m-2")
"""
SHOWN: Final = "(name) => [...document.querySelectorAll(`[data-testid='test-result-${name}']`)]"
TOP: Final = "(name) => shown(name)[0].getBoundingClientRect().top"
PICTURE: Final = "document.querySelector('iframe').getBoundingClientRect()"

pytestmark = [
    pytest.mark.interop,
    pytest.mark.timeout(900),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "PYTEST_"))}
    env["PYTHONPATH"] = str(ROOT)
    return subprocess.run(  # noqa: S603  ourselves
        [sys.executable, "-m", *command],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=BUILT_WITHIN,
        check=False,
    )


async def test_a_failed_delivery_is_seen_at_once_and_its_run_is_not_green(tmp_path: Path) -> None:
    if run("report", "--can-build", cwd=ROOT).returncode or not shutil.which("npm"):
        pytest.skip("Allure 3 needs Node 22 or newer, with npm")
    project, page_folder = tmp_path / "project", tmp_path / "page"
    project.mkdir()
    (project / "pytest.ini").write_text("[pytest]\n")
    (project / "test_mine.py").write_text(TESTS)

    ran = run("pytest", "--hangfm-target=sandbox", "--alluredir=results", cwd=project)
    where = ("--results", str(project / "results"), "--output", str(page_folder))
    built = run("report", *where, "--exit-code", str(ran.returncode), cwd=tmp_path)

    assert (ran.returncode, built.returncode) == (1, 1), ran.stdout + built.stdout + built.stderr
    assert "quality gate: NOT passed" in built.stdout
    async with open_page((page_folder / "index.html").as_uri(), tmp_path / "profile") as page:
        await page.until("!!document.querySelector('[data-testid=report-title]')")
        await page.evaluate(f"window.shown = {SHOWN}; window.topOf = {TOP}; 1")
        head = await page.evaluate("document.body.innerText")
        assert "no check was made" in head
        assert "with exit code 1 (original 1)" in head
        assert "Global Errors" not in head
        assert re.search(r"Total\s+2\b", head)  # as many as pytest counted

        leaves = "[...document.querySelectorAll('[data-testid=tree-leaf-title]')]"
        await page.evaluate(f"{leaves}.find((e) => /At once/.test(e.innerText)).click()")
        await page.until("shown('description').length && shown('setup-dropdown').length")
        assert await page.until(f"{PICTURE}.height > 100")
        assert await page.evaluate(
            "topOf('error') < topOf('description') && topOf('description') < topOf('setup-dropdown')"
        )
        assert await page.evaluate(f"{PICTURE}.bottom < innerHeight")
        text = await page.evaluate("document.body.innerText")
        assert "Retries" not in text
        assert text.count("was to be delivered in tier 1") == 2  # Allure heads the traceback with it

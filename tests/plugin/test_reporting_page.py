"""The page that `make report` builds, without Node: what is taken out, and what it says when it cannot."""

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest

from report.dress import dress
from report.strip import NotClean, strip_analytics
from tests.bounds import WITHIN

REPOSITORY = Path(__file__).parents[2]
TRACKED = """<html><head><script src="app.js"></script></head><body>
<script>window.report = "googletagmanager.com is a word in a test's output";</script>
<script async src="https://www.googletagmanager.com/gtag/js?id=G-1"></script>
<script>
    window.dataLayer = window.dataLayer || [];
    function gtag(){dataLayer.push(arguments);}
</script>
</body></html>"""


def test_the_trackers_go_and_the_rest_stays() -> None:
    page = strip_analytics(TRACKED)

    assert "gtag" not in page
    assert "dataLayer" not in page
    assert '<script src="app.js"></script>' in page
    assert "is a word in a test's output" in page


def test_a_script_from_elsewhere_that_nobody_knows_is_not_let_through() -> None:
    with pytest.raises(NotClean, match="example"):
        strip_analytics('<script defer src="//cdn.example/x.js"></script>')


def test_a_page_that_was_stripped_is_left_as_it_is() -> None:
    once = strip_analytics(TRACKED)

    assert strip_analytics(once) == once


def page_with(**held: object) -> str:
    data = base64.b64encode(json.dumps(held).encode()).decode()
    return f'<head></head><body><script>d("widgets/globals.json","{data}")</script></body>'


@pytest.mark.parametrize("word", ["SANDBOX ONLY", "NOT READY", "CANNOT TELL", "no check was made"])
def test_only_what_is_ready_is_green(word: str) -> None:
    page = dress(page_with(errors=[], attachments=[]), f"{word}: the sandbox")

    assert f'content:"{word}"' in page
    assert "grayscale" in page
    assert "grayscale" not in dress(page_with(errors=[], attachments=[]), 'READY: room "x"')


def test_the_tabs_of_what_belongs_to_no_test_are_there_when_they_hold_something() -> None:
    hidden = "nav-tab-globalErrors"

    assert hidden in dress(page_with(errors=[], attachments=[]), "READY")
    assert hidden not in dress(page_with(errors=[{"message": "x"}], attachments=[]), "READY")
    assert hidden not in dress(page_with(errors=[], attachments=["x"]), "READY")
    assert hidden not in dress("<head></head>", "READY")  # another Allure, perhaps


def build(*options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  ourselves
        [sys.executable, "-m", "report", *map(str, options)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )


def test_without_results_it_says_what_to_run(tmp_path: Path) -> None:
    done = build("--results", tmp_path / "none")

    assert done.returncode == 2
    assert "run pytest with --alluredir=" in done.stderr


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x-result.json").write_text("{}")

    done = build("--results", tmp_path, "--output", tmp_path / "x-result.json" / "page")

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "cannot be written: Not a directory" in done.stderr

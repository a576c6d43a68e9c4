"""The page that `make report` builds, without Node: what is taken out, and what it says when it cannot."""

import subprocess
import sys
from pathlib import Path

import pytest

from report.strip import NotClean, strip_analytics

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


def test_without_results_it_says_what_to_run(tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603  ourselves
        [sys.executable, "-m", "report", "--results", str(tmp_path / "none")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=15,
        check=False,
    )

    assert done.returncode == 2
    assert "run pytest with --alluredir=" in done.stderr

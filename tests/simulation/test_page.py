"""The page for authors of bots: its bug is found and replayed, its mended bot passes, its rules are those."""

import re
from typing import Final

import pytest

from pytest_hangfm.simulation.checker import RULES
from pytest_hangfm.simulation.visiting import OFFERED
from tests.plugin.conftest import REPOSITORY, WITHOUT_ALLURE

PAGE: Final = (REPOSITORY / "docs" / "simulation.md").read_text("utf-8")
FAULTY, MENDED = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
STORY: Final = re.findall(r"^```\n(one_ticket_each: .*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[0]
HEADING: Final = STORY.splitlines()[0]


def test_the_table_of_the_rules_is_current() -> None:
    table = "".join(f"| `{rule.id}` | {rule.sentence} |\n" for rule in RULES)

    assert f"| rule | |\n|---|---|\n{table}\n" in PAGE, f"docs/simulation.md is to have:\n{table}"


def test_the_table_of_what_a_test_has_is_complete() -> None:
    section = PAGE.partition("## What a test has there")[2].partition("\n## ")[0]

    assert set(re.findall(r"`(hangfm_\w+)`", section)) == set(OFFERED)


def inner_run(pytester: pytest.Pytester, test: str, *options: str) -> pytest.RunResult:
    pytester.makepyfile(test_raffle=test)
    return pytester.runpytest_subprocess(
        *WITHOUT_ALLURE, "-p", "no:randomly", "-o", "asyncio_mode=auto", "-rP", *options
    )


@pytest.mark.slow
def test_the_bug_of_the_page_is_found_and_its_story_is_replayed(pytester: pytest.Pytester) -> None:
    token = STORY.split()[-1]

    found = inner_run(pytester, FAULTY, "--hangfm-seeds", "30")
    replayed = inner_run(pytester, FAULTY, "--hangfm-simulate", token)

    for run in (found, replayed):
        run.assert_outcomes(failed=1)
        assert HEADING in run.outlines
    found.stdout.re_match_lines([r"\(in world \d+ of 30, shrunk from \d+ faults to 1 in \d+ plays\)"])
    replayed.stdout.fnmatch_lines(["*fault 1: restart of the bot at 00:10*", f"X *{HEADING}"])


@pytest.mark.slow
def test_the_mended_bot_of_the_page_passes(pytester: pytest.Pytester) -> None:
    done = inner_run(pytester, MENDED, "--hangfm-seeds", "15")

    done.assert_outcomes(passed=1)
    done.stdout.fnmatch_lines(["15 worlds, * virtual hours, * faults had an effect"])

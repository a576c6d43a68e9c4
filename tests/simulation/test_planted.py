"""The search is checked: planted bugs are found, and each is seen again by the plan that it was found by."""

from pathlib import Path
from typing import Final

import pytest

from pytest_hangfm.simulation.checker import RULES
from pytest_hangfm.simulation.corpus import Kept, read
from pytest_hangfm.simulation.output import described
from pytest_hangfm.simulation.own import KINDS, RIG
from pytest_hangfm.simulation.search import Effort, search
from tests.mutants.runner import Mutant, faulty_rows, in_copy
from tests.simulation.planted.runner import FOUND, MOST_FAULTS, ROOT, SEEDS, copy_of_the_tree, hunt, replay
from tests.simulation.planted.table import BUGS

KEPT: Final = {kept.name: kept for kept in read(FOUND)}
CALM: Final = Mutant("calm", "in words", "hangbot/clock.py", "import time\n", "import time\n\n", ("once",))


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_the_tree(tmp_path_factory.mktemp("planted") / "tree")


def test_the_table_fits_the_product() -> None:
    assert list(faulty_rows(list(BUGS.values()), ROOT)) == []
    assert {rule for bug in BUGS.values() for rule in bug.killed_by} <= {rule.id for rule in RULES}


def test_of_each_bug_there_is_the_plan_by_which_it_was_found() -> None:
    assert KEPT.keys() == BUGS.keys()
    for name, kept in KEPT.items():
        assert kept.rule in BUGS[name].killed_by
        assert len(kept.plan.faults) <= MOST_FAULTS
        assert kept.plan.seed < SEEDS
        assert {fault.kind for fault in kept.plan.faults} <= KINDS


def test_the_page_has_each_bug_and_how_it_was_found() -> None:
    page = (ROOT / "docs" / "simulation.md").read_text("utf-8")
    rows = "".join(f"| {_sentence(bug.fault)} | {_how(KEPT[bug.id])} |\n" for bug in BUGS.values())

    head = "| the bug | rule | world | faults |\n|---|---|---|---|\n"
    assert f"\n{head}{rows}" in f"{page}\n", f"docs/simulation.md is to have:\n{head}{rows}"


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


def _how(kept: Kept) -> str:
    return f"`{kept.rule}` | {kept.plan.seed + 1} | {len(kept.plan.faults)}"


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kept", KEPT.values(), ids=KEPT.keys())
def test_the_plan_of_a_bug_breaks_its_rule_again(kept: Kept, copy: Path) -> None:
    assert replay(BUGS[kept.name], kept, copy) == ""


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_without_the_bugs_no_plan_breaks_a_rule() -> None:
    plans = [kept.plan for kept in KEPT.values()]

    summary = search(
        range(len(plans)), draw=lambda number: plans[number], rig=RIG, effort=Effort(processes=2)
    )

    assert not summary.failures, "\n".join(line for each in summary.failures for line in described(each))
    assert summary.seeds == len(plans)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_is_no_bug_is_not_found(copy: Path, tmp_path: Path) -> None:
    kept, wrong = hunt(CALM, copy, tmp_path / "found", seeds=1)

    assert kept is None
    assert wrong.startswith("not found in 1 seeds")
    assert replay(CALM, next(iter(KEPT.values())), copy) == "failed 0 of 1 times when it was replayed"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_goes_wrong_without_the_bug_too_is_not_found_by_it(copy: Path, tmp_path: Path) -> None:
    with in_copy(BUGS["hears-itself"], copy):
        kept, wrong = hunt(CALM, copy, tmp_path / "found", seeds=1, tries=1)

    assert kept is None
    assert wrong.startswith("not found in 1 seeds")
    assert '"failed": 1' in wrong

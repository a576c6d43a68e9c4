"""The runner of `make mutants` says which faults no test noticed, and which rows of its table are stale."""

from pathlib import Path

import pytest

from tests.mutants.runner import Mutant, Tree, faulty_rows, kill_all
from tests.mutants.table import MUTANTS, read

TESTS = """
import product

def test_twice():
    assert product.twice(3) == 6

def test_nothing():
    assert product
"""


def mutant(name: str, before: str = "2 * n", after: str = "3 * n", *killed_by: str) -> Mutant:
    named = killed_by or ("tests/test_product.py::test_twice",)
    return Mutant(name, "in words", "product/__init__.py", before, after, named)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    root = tmp_path / "root"
    for path, text in {
        "product/__init__.py": "def twice(n):\n    return 2 * n\n",
        "tests/test_product.py": TESTS,
        "pyproject.toml": "[tool.pytest.ini_options]\n",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return Tree(root, ("product", "tests", "pyproject.toml"), packages=("product",))


def kill(tree: Tree, *mutants: Mutant) -> list[str]:
    work = tree.root.parent / "work"
    work.mkdir()
    return kill_all(mutants, tree, work)


@pytest.mark.slow
def test_what_no_test_notices_is_told_and_the_next_one_meets_the_product_as_it_is(tree: Tree) -> None:
    told = kill(
        tree,
        mutant("killed"),
        mutant("survivor", "2 * n", "n * 2"),
        mutant("noticed-by-none", "2 * n", "3 * n", "tests/test_product.py::test_nothing"),
        mutant("killed-again", "return", "raise"),
    )

    assert [line.split(" ")[:2] for line in told] == [
        ["survived:", "survivor"],
        ["survived:", "noticed-by-none"],
    ]
    assert (tree.root / "product/__init__.py").read_text(encoding="utf-8").endswith("return 2 * n\n")


@pytest.mark.slow
def test_a_fault_with_which_no_test_can_be_collected_is_no_kill(tree: Tree) -> None:
    told = kill(tree, mutant("broken", "def twice(n):", "import nowhere\ndef twice(n):"))

    assert [line.split(" ")[:2] for line in told] == [["broken:", "broken"]]


@pytest.mark.slow
def test_tests_that_fail_without_any_fault_prove_nothing(tree: Tree) -> None:
    told = kill(tree, mutant("m", "2 * n", "3 * n", "tests/test_product.py::test_that_is_not_there"))

    assert [line.split(" ")[0] for line in told] == ["control:"]


def test_only_the_copy_is_tested(tree: Tree) -> None:
    elsewhere = Tree(tree.root, tree.parts, packages=("product", "json"))

    (told,) = kill(elsewhere, mutant("m"))

    assert told.startswith("control: not the copy would be tested, but ")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        pytest.param(mutant("m"), None, id="a good one"),
        pytest.param(mutant("m", "4 * n"), "the text before occurs 0 times", id="gone"),
        pytest.param(mutant("m", "n"), "the text before occurs 3 times", id="several"),
        pytest.param(mutant("m", "2 * n", "2 *"), "is no Python with it", id="no Python"),
        pytest.param(
            Mutant("m", "", "product/x.py", "", "", ("t",)), "there is no product/x.py", id="no file"
        ),
        pytest.param(Mutant("m", "", "product/__init__.py", "2", "3", ()), "no test is named", id="no test"),
    ],
)
def test_a_row_that_the_product_has_left_behind_is_told(tree: Tree, row: Mutant, told: str | None) -> None:
    lines = list(faulty_rows([row], tree.root))

    assert len(lines) == (told is not None)
    assert all(line.startswith("stale: m: ") and str(told) in line for line in lines)


def test_a_table_is_read_like_a_patch() -> None:
    text = "Words.\n\n== m: in words\nin a.py\nby t.py::one\nby t.py::two\n-    old\n-\n+    new\n"

    assert read(text) == [
        Mutant("m", "in words", "a.py", "    old\n\n", "    new\n", ("t.py::one", "t.py::two"))
    ]
    with pytest.raises(AssertionError, match="m: no line of a table: else"):
        read(f"{text}else\n")


def test_an_id_names_one_mutant(tree: Tree) -> None:
    (told,) = faulty_rows([mutant("m"), mutant("m")], tree.root)

    assert told == "stale: m: the id occurs twice"


def test_the_table_fits_the_product() -> None:
    stale = list(faulty_rows(MUTANTS, Path(__file__).parents[1]))

    assert not stale, "\n".join(stale)

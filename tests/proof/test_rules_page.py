from pytest_hangfm.proof.report.rules_page import rules_page
from tests.source_tree import ROOT


def test_the_page_of_the_rules_is_current() -> None:
    page = (ROOT / "docs" / "prove-rules.md").read_text("utf-8")

    assert page == rules_page(), "python -m pytest_hangfm.proof.report.rules_page > docs/prove-rules.md"

import pytest


@pytest.fixture(autouse=True)
def logs(logs_as_before: None) -> None:
    """Leave no handler behind: it holds a test's standard error."""

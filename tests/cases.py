"""Tables of cases."""

import pytest


def cases(columns: str, *rows: tuple[object, ...]) -> pytest.MarkDecorator:
    """Run a test for each row, which is what the case is in words and then a value for each column."""
    return pytest.mark.parametrize(columns.split(), [pytest.param(*row, id=str(said)) for said, *row in rows])


def rows(columns: str, *rows: tuple[object, ...]) -> pytest.MarkDecorator:
    """Run a test for each row of values that speak for themselves."""
    return pytest.mark.parametrize(columns.split(), rows)


def named(names: str, *values: object) -> dict[str, object]:
    """Name values in their order."""
    return dict(zip(names.split(), values, strict=True))

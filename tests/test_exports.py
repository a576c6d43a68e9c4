import subprocess
import sys

import pytest

import hangbot
from tests.bounds import WITHIN

HEAVY = ["aiohttp", "httpx", "pydantic", "pytest", "sqlite3", "websockets"]


def run(code: str) -> str:
    done = subprocess.run(  # noqa: S603  our own code
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=WITHIN
    )
    return done.stdout.strip()


def test_the_public_names_are_those_of_the_lazy_table() -> None:
    assert hangbot.__all__ == sorted(hangbot._HOMES)


@pytest.mark.parametrize("name", hangbot.__all__)
def test_every_public_name_can_be_used(name: str) -> None:
    value = getattr(hangbot, name)

    assert value.__module__ == f"hangbot.{hangbot._HOMES[name]}" or name in {"AnyApp", "Event", "Notify"}


def test_dir_shows_the_public_names() -> None:
    assert dir(hangbot) == hangbot.__all__


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = hangbot.nothing


def test_importing_the_package_imports_nothing_heavy() -> None:
    loaded = run(f"import sys, hangbot; print(*[name for name in {HEAVY!r} if name in sys.modules])")

    assert loaded == ""


def test_production_brings_no_test_tooling_with_it() -> None:
    code = (
        "import sys, hangbot\n"
        "[getattr(hangbot, name) for name in hangbot.__all__]\n"
        "print(*[name for name in ('pytest', 'pytest_asyncio', 'allure', 'aiohttp') if name in sys.modules])"
    )

    assert run(code) == ""


def test_a_star_import_gives_the_public_names() -> None:
    assert run("from hangbot import *; print(len(dir()) > 10, Outgoing.__name__)") == "True Outgoing"

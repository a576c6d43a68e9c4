"""What `docs/architecture.md` draws is there: modules, classes, methods, layers, and the number of hops."""

import ast
import inspect
import re
import tomllib
from collections.abc import Iterator
from itertools import groupby
from typing import Final

import pytest

from hangbot.config import Settings
from hangbot.delivery.message import Outgoing
from hangbot.factory import make_courier, open_clients, open_outbox
from hangbot.sandbox import Sandbox
from tests.source_tree import ROOT, parsed

PAGE: Final = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
DECISIONS: Final = (ROOT / "docs" / "decisions.md").read_text(encoding="utf-8")
_PLACE: Final = re.compile(r"([a-z_0-9/]+\.py):([A-Za-z_][\w.]*)")
_PATH: Final = re.compile(r"`((?:hangbot|pytest_hangfm|checks|tests|docs|bench)/[\w/.]*)`")
_HOP: Final = re.compile(r"(?m)^ {0,3}(\d+) +(\S+)")


def section(title: str) -> str:
    """Return what stands below a heading, up to the next of its kind."""
    _, found, rest = PAGE.partition(f"\n## {title}\n")
    assert found, f"docs/architecture.md has no section {title!r}"
    return rest.partition("\n## ")[0]


def names_in(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
    """Yield the functions, classes and constants of a module, and the methods and attributes of classes."""
    for node in body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield prefix + name
            case ast.ClassDef(name=name, body=inside):
                yield prefix + name
                yield from names_in(inside, f"{prefix}{name}.")
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                yield prefix + name


@pytest.mark.parametrize(("path", "name"), sorted(set(_PLACE.findall(PAGE))))
def test_what_is_drawn_is_there(path: str, name: str) -> None:
    package = "pytest_hangfm" if path.startswith("pytest_hangfm/") else "hangbot"
    module = parsed(package)[path if path.startswith(package) else f"{package}/{path}"]

    assert name in set(names_in(module.body))


@pytest.mark.parametrize("path", sorted(set(_PATH.findall(PAGE + DECISIONS))))
def test_a_file_that_is_named_is_there(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize(
    ("title", "most"), [("One message", 12), ("One frame", 7), ("One line of the chat", 5)]
)
def test_a_path_is_as_short_as_it_is_to_be(title: str, most: int) -> None:
    hops = [(int(number), place) for number, place in _HOP.findall(section(title))]

    assert [number for number, _ in hops] == list(range(1, len(hops) + 1))
    assert 0 < len(hops) <= most
    assert all(_PLACE.match(place) for _, place in hops)


def test_the_layers_are_those_that_are_enforced() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    (layers,) = [contract["layers"] for contract in contracts["contracts"] if contract["type"] == "layers"]
    drawn = re.findall(r"(?m)^    (\S.*?)(?:  .*)?$", section("Who may import whom"))

    assert [re.findall(r"\w+", line) for line in drawn] == [
        re.findall(r"\w+", layer.replace("hangbot.", "")) for layer in layers
    ]


async def test_a_message_goes_the_way_that_is_drawn(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    ways: list[list[str]] = []

    def note_way(method: str, path: str) -> None:
        if (method, path) == ("POST", "/messages"):
            ways.append([call.frame.f_code.co_qualname for call in reversed(inspect.stack())])

    async with (
        open_outbox(hangfm_settings) as outbox,
        open_clients(hangfm_settings, guard=note_way) as clients,
    ):
        courier = make_courier(hangfm_settings, outbox, clients.chat)
        await courier.accept(Outgoing("m", hangfm_sandbox.room_uuid, "hello"))
        await courier.run_until_empty()

    drawn = [place.partition(":")[2] for _, place in _HOP.findall(section("One message"))]
    (way,) = ways
    begun = way[way.index(drawn[4]) : way.index("ChatRequests.call")]
    classes = [name for name, _ in groupby(call.partition(".")[0] for call in begun)]
    assert classes == [hop.partition(".")[0] for hop in drawn[4:10] if hop != "Throttle.request"]

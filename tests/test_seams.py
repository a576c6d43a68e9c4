"""What a simulation needs of the whole product: time and sockets are met in few places only."""

import ast
from collections.abc import Iterator, Mapping
from typing import Final

import pytest

from tests.source_tree import PACKAGES, ROOT, differences, parsed

SEAMS: Final = frozenset(
    {
        "hangbot/clock.py",
        "hangbot/sandbox/clock.py",
        "hangbot/sandbox/listen.py",
        "hangbot/sandbox/websocket.py",
    }
)
"""The clocks, and where the sandbox's sockets are: what a simulation replaces, or serves."""

REAL_TIME: Final[Mapping[str, tuple[str, ...]]] = {
    # a command is a process of its own, which nothing simulates
    "hangbot/cli/send_delivery.py": (
        "asyncio.sleep",
        "asyncio.timeout",
        "asyncio.timeout_at",
        "asyncio.wait",
        "loop.time",
    ),
    "hangbot/cli/signals.py": ("loop.time",),
    # below it is nats-py, which knows no other time; a simulation has a cluster of its own
    "hangbot/fleet/pending.py": ("loop.call_at", "loop.time"),
    # without a time: what ends it is the withdrawal of the permit
    "hangbot/hangfm/permit.py": ("asyncio.timeout",),
    # a test waits for what comes over the wires: in real time, whatever time it is in the sandbox
    "hangbot/sandbox/journal.py": ("asyncio.timeout",),
}
"""Exceptions, of which one that nothing needs any more fails the test."""

FENCED: Final = frozenset({"pytest_hangfm/fenced.py"})
LOOKS_INSIDE: Final[Mapping[str, tuple[str, ...]]] = {
    "hangbot/cli/loop_watch.py": ("SLF001",),  # documented, for want of a public name
    # its constructors complete the new instance
    "hangbot/config/settings.py": ("SLF001",),
    "pytest_hangfm/simulation/guards.py": ("SLF001",),  # documented, for want of a public name
    "pytest_hangfm/simulation/loop.py": ("SLF001",),  # for those who write a loop
    "pytest_hangfm/simulation/process.py": ("SLF001",),  # likewise
}


def real_time(tree: ast.Module) -> Iterator[str]:
    """Yield where a module waits for, or asks, a time that nobody hands in, or serves a socket of its own."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        of, called = ast.unparse(node.func.value), node.func.attr
        named = {keyword.arg: keyword.value for keyword in node.keywords}
        of_loop = "loop" in of.rpartition(".")[2]
        if called in {"create_server", "create_unix_server"} and "sock" in named:
            yield f"{called}(sock=…)"
        elif called == "sleep" and of in {"asyncio", "time"} and ast.unparse(node.args[0]) != "0":
            yield f"{of}.sleep"
        elif of == "asyncio" and (called in {"timeout", "timeout_at", "wait_for"} or "timeout" in named):
            yield f"asyncio.{called}"
        elif of_loop and called in {"time", "call_later", "call_at"}:
            yield f"loop.{called}"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        pytest.param(
            "await loop.create_server(f, sock=s)", ["create_server(sock=…)"], id="a socket of its own"
        ),
        pytest.param("await loop.create_server(f, host, port)", [], id="an address"),
        pytest.param("await asyncio.sleep(wait)", ["asyncio.sleep"], id="a wait"),
        pytest.param("await asyncio.sleep(0)", [], id="another turn of the loop"),
        pytest.param("await self._clock.sleep(wait)", [], id="a wait by a clock"),
        pytest.param("async with asyncio.timeout(5): ...", ["asyncio.timeout"], id="a limit"),
        pytest.param("await asyncio.wait_for(x, 5)", ["asyncio.wait_for"], id="a limit for one"),
        pytest.param("await asyncio.wait([x], timeout=5)", ["asyncio.wait"], id="a limit for several"),
        pytest.param("await asyncio.wait([x])", [], id="no limit"),
        pytest.param("self._loop.call_later(5, f)", ["loop.call_later"], id="a timer"),
        pytest.param("asyncio.get_running_loop().time()", ["loop.time"], id="the loop's time"),
        pytest.param("clock.call_later(5, f)", [], id="a timer of a clock"),
    ],
)
def test_real_time_is_found(source: str, found: list[str]) -> None:
    assert list(real_time(ast.parse(f"async def f():\n {source}"))) == found


def test_time_and_sockets_come_from_the_seams() -> None:
    found = {path: list(real_time(tree)) for path, tree in parsed("hangbot").items() if path not in SEAMS}

    wrong = list(differences(found, REAL_TIME))
    assert not wrong, "\n".join(wrong)


def test_only_the_fenced_modules_look_inside_of_others() -> None:
    found = {
        path: ["SLF001"] * ("SLF001" in (ROOT / path).read_text(encoding="utf-8"))
        for package in PACKAGES
        for path in parsed(package)
        if path not in FENCED
    }

    wrong = list(differences(found, LOOKS_INSIDE))
    assert not wrong, "\n".join(wrong)

"""The product reaches into no private part of another library, but in two fenced modules."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import pytest

from tests.source_tree import PACKAGES, differences, parsed

FENCED: Final = frozenset({"pytest_hangfm/fenced.py", "hangbot/config/envfile.py"})
"""Where it is allowed: each use has a version cap, and a test that says what a new version broke."""

EXCEPTED: Final[Mapping[str, tuple[str, ...]]] = {
    "hangbot/cli/app.py": ("vars(loaded)",),  # the names of a bot author's module
    "hangbot/cli/ending.py": ("os._exit",),  # documented, and the only way past a thread that does not end
    "hangbot/cli/loop_watch.py": ("sys._current_frames",),  # documented, for want of a public name
    "hangbot/logs/folding.py": ("vars(last)",),  # the documented way to `extra`
    "hangbot/logs/formats.py": ("vars(logging.makeLogRecord({}))", "vars(record)"),  # likewise
    "hangbot/preflight/__init__.py": ("vars(module)",),  # the checks of a module of ours, in their order
    "pytest_hangfm/simulation/guards.py": ("sys._getframe",),  # documented, for want of a public name
    "pytest_hangfm/simulation/loop.py": ("asyncio._set_running_loop",),  # for those who write a loop
    "pytest_hangfm/simulation/process.py": ("asyncio._unregister_task",),  # likewise
    "hangbot/redact.py": ("logging.makeLogRecord({}).__dict__", "record.__dict__"),  # likewise
}
"""What stays, and what is still to be replaced: an exception that nothing needs any more fails the test."""

DOCUMENTED: Final = frozenset({"_asdict", "_fields", "_make", "_replace"})
"""Of named tuples: they have the underscore only to leave the fields all other names."""
HOOKS: Final = frozenset({"sys", "threading.excepthook", "gc"})
"""What of others is there to be assigned."""
UNDOCUMENTED: Final = frozenset(
    {
        "args_source",  # pytest
        "connection_lost_waiter",  # websockets
        "fixturenames",  # pytest: of items; documented only for requests
        "logging-plugin",  # pytest
        "process_event",  # websockets
        "send_data",  # websockets
    }
)
"""Names without an underscore that no documentation promises."""
UNDOCUMENTED_MODULES: Final = frozenset(
    {"dotenv.parser", "websockets.proxy", "websockets.speedups", "websockets.utils"}
)


def is_private(name: str) -> bool:
    return name.startswith("_") and not (name.startswith("__") and name.endswith("__"))


def private_parts(tree: ast.Module) -> Iterator[str]:
    """Yield what a module uses of others that is theirs alone."""
    nodes = list(ast.walk(tree))
    own, imported = set(names_of_its_own(nodes)), set(imported_names(nodes))
    for node in nodes:
        yield from of_import(node)
        yield from of_attribute(node, own)
        yield from of_call(node, imported)
        match node:
            case ast.FunctionDef(name=name) | ast.Constant(value=str(name)) if name in UNDOCUMENTED:
                yield name
            case ast.Assign(targets=targets):
                yield from (found for target in targets for found in of_target(target, imported))


def of_import(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (alias.name for alias in names if is_private_module(alias.name))
        case ast.ImportFrom(module=str(module)) if is_private_module(module):
            yield module
        case ast.ImportFrom(module=str(module), names=names) if module.partition(".")[0] not in PACKAGES:
            yield from (f"{module}.{alias.name}" for alias in names if is_private(alias.name))


def of_attribute(node: ast.AST, own: set[str]) -> Iterator[str]:
    match node:
        case ast.Attribute(attr=name) if name in UNDOCUMENTED:
            yield name
        case ast.Attribute(value=ast.Name(id="self" | "cls")):
            pass
        case ast.Attribute(attr=name) if name == "__dict__" or (
            is_private(name) and name not in own | DOCUMENTED
        ):
            yield ast.unparse(node)


def of_call(node: ast.AST, imported: set[str]) -> Iterator[str]:
    match node:
        case ast.Call(func=ast.Name(id="vars"), args=[of]) if ast.unparse(of) != "self":
            yield ast.unparse(node)
        case ast.Call(
            func=ast.Name(id="getattr" | "setattr"), args=[of, ast.Constant(value=str(name)), *_]
        ) if is_private(name):
            yield f"{ast.unparse(of)}.{name}"
        case ast.Call(func=ast.Name(id="setattr"), args=[of, *_]) if root_of(of) in imported:
            yield f"setattr({ast.unparse(of)})"
        case ast.Call(func=ast.Attribute(value=ast.Name(id="object"), attr="__setattr__"), args=[of, *_]):
            if ast.unparse(of) != "self":
                yield f"object.__setattr__({ast.unparse(of)})"


def of_target(target: ast.expr, imported: set[str]) -> Iterator[str]:
    """Yield what of another module an assignment replaces."""
    for part in target.elts if isinstance(target, ast.Tuple) else [target]:
        replaced = isinstance(part, ast.Attribute) and root_of(part) in imported
        if replaced and not HOOKS & {str(root_of(part)), ast.unparse(part)}:
            yield f"{ast.unparse(part)} = …"


def root_of(node: ast.expr) -> str | None:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def is_private_module(name: str) -> bool:
    first, *rest = name.split(".")
    return first not in (*PACKAGES, "__future__") and (
        name in UNDOCUMENTED_MODULES or any(map(is_private, (first, *rest)))
    )


def names_of_its_own(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Yield the private names that a module gives to attributes of its classes."""
    for node in nodes:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name, ctx=ast.Store()):
                yield name
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name


def imported_names(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        ours = isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] in PACKAGES
        if isinstance(node, ast.Import | ast.ImportFrom) and not ours:
            yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        pytest.param("import _pytest.reports", ["_pytest.reports"], id="a private module"),
        pytest.param("from _pytest.reports import TestReport", ["_pytest.reports"], id="something of it"),
        pytest.param("from asyncio import _enter_task", ["asyncio._enter_task"], id="a private name"),
        pytest.param("from dotenv.parser import Binding", ["dotenv.parser"], id="an undocumented module"),
        pytest.param("cache._cachedir", ["cache._cachedir"], id="a private attribute"),
        pytest.param("getattr(out._tw, '_file', None)", ["out._tw", "out._tw._file"], id="by getattr"),
        pytest.param("connection.send_data()", ["send_data"], id="an undocumented method"),
        pytest.param("class A(B):\n  def process_event(self): ...", ["process_event"], id="one overridden"),
        pytest.param("self.send_data()", ["send_data"], id="an undocumented method of a base class"),
        pytest.param("plugins.get_plugin('logging-plugin')", ["logging-plugin"], id="an undocumented plugin"),
        pytest.param("report.__dict__", ["report.__dict__"], id="a dictionary"),
        pytest.param("vars(report)", ["vars(report)"], id="the same by vars"),
        pytest.param(
            "object.__setattr__(report, 'a', 1)", ["object.__setattr__(report)"], id="frozen or not"
        ),
        pytest.param(
            "import socket\nsocket.socket.send = f", ["socket.socket.send = …"], id="a method replaced"
        ),
        pytest.param(
            "import socket\nsetattr(socket.socket, n, f)", ["setattr(socket.socket)"], id="one by its name"
        ),
        pytest.param("object.__setattr__(self, 'a', vars(self))\nself._a = self.__dict__", [], id="its own"),
        pytest.param("class A:\n  _a: int\nother._a", [], id="another's of its own class"),
        pytest.param("row._replace(a=1)", [], id="a named tuple's"),
        pytest.param("import sys\nsys.stdout = stream", [], id="a hook"),
        pytest.param("from pytest_hangfm.fixtures._helpers import x", [], id="a module of ours"),
    ],
)
def test_what_belongs_to_others_is_found(source: str, found: list[str]) -> None:
    assert sorted(private_parts(ast.parse(source))) == found


def test_nothing_reaches_into_another_library_but_in_the_fenced_modules() -> None:
    found = {
        path: list(private_parts(tree))
        for package in PACKAGES
        for path, tree in parsed(package).items()
        if path not in FENCED
    }

    wrong = list(differences(found, EXCEPTED))
    assert not wrong, "\n".join(wrong)

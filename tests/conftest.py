"""What several of our own tests need; what bot authors need too is in the plugin."""

import asyncio
import functools
import logging
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress

import pytest
import pytest_asyncio

Respond = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OpenRaw = Callable[[bytes | Respond], Awaitable[str]]
"""Opens a server on loopback that reads a request's head and gives these bytes, then hangs up."""


def pytest_configure() -> None:
    """Have Ctrl-C end what tests start, also where a shell that runs them in the background ignores it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_pycollect_makemodule() -> None:
    """See to the properties before the first module that has some is imported."""
    _take_few_examples()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Refuse parameters that no report can hold: Allure ends a run on them, and only CI asks for one."""
    for name, value in getattr(getattr(item, "callspec", None), "params", {}).items():
        try:
            (value if isinstance(value, str) else repr(value)).encode()
        except (RecursionError, UnicodeEncodeError):
            raise pytest.UsageError(
                f"{item.nodeid}: make {name} in the test, no report can hold it"
            ) from None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what has the longest limit: a long proof that came last would keep all others waiting."""
    items.sort(key=_limit, reverse=True)


def _limit(item: pytest.Item) -> float:
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0]) if marker else 0.0


@functools.cache
def _take_few_examples() -> None:
    """Enough to notice a fault on every change; the long proofs name their own numbers.

    And no example is at fault for taking its time: a stall of the machine would be found to be one.
    """
    # Here, since pytest imports this file in a run of the checks alone, too: hypothesis takes 0.2 s.
    from hypothesis import HealthCheck, settings  # noqa: PLC0415

    settings.register_profile(
        "everyday",
        settings.default,
        max_examples=25,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("everyday")


@pytest_asyncio.fixture
async def open_raw() -> AsyncIterator[OpenRaw]:
    """Open servers that speak whatever they are given; all are closed after the test."""
    servers: list[asyncio.Server] = []
    tasks: set[asyncio.Task[None] | None] = set()

    async def open_one(answer: bytes | Respond) -> str:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            tasks.add(asyncio.current_task())
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                try:
                    await reader.readuntil(b"\r\n\r\n")
                    if isinstance(answer, bytes):
                        writer.write(answer)
                        await writer.drain()
                    else:
                        await answer(reader, writer)
                finally:
                    writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        servers.append(server)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    yield open_one
    for server in servers:
        server.close()
    for task in tasks:
        if task is not None:
            task.cancel()
    for server in servers:
        await server.wait_closed()
    await asyncio.gather(*(task for task in tasks if task), return_exceptions=True)


@pytest.fixture
def logs_as_before() -> Iterator[None]:
    """Undo what a command did to logging: its handlers hold this test's standard error."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    named = [logging.getLogger(name) for name in list(root.manager.loggerDict)]
    levels = [(logger, logger.level) for logger in named]
    hooks = threading.excepthook, sys.unraisablehook
    yield
    threading.excepthook, sys.unraisablehook = hooks
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    for logger, was in levels:
        logger.setLevel(was)


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A server's context with a certificate that nobody has signed."""
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(  # noqa: S603  our own arguments
        [  # noqa: S607  found on the path like everywhere
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", str(key), "-out", str(cert), "-days", "1", "-subj", "/CN=sandbox",
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    return context

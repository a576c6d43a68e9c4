"""What is wrong with the machine or the shell is one line with a remedy, and no fault of hangbot's."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from tests.bounds import WITHIN

if TYPE_CHECKING:
    from tests.cli.conftest import Bench

HANGBOT: Final = f"{sys.executable} -m hangbot"
WORLD: Final = {
    "OPENCHAT_BASE_URL": "https://chat.invalid",
    "TTFM_GATEWAY_BASE_URL": "https://gate.invalid",
    "SOCKET_SERVER_URL": "https://room.invalid",
}
PASSWORD: Final = "hunter2secret"
SHORT: Final = {"STAGE_RETRY_TOTAL_MS": "200", "SOCKET_TIMEOUT_MS": "200"}


def world(**names: str) -> dict[str, str]:
    """An environment in which the services are out in the world."""
    return WORLD | names


def without(module: str) -> str:
    """A folder on the path that takes a module away."""
    return (
        f"mkdir mods; echo 'raise ModuleNotFoundError(\"gone\", name=__name__)' > mods/{module}.py; "
        "PYTHONPATH=mods hangbot "
    )


def app(code: str) -> str:
    """A bot's module, and a run of it."""
    return f"printf {code!r} > mine.py; hangbot run --app mine:hear"


PROXY: Final = "of the environment cannot be used: it is no address of a proxy. Correct "
CASES: Final = [
    # -- proxies and certificates
    pytest.param("send hi", world(HTTPS_PROXY=f"http://u:{PASSWORD}/x@h:1"), 2, PROXY, id="password with /"),
    pytest.param("send hi", world(ALL_PROXY=f"http://u:{PASSWORD}#x@h:1"), 2, PROXY, id="password with #"),
    pytest.param("run", world(HTTP_PROXY=f"http://u:12/{PASSWORD}@h:1"), 2, PROXY, id="password like a port"),
    pytest.param("send hi", world(HTTPS_PROXY="http://127.0.0.1:99999"), 2, PROXY, id="no port"),
    pytest.param("run", world(https_proxy="http://127.0.0.1:http"), 2, PROXY, id="a word for a port"),
    pytest.param("send hi", world(ALL_PROXY="http://[::1"), 2, PROXY, id="half an address"),
    pytest.param("send hi", world(ALL_PROXY="http://:3128"), 2, PROXY, id="no host"),
    pytest.param(
        "run", world(ALL_PROXY=f"socks5h://u:{PASSWORD}@h:1"), 2, "for which a library is missing", id="SOCKS"
    ),
    pytest.param("send hi", world(ALL_PROXY="ftp://h:1"), 2, "a kind of proxy that is not known", id="FTP"),
    pytest.param(
        "send hi", world(ALL_PROXY="http://h:1", NO_PROXY="[::1,x"), 2, "NO_PROXY of the", id="NO_PROXY"
    ),
    pytest.param("run", world(SSL_CERT_FILE="/gone.pem"), 2, "the file cannot be read: No such", id="no CA"),
    pytest.param("send hi", world(SSL_CERT_FILE="/etc/passwd"), 2, "without a certificate", id="no PEM"),
    pytest.param(
        "mkfifo ca; hangbot run", world(SSL_CERT_FILE="ca"), 2, "cannot be read: it is no file", id="a pipe"
    ),
    pytest.param("send hi", world(SSL_CERT_DIR="/gone"), 2, "SSL_CERT_DIR of the env", id="no CA folder"),
    pytest.param("run", world(SSLKEYLOGFILE="/gone/log"), 2, "SSLKEYLOGFILE of the env", id="key log"),
    # -- files
    pytest.param("send hi --env-file .", {}, 2, "is a directory. Name a file", id="a folder to read"),
    pytest.param("outbox list --env-file /dev/zero", {}, 2, "larger than 65536 bytes", id="no end"),
    pytest.param("run", {"HANGBOT_OUTBOX": "/proc/x.sqlite3"}, 1, "Check HANGBOT_OUTBOX", id="read-only"),
    pytest.param("send hi", {"HANGBOT_OUTBOX": "/dev/full"}, 1, "Check HANGBOT_OUTBOX", id="full"),
    pytest.param("outbox list", {"HANGBOT_OUTBOX": "x" * 300}, 1, "Choose a shorter path.", id="a long name"),
    pytest.param("mkdir x; cd x; rmdir ../x; hangbot outbox list", {}, 1, "directory has been", id="no cwd"),
    pytest.param(
        "mkdir x; cd x; rmdir ../x; hangbot run --env-file $F", {}, 1, "directory", id="no cwd to run"
    ),
    pytest.param("demo", {"TMPDIR": "/gone", "HOME": ""}, 0, "", id="no TMPDIR, no HOME"),
    # -- limits
    pytest.param("ulimit -n 8; hangbot demo", {}, 1, "Too many open files", id="demo with few files"),
    pytest.param("ulimit -n 8; hangbot sandbox", {}, 1, "Too many open files", id="sandbox with few files"),
    pytest.param("ulimit -n 8; hangbot send hi", {}, 1, "HANGBOT_OUTBOX", id="send with few files"),
    # -- Python
    pytest.param(without("fcntl") + "run", {}, 1, "Linux, macOS and other Unix. On Windows", id="no fcntl"),
    pytest.param(without("sqlite3") + "send hi", {}, 1, "built without SQLite", id="no SQLite"),
    pytest.param(without("ssl") + "preflight", {}, 1, "built without TLS", id="no TLS"),
    pytest.param(without("h11") + "run", {}, 1, "the library h11 is missing", id="a library"),
    pytest.param(without("pydantic") + "preflight", {}, 1, "library pydantic is missing", id="another"),
    # -- the author's module
    pytest.param(app("raise SystemExit(3)"), {}, 2, "mine.py line 1 (SystemExit: 3)", id="an exit"),
    pytest.param(app("import sys; sys.exit(0)"), {}, 2, "(SystemExit: 0)", id="a good exit"),
    pytest.param(app("raise KeyboardInterrupt"), {}, 2, "(KeyboardInterrupt)", id="an interrupt"),
    pytest.param(app("import nowhere_at_all"), {}, 2, "nowhere_at_all", id="an import"),
    pytest.param(
        app("class hear: pass"), {}, 2, "--app mine:hear is a class. Name an instance", id="a class"
    ),
    pytest.param(app("hear = lambda bot, m: 0"), {}, 2, "(mine.py line 1) is no `async def`", id="a lambda"),
    pytest.param(app("async def herr(bot, m): 0"), {}, 2, "mine has no hear; there is herr.", id="a typo"),
    pytest.param(
        app(
            "import types; async def f(b, m): 0\nhear = types.SimpleNamespace(on_mesage=f)".replace(
                "; ", "\n"
            )
        ),
        {},
        2,
        "--app mine:hear cannot be called and has no on_message; there is on_mesage. Give an `async def",
        id="a part with a typo",
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("line", "env", "code", "says"), CASES)
def test_the_environment_fails_on_one_line_with_its_remedy(
    *, line: str, env: dict[str, str], code: int, says: str, bench: Bench
) -> None:
    assert bench
    line = line if "hangbot " in line else f"hangbot {line}"
    given = {name: value for name, value in os.environ.items() if not name.startswith("SSL")} | SHORT | env
    given["F"] = str(bench.folder / "hang-fm-config.env")
    if "HANGBOT_OUTBOX" not in env:
        bench.configure(HANGBOT_OUTBOX="outbox.sqlite3")

    ended = subprocess.run(  # noqa: S603  our own words
        ["bash", "-c", line.replace("hangbot ", f"{HANGBOT} ")],  # noqa: S607  found on the path like everywhere
        cwd=bench.folder, env=given, capture_output=True, text=True, timeout=2 * WITHIN, check=False,
    )  # fmt: skip

    told = [row for row in ended.stderr.splitlines() if row.startswith("hangbot: ")]
    assert ended.returncode == code, ended.stderr
    assert "fault of hangbot" not in ended.stderr
    assert "Traceback" not in ended.stderr
    assert PASSWORD not in ended.stderr
    assert len(told) == (1 if says else 0)
    assert says in "".join(told)

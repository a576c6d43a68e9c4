"""A planted secret, and a token of no configuration, are in nothing that a running bot shows or leaves."""

from __future__ import annotations

import base64
import http.client
import json
import re
import signal
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

import pytest

from hangbot.ops.token import token_path
from tests.bounds import WITHIN
from tests.cli.stories import until
from tests.source_tree import ROOT

if TYPE_CHECKING:
    from tests.cli.conftest import Bench, Command

FOREIGN: Final = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzb21lYm9keSJ9.bm90LWEtc2lnbmF0dXJlLWF0LWFsbA"
"""A token that is in no configuration: a user shows it, and a service quotes it."""
PASSWORD: Final = "correct horse/battery+staple"
"""A secret of another program in the same file, which quoting changes."""


def forms(secret: str) -> set[str]:
    """Return a secret as it may travel: as it is, quoted, and in base64."""
    raw = secret.encode()
    bare = base64.b64encode(raw).decode().rstrip("=")
    return {secret, quote(secret, safe=""), quote(secret), bare, bare.replace("+", "-").replace("/", "_")}


def page(bot: Command, path: str) -> str:
    """Return what the bot's port answers; of a stream, what comes at once."""
    (url,) = re.findall(r"(http://127\.0\.0\.1:\d+)/healthz", bot.err)
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=WITHIN)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        if answer.getheader("Content-Type", "").startswith("text/event-stream"):
            lines: list[str] = []
            while not lines or lines[-1].strip() or len(lines) < 8:
                lines.append(answer.fp.readline().decode())
            return "".join(lines)
        return answer.read().decode()
    finally:
        connection.close()


@pytest.mark.slow
@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_secret_is_in_anything_that_a_running_bot_shows_or_leaves(bench: Bench, log_format: str) -> None:
    bench.configure(SPOTIFY_CLIENT_SECRET=f'"{PASSWORD}"')
    own = bench.sandbox.bot.token
    quoting = {"error": {"code": "ERR_BAD_REQUEST", "message": f"no: {own} {FOREIGN}"}}
    bench.fault("gateway.*", "status", status=500, body=f"token={own} {quote(own)} {PASSWORD}", times=1)
    bench.fault("chat.send", "status", status=400, body=quoting, times=1)
    options = ("--log-level", "debug", "--log-format", log_format)
    bot = bench.start("run", *options, env={"HANGBOT_STATUS_PORT": "0"})
    until(bot, lambda: "running: in " in bot.err)
    bench.hear("/uptime")
    bench.do(lambda sandbox: next(iter(sandbox.users)).say(f"my token is {FOREIGN}"))
    until(bot, lambda: "ERR_BAD_REQUEST" in bot.err)

    seen = {path: page(bot, path) for path in ("/", "/events", "/healthz", "/readyz", "/metrics")}
    for name, given in (("bundle", ()), ("plain", ("--plain",))):
        assert bench.call("bundle", f"{name}.zip", *given).code == 0
        with zipfile.ZipFile(bench.folder / f"{name}.zip") as archive:
            seen |= {f"{name}: {each}": archive.read(each).decode() for each in archive.namelist()}
        replayed = bench.call("replay", f"{name}.zip", "--json"), bench.call("replay", f"{name}.zip")
        seen |= {f"{name}: replay": replayed[0].out + replayed[1].out + replayed[0].err + replayed[1].err}
    shown = bench.call("status", "--json"), bench.call("outbox", "list", "--json"), bench.call("preflight")
    seen |= {"commands": "".join(each.out + each.err for each in shown)}
    port_token = token_path(bench.outbox).read_text().strip()
    bot.send(signal.SIGTERM)
    bot.wait()
    seen |= {"standard output": bot.out, "the log": bot.err}
    seen |= {str(path): path.read_text() for path in (ROOT / "docs" / "ops").rglob("*") if path.is_file()}

    secrets = {
        "the bot's token": own,
        "the chat's token": bench.sandbox.bot.chat_token,
        "another program's": PASSWORD,
        "one that is in no configuration": FOREIGN,
    }
    leaks = [
        f"{name}, in {place}"
        for name, secret in secrets.items()
        for form in forms(secret)
        for place, text in seen.items()
        if form in text or json.dumps(form)[1:-1] in text
    ]
    assert leaks == []
    assert [place for place, text in seen.items() if port_token in text and place != "the log"] == []
    assert seen["the log"].count(port_token) <= 1, "the page's token is shown once"
    assert "hangbot_" in seen["/metrics"]
    assert "data:" in seen["/events"]


def test_the_texts_of_the_dashboard_ask_for_nothing_by_a_person() -> None:
    (dashboard,) = Path(ROOT / "docs" / "ops" / "grafana").rglob("*.json")

    labels = set(re.findall(r"\{\{(\w+)\}\}", dashboard.read_text()))

    assert not labels & {"user", "name", "uid", "text", "token"}

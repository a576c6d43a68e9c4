"""What is handed to Prometheus, Grafana and Docker says nothing that a bot does not show."""

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import aiohttp
import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from hangbot.cli.commands import parse
from hangbot.health import PARTS
from tests.ops.watched import watched
from tests.ops.watched_fleet import watched_fleet

ROOT = Path(__file__).parents[2]
OPS = ROOT / "docs" / "ops"
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
PROMTOOL = shutil.which("promtool")
LABELS = {"job", "instance", "alertname", "severity", "bot", "worker"}
"""Those that Prometheus gives; and those of a bot among several of its process, and of its worker."""


@cache
def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((OPS / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


@cache
def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((OPS / "grafana" / "hangbot.json").read_text(encoding="utf-8"))
    return found


def expressions() -> Iterator[str]:
    """Every query: of the rules, the dashboard and the page."""
    yield from (rule["expr"] for rule in rules())
    panels = dashboard()["panels"]
    yield from (target["expr"] for panel in panels for target in panel["targets"])
    yield from (note["expr"] for note in dashboard()["annotations"]["list"])
    yield from re.findall(r"```promql\n(.*?)```", PAGE, re.DOTALL)


def selectors(expression: str) -> list[tuple[str, dict[str, str]]]:
    """The metrics of a query, with what their labels are held to."""
    found: list[tuple[str, dict[str, str]]] = []

    def visit(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            matchers = {each.name: each.value for each in node.matchers.matchers}
            found.append((str(node.name), matchers))

    filled = expression.replace("$__rate_interval", "1m").replace("$room", ".*")
    promql_parser.walk(promql_parser.parse(filled), visit)
    return found


async def fleet_page_of(folder: Path) -> str:
    """What a fleet's worker shows."""
    async with watched_fleet(folder) as fleet, aiohttp.ClientSession(fleet.url) as http:
        return (await fleet.text(http, "/metrics"))[1]


async def page_of(folder: Path) -> str:
    """What a bot shows that has done everything."""
    async with watched(folder) as bot, aiohttp.ClientSession(bot.url) as http:
        figures = bot.shown.bot.figures
        figures.retries.count("chat", "AckTimeout")
        figures.last_event.mark(0.0, "chat")
        figures.handler_seconds.observe(0.1)
        figures.ack_seconds.observe(0.1, "chat")
        async with http.get("/metrics") as answer:
            return await answer.text()


async def shown(folder: Path) -> dict[str, set[str]]:
    """The same, and what a worker shows of its fleet: the labels of each metric."""
    found: dict[str, set[str]] = {}
    for text, of_fleet in ((await page_of(folder), False), (await fleet_page_of(folder), True)):
        for family in text_string_to_metric_families(text):
            if family.name.startswith("hangbot_fleet_") is of_fleet:
                for sample in family.samples:
                    found.setdefault(sample.name, set()).update(sample.labels)
    return found


async def test_every_query_asks_for_what_a_bot_shows(tmp_path: Path) -> None:
    recorded = {rule["record"]: {"room"} for rule in rules() if "record" in rule}
    has = {**await shown(tmp_path), **recorded, "up": set[str]()}

    asked = [(query, name, held) for query in expressions() for name, held in selectors(query)]

    assert [name for _, name, _ in asked if name not in has] == []
    assert [(query, held) for query, name, held in asked if not held.keys() <= has[name] | LABELS] == []
    assert {held["part"] for _, _, held in asked if "part" in held} <= PARTS.keys()


async def test_the_page_names_every_metric_with_its_labels(tmp_path: Path) -> None:
    rows = re.findall(r"^\| (`[a-z_]+`(?:, `[a-z_]+`)*) \|([^|]*)\|", PAGE, re.MULTILINE)
    named = {
        name: set(re.findall(r"`(\w+)`", labels))
        for names, labels in rows
        for name in re.findall(r"`(\w+)`", names)
    }

    has: dict[str, set[str]] = {}
    for name, labels in (await shown(tmp_path)).items():
        histogram = re.sub(r"_(bucket|sum|count)$", "", name)
        has.setdefault(
            histogram if f"{histogram}_bucket" in name or histogram in has else name, set()
        ).update(labels)

    metrics = {name: labels for name, labels in named.items() if name.startswith(("hangbot_", "process_"))}
    assert metrics == {name: labels - {"room", "worker"} for name, labels in has.items()}


def test_every_alert_has_its_section_and_says_where() -> None:
    alerts = [rule for rule in rules() if "alert" in rule]

    for rule in alerts:
        name, notes = rule["alert"], rule["annotations"]
        assert notes["runbook"] == f"docs/operations.md#{name.lower()}", name
        assert f"\n### {name}\n" in PAGE, name
        assert rule["labels"]["severity"] in {"warning", "critical"}
    assert sorted(re.findall(r"\n### (Hangbot\w+)\n", PAGE)) == sorted(rule["alert"] for rule in alerts)


@pytest.mark.skipif(PROMTOOL is None, reason="no promtool on this machine: it would check and play the rules")
@pytest.mark.parametrize(
    "check",
    [
        pytest.param(["check", "rules", "docs/ops/alerts.yml"], id="rules"),
        pytest.param(["check", "config", "--syntax-only", "docs/ops/prometheus.yml"], id="configuration"),
        pytest.param(["test", "rules", "tests/ops/alerts_test.yml"], id="alerts fire"),
    ],
)
def test_promtool_takes_the_rules(check: list[str]) -> None:
    assert PROMTOOL is not None

    checked = subprocess.run(  # noqa: S603  the machine's own
        [PROMTOOL, *check], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.skipif(PROMTOOL is None, reason="no promtool on this machine: it would look at the names")
@pytest.mark.parametrize("page", [page_of, fleet_page_of])
async def test_promtool_has_nothing_to_say_about_the_names(
    tmp_path: Path, page: Callable[[Path], Awaitable[str]]
) -> None:
    assert PROMTOOL is not None
    text = await page(tmp_path)

    checked = await asyncio.to_thread(
        subprocess.run, [PROMTOOL, "check", "metrics"], input=text, capture_output=True, text=True, timeout=60
    )

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_the_dashboard_is_whole() -> None:
    panels = dashboard()["panels"]

    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len(cells) == len(set(cells)), "panels lie on each other"
    assert max(x for x, _ in cells) < 24
    assert {panel["datasource"]["uid"] for panel in panels} == {"${datasource}"}
    assert [each["name"] for each in dashboard()["templating"]["list"]] == ["datasource", "room"]


def test_the_services_name_files_that_are_there_and_wait_for_the_drain() -> None:
    whole = yaml.safe_load((OPS / "compose.yml").read_text(encoding="utf-8"))
    services = whole["services"]

    mounts = [mount.split(":") for each in services.values() for mount in each.get("volumes", ())]
    assert [source for source, *_ in mounts if source.startswith("./") and not (OPS / source).is_file()] == []
    assert {source for source, *_ in mounts if not source.startswith("./")} == whole["volumes"].keys()
    assert services["bot"]["stop_grace_period"] == "20s"
    assert all(port.startswith("127.0.0.1:") for each in services.values() for port in each.get("ports", ()))
    (job,) = yaml.safe_load((OPS / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"]
    token = Path(job["authorization"]["credentials_file"])
    assert ["scrape", str(token.parent), "ro"] in [
        mount.split(":") for mount in services["prometheus"]["volumes"]
    ]
    assert str(token) in services["token"]["command"][0]
    host, port = (services["bot"]["environment"][f"HANGBOT_STATUS_{name}"] for name in ("HOST", "PORT"))
    assert (services["bot"]["hostname"], job["static_configs"][0]["targets"]) == (host, [f"{host}:{port}"])
    provided = yaml.safe_load((OPS / "grafana" / "dashboards.yml").read_text(encoding="utf-8"))["providers"]
    assert Path(provided[0]["options"]["path"]) / "hangbot.json" in {Path(mount[1]) for mount in mounts}


def test_the_image_runs_the_bot_itself_as_no_root_and_holds_no_secret() -> None:
    lines = (OPS / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", "").splitlines()
    steps = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    of = {name: [rest for each, rest in steps if each == name] for name, _ in steps}

    program, arguments = json.loads(of["ENTRYPOINT"][0])[0], json.loads(of["CMD"][0])
    check = json.loads(of["HEALTHCHECK"][0].partition("CMD ")[2])
    assert (program, check) == ("hangbot", ["hangbot", "status"])
    assert parse(arguments).app == ["mybot:on_message"]
    assert of["USER"] == ["bot"]
    assert [name for name, _ in steps].index("USER") > [name for name, _ in steps].index("COPY")
    assert of["COPY"] == ["mybot.py /home/bot/"]
    assert not re.search(r"(?i)token|secret|passw|\.env", " ".join(rest for _, rest in steps))

"""The port of a fleet's worker over real sockets, with whole workers on a model of their cluster."""

import asyncio
import json
import logging
import re
import socket
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from hangbot.errors import HangbotError
from hangbot.ops.fleet import TOKEN_FILE, PortAddress
from tests.bounds import WITHIN
from tests.ops.watched import events
from tests.ops.watched_fleet import WatchedFleet, watched_fleet

TOKEN = "a-token-that-is-long-enough"
PARTS = ("room", "chat", "chat agreement")


async def samples(fleet: WatchedFleet, http: aiohttp.ClientSession) -> dict[str, dict[str, float]]:
    """What Prometheus reads: by name, then by the values of the labels but the room's and the worker's."""
    _, text = await fleet.text(http, "/metrics")
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name.startswith("hangbot_") and sample.name != "hangbot_build_info":
                assert sample.labels["worker"] == "north"
                labels = [value for name, value in sample.labels.items() if name not in {"room", "worker"}]
                found.setdefault(sample.name, {})[",".join(labels)] = sample.value
    return found


async def health(fleet: WatchedFleet, http: aiohttp.ClientSession, path: str) -> tuple[int, dict[str, Any]]:
    status, text = await fleet.text(http, path)
    return status, json.loads(text)


async def test_prometheus_is_given_the_bots_of_this_worker_and_the_fleet_as_it_sees_it(
    tmp_path: Path,
) -> None:
    async with watched_fleet(tmp_path, rooms=8) as fleet, aiohttp.ClientSession(fleet.url) as http:
        own = {bot.owned.config.name for bot in fleet.of("north")}
        found = await samples(fleet, http)

    everywhere = {f"room-{n:03}" for n in range(8)}
    assert set(found["hangbot_ready"]) == own
    assert set(found["hangbot_part_trouble"]) == {f"{name},{part}" for name in own for part in PARTS}
    assert found["hangbot_fleet_owner"] == {name: int(name in own) for name in everywhere}
    assert found["hangbot_fleet_unowned_seconds"] == dict.fromkeys(everywhere, 0.0)
    assert found["hangbot_fleet_rooms"] == {"owned": 8, "unowned": 0}
    assert found["hangbot_fleet_workers"] == {"": 2}
    assert found["hangbot_fleet_cluster_age_seconds"][""] < WITHIN
    assert found["hangbot_fleet_leases_taken_total"][""] >= len(own)
    assert found["hangbot_fleet_leases_lost_total"] == {"": 0}
    assert found["hangbot_fleet_takeover_seconds_count"][""] >= len(own)


async def test_what_comes_with_a_lost_worker_and_with_a_file_that_cannot_be_used_is_counted(
    tmp_path: Path,
) -> None:
    async with watched_fleet(tmp_path, rooms=6) as fleet, aiohttp.ClientSession(fleet.url) as http:
        fleet.files.put(*fleet.files.rooms.values(), faulty={"cafe": "line 3: ROOM_UUID is missing"})
        fleet.workers["south"].drain()
        await fleet.until(lambda: len(fleet.of("north")) == 6)
        await fleet.until(lambda: fleet.shown.lookout.unowned_for("cafe.env") > 0)
        found = await samples(fleet, http)

    assert sum(found["hangbot_fleet_owner"].values()) == 6
    assert found["hangbot_fleet_unowned_seconds"]["cafe"] > 0
    assert found["hangbot_fleet_rooms"]["unowned"] >= 1
    assert len(found["hangbot_live"]) == 6


async def test_a_worker_is_ready_when_the_cluster_answers_and_each_of_its_rooms_is(tmp_path: Path) -> None:
    async with watched_fleet(tmp_path) as fleet, aiohttp.ClientSession(fleet.url) as http:
        has = len(fleet.of("north"))
        whole = await health(fleet, http, "/healthz")
        ready = await health(fleet, http, "/readyz")
        ill = fleet.of("north")[0]
        ill.is_ill("the chat refuses the token")
        waits = await health(fleet, http, "/readyz")
        ill.conditions.good("chat token")
        fleet.clusters["north"].away = True
        await fleet.until(lambda: not fleet.shown.is_answered)
        away = await health(fleet, http, "/readyz")
        live = await health(fleet, http, "/livez")
        gauges = await samples(fleet, http)

    assert whole[0] == 200
    assert {name: whole[1][name] for name in ("worker", "host", "pid", "rooms", "draining")} == {
        "worker": "north",
        "host": "north.example",
        "pid": 4000,
        "rooms": has,
        "draining": False,
    }
    assert ready == (200, {"ready": True, "red": [], "waits": []})
    assert waits == (503, {"ready": False, "red": [], "waits": [ill.owned.config.name]})
    assert (away[0], away[1]["red"]) == (503, ["cluster"])
    assert live == (200, {"live": True})
    assert gauges["hangbot_fleet_cluster_age_seconds"][""] > 2
    assert sum(gauges["hangbot_fleet_owner"].values()) == 0
    assert "hangbot_fleet_unowned_seconds" not in gauges


async def test_an_open_page_is_told_the_whole_fleet_and_then_the_rooms_that_change(tmp_path: Path) -> None:
    async with (
        asyncio.timeout(2 * WITHIN),
        watched_fleet(tmp_path, hide=lambda text: text.replace("s3cret", "<masked>")) as fleet,
        aiohttp.ClientSession(fleet.url) as http,
        http.get("/events") as answer,
    ):
        told = events(answer)
        kind, first = await anext(told)
        fleet.of("south")[0].is_ill("no \x1b[31m s3cret", queued=2)
        changed: dict[str, Any] = {}
        async for _, news in told:
            changed |= news.get("rooms", {})
            if changed:
                break
        gone = [*fleet.files.rooms][:-1]
        fleet.files.put(*(fleet.files.rooms[key] for key in gone))
        lost: dict[str, Any] = {}
        async for _, news in told:
            lost |= {key: row for key, row in news.get("rooms", {}).items() if row is None}
            if lost:
                break

    ill = fleet.of("south")[0].owned.config
    assert (kind, set(first)) == ("whole", {"health", "seen", "workers", "rooms"})
    assert {row["room"] for row in first["rooms"].values()} == {f"room-{n:03}" for n in range(4)}
    assert [row["worker"] for row in first["workers"]] == ["north", "south"]
    assert changed.keys() == {ill.key}
    row = changed[ill.key]
    assert (row["owner"], row["ready"], row["queued"]) == ("south", False, 2)
    assert "<masked>" in row["why"]
    assert "\x1b" not in row["why"]
    assert lost == {"key-003": None}


async def test_nothing_is_to_be_changed_and_other_names_and_sites_are_refused(tmp_path: Path) -> None:
    asked = [
        ("GET", "/", {"Host": "evil.example"}),
        ("GET", "/events", {"Sec-Fetch-Site": "cross-site"}),
        ("GET", "/metrics", {"X-Forwarded-For": "10.0.0.1"}),
        ("POST", "/outbox/retry", {}),
        ("POST", "/healthz", {}),
        ("GET", "/nothing", {}),
    ]
    seen = []
    async with watched_fleet(tmp_path) as fleet, aiohttp.ClientSession(fleet.url) as http:
        for method, path, headers in asked:
            async with http.request(method, path, headers=headers) as answer:
                seen.append((answer.status, await answer.json()))
        async with http.get("/") as page:
            text, policy = await page.text(), page.headers["Content-Security-Policy"]

    assert [status for status, _ in seen] == [403, 403, 403, 404, 405, 404]
    assert TOKEN_FILE in seen[2][1]["error"]
    assert seen[5][1]["paths"] == ["/livez", "/readyz", "/healthz", "/", "/events", "/metrics"]
    assert "unsafe" not in policy
    assert not re.search(r"https?://", text.replace("http://www.w3.org/", ""))


async def test_beyond_this_machine_the_token_of_the_folder_is_needed(tmp_path: Path) -> None:
    address = PortAddress("0.0.0.0", 0)  # noqa: S104  that is what is tried
    with pytest.raises(HangbotError, match="there is no token") as refused:
        async with watched_fleet(tmp_path, address=address):
            pass
    path = tmp_path / TOKEN_FILE
    path.write_text(f"{TOKEN}\n")
    path.chmod(0o644)
    with pytest.raises(HangbotError, match="can be read by others") as open_to_all:
        async with watched_fleet(tmp_path):
            pass
    path.chmod(0o600)
    seen = []
    async with (
        watched_fleet(tmp_path, address=address) as fleet,
        aiohttp.ClientSession(fleet.url.replace("0.0.0.0", "127.0.0.1")) as http,  # noqa: S104  as above
    ):
        for asked, token in (("/", ""), ("/readyz", ""), ("/metrics", ""), ("/metrics", TOKEN)):
            async with http.get(asked, headers={"Authorization": f"Bearer {token}"}) as answer:
                seen.append((answer.status, await answer.text()))

    assert str(path) in refused.value.remedy
    assert str(path) in open_to_all.value.remedy
    assert [status for status, _ in seen] == [200, 200, 401, 200]
    assert TOKEN_FILE in seen[2][1]
    assert fleet.tokens == [TOKEN]


async def test_a_port_that_is_taken_is_told_before_the_worker_takes_a_room(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(HangbotError, match="cannot listen on 127") as refused:
            async with watched_fleet(tmp_path, address=PortAddress("127.0.0.1", taken.getsockname()[1])):
                raise AssertionError("it was opened")

    assert "Choose another port" in refused.value.remedy
    assert not [task for task in asyncio.all_tasks() if task.get_name() in {"worker", "hangbot-lookout"}]


async def test_without_the_extra_how_the_worker_is_is_served_and_what_to_install_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("hangbot.ops.port.find_spec", lambda _: None)
    async with watched_fleet(tmp_path) as fleet, aiohttp.ClientSession(fleet.url) as http:
        seen = [(await fleet.text(http, path))[0] for path in ("/", "/livez", "/readyz", "/healthz")]

    assert seen == [404, 200, 200, 200]
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [line for line in warned if "serves how the worker is, and no page" in line]

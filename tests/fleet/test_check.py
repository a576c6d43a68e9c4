"""``hangbot fleet check``: what a cluster lacks, and what that could cost."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hangbot.cli import main
from hangbot.config.cluster import parse_address
from hangbot.fleet.check import judged
from hangbot.fleet.looks import ClusterLook, ServerLook
from hangbot.fleet.nats_cluster import open_cluster
from hangbot.fleet.refusals import ClusterUnfit
from hangbot.fleet.shapes import records_names, register_names, shape
from hangbot.fleet.streams import ClusterAway
from hangbot.preflight import CheckResult, exit_code

Change = Callable[[ClusterLook], ClusterLook]
Run = Callable[..., tuple[int, str, str]]

NAMES = ["servers", "version", "jetstream", "replicas", "sync", "space", "window", "clocks", "size"]


def stream(name: str, **changes: object) -> dict[str, Any]:
    names = register_names("f") if name.startswith("KV_") else records_names("f")
    config = shape(names, known=600, newest_only=name.startswith("KV_")) | changes
    peers = [{"name": "n1", "current": True}, {"name": "n2", "current": True}]
    return {"config": config, "cluster": {"leader": "n0", "replicas": peers}}


def good(number: int, **changes: Any) -> ServerLook:  # noqa: ANN401  any of its attributes
    """Return a server without a fault."""
    return ServerLook(
        f"h{number}:4222",
        name=f"n{number}",
        cluster="c",
        version="2.15.1",
        jetstream=True,
        max_payload=1 << 20,
        **({"synced": True, "used": 7 << 30, "most": 70 << 30} | changes),
    )


GOOD = ClusterLook(
    (good(0), good(1, ahead=0.01), good(2, ahead=0.02)),
    {"KV_f": stream("KV_f"), "f-records": stream("f-records")},
)


def server(number: int, **changes: Any) -> Change:  # noqa: ANN401  any of its attributes
    def change(seen: ClusterLook) -> ClusterLook:
        servers = list(seen.servers)
        servers[number] = replace(servers[number], **changes)
        return replace(seen, servers=tuple(servers))

    return change


def records(**changes: object) -> Change:
    return lambda seen: replace(seen, streams={**seen.streams, "f-records": stream("f-records", **changes)})


def behind(seen: ClusterLook) -> ClusterLook:
    found = stream("KV_f")
    found["cluster"]["replicas"][1]["current"] = False
    return replace(seen, streams={**seen.streams, "KV_f": found})


def results(seen: ClusterLook, *, own_power: bool = False) -> dict[str, CheckResult]:
    found = list(judged(seen, fleet="f", retry_total=300, own_power=own_power))
    assert [result.id for result in found] == NAMES
    return {result.id: result for result in found}


def test_what_keeps_its_promises_passes() -> None:
    assert {result.verdict for result in results(GOOD).values()} == {"ok"}


def test_before_the_first_worker_there_is_nothing_to_find_fault_with() -> None:
    found = results(replace(GOOD, streams=dict.fromkeys(GOOD.streams)))

    assert {result.verdict for result in found.values()} == {"ok"}
    assert "the first worker makes KV_f and f-records with 3" in found["replicas"].message


@pytest.mark.parametrize(
    ("change", "name", "verdict", "lost"),
    [
        pytest.param(
            server(1, problem=ClusterAway("h1: refused")),
            "servers",
            "rejected",
            "nothing is accepted",
            id="down",
        ),
        pytest.param(
            lambda seen: replace(seen, servers=seen.servers[:1]),
            "servers",
            "rejected",
            "stand still",
            id="one",
        ),
        pytest.param(
            server(2, problem=ClusterUnfit("it is 2.10")), "version", "rejected", "no owner", id="an old one"
        ),
        pytest.param(
            server(0, jetstream=False), "jetstream", "rejected", "nothing is accepted", id="JetStream off"
        ),
        pytest.param(
            server(0, stopped=True, synced=None),
            "jetstream",
            "rejected",
            "has stopped at n0",
            id="a full disk",
        ),
        pytest.param(
            server(0, stopped=True, synced=None),
            "sync",
            "cannot_tell",
            "has stopped at n0",
            id="nothing to sync",
        ),
        pytest.param(server(0, cluster=""), "jetstream", "rejected", "is lost", id="no cluster"),
        pytest.param(records(num_replicas=1), "replicas", "rejected", "would be lost", id="one replica"),
        pytest.param(records(metadata=None), "replicas", "rejected", "another project", id="another's"),
        pytest.param(behind, "replicas", "rejected", "nothing is accepted", id="one that is behind"),
        pytest.param(
            lambda seen: replace(seen, streams={}, unseen=ClusterAway("no majority")),
            "replicas",
            "cannot_tell",
            "no majority",
            id="no majority",
        ),
        pytest.param(server(1, synced=False), "sync", "rejected", "is lost when", id="late to disk"),
        pytest.param(server(1, synced=None), "sync", "cannot_tell", "is lost when", id="not seen"),
        pytest.param(server(2, used=60 << 30), "space", "warn", "n2 uses 86% of 70.0 GiB", id="filling"),
        pytest.param(server(2, used=69 << 30), "space", "rejected", "nothing is accepted", id="full"),
        pytest.param(server(0, used=20 << 20, most=20 << 20), "space", "rejected", "20 MiB", id="small"),
        pytest.param(
            records(duplicate_window=300 * 10**9), "window", "rejected", "accepted twice", id="short of keys"
        ),
        pytest.param(server(1, ahead=1.1), "clocks", "rejected", "two workers act", id="clocks apart"),
        pytest.param(server(1, max_payload=9), "size", "warn", "is refused", id="small records"),
    ],
)
def test_each_miss_says_what_could_be_lost(change: Change, name: str, verdict: str, lost: str) -> None:
    result = results(change(GOOD))[name]

    assert result.verdict == verdict
    assert lost in result.message
    assert result.remedy


def test_what_room_is_left_is_judged_by_the_servers_that_show_it() -> None:
    one, none = server(0, used=None)(GOOD), replace(GOOD, servers=tuple(good(n, used=None) for n in range(3)))

    assert results(one)["space"].message == "n1 uses 10% of 70.0 GiB, of those that can be seen"
    assert results(none)["space"].verdict == "ok"


def test_a_clock_of_ones_own_that_is_off_is_a_warning_and_a_slow_answer_is_none() -> None:
    late = replace(GOOD, servers=tuple(good(n, ahead=7.0) for n in range(3)))
    slow = replace(GOOD, servers=tuple(good(n, ahead=n * 0.9, unsure=0.5) for n in range(3)))

    assert results(late)["clocks"].verdict == "warn"
    assert "7 s behind" in results(late)["clocks"].message
    assert results(slow)["clocks"].verdict == "ok"


@pytest.mark.parametrize("synced", [False, None])
def test_a_power_supply_of_its_own_makes_up_for_a_late_disk(synced: bool | None) -> None:  # noqa: FBT001  a parameter
    assert results(server(1, synced=synced)(GOOD), own_power=True)["sync"].verdict == "ok"


@pytest.fixture
def check(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> Run:
    request.getfixturevalue("logs_as_before")
    monkeypatch.chdir(tmp_path)
    for name in ("HANGBOT_OUTBOX", "STAGE_RETRY_TOTAL_MS"):
        monkeypatch.delenv(name, raising=False)

    def run(*argv: str) -> tuple[int, str, str]:
        return main(["fleet", "check", *argv]), *capsys.readouterr()

    return run


def test_a_cluster_for_trying_is_checked_from_its_address(check: Run, address: str) -> None:
    code, out, err = check(address)

    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert [line[:6].rstrip() for line in lines[:9]] == ["[OK]"] * 9
    assert "sync_interval: always" in out
    assert lines[9:] == [f"READY: {address}"]


def test_what_a_worker_has_made_is_good_as_it_is(check: Run, address: str) -> None:
    async def open_once() -> None:
        async with open_cluster(parse_address(address)):
            pass

    asyncio.run(open_once())

    code, out, _ = check(address)

    assert code == 0, out
    assert "600 s, and a message is tried for 300 s" in out
    assert "3 of each stream, none behind" in out


def test_the_configuration_names_the_cluster_and_how_long_a_message_is_tried(
    check: Run, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HANGBOT_OUTBOX", address)
    monkeypatch.setenv("STAGE_RETRY_TOTAL_MS", "60000")
    code, out, _ = check("--json")

    row = json.loads(out)
    assert code == 0
    assert (row["target"], row["verdict"]) == (address, "ready")
    assert [found["id"] for found in row["checks"]] == NAMES


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        pytest.param([], 2, "no cluster is named", id="nothing named"),
        pytest.param(["nats://u:secret-1@a,"], 2, "HANGBOT_OUTBOX: ", id="no address"),
        pytest.param(["nats://u:secret-1@127.0.0.1:1"], 3, "127.0.0.1:1: connection refused", id="no server"),
    ],
)
def test_what_cannot_be_checked_is_one_line(check: Run, argv: list[str], code: int, words: str) -> None:
    ended, out, err = check(*argv)

    assert (ended, out, err.count("\n")) == (code, "", 1)
    assert words in err
    assert "secret" not in err


def test_the_exit_code_tells_a_miss_from_what_cannot_be_told() -> None:
    missed = results(server(1, synced=False)(GOOD))
    unseen = results(server(1, synced=None)(GOOD))

    assert exit_code(list(missed.values())) == 1
    assert exit_code(list(unseen.values())) == 3
    assert exit_code(list(results(GOOD).values())) == 0

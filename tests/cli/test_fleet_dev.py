"""``hangbot fleet dev``: servers for trying a fleet, from its first line to its end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from hangbot.cli import main
from hangbot.config.cluster import parse_address
from hangbot.fleet.nats_cluster import open_cluster
from tests.cli.stories import until
from tests.fleet.processes import runs

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Command, Start


def ready_line(command: Command) -> dict[str, Any]:
    line = until(command, lambda: "\n" in command.out and command.out.splitlines()[0])
    row: dict[str, Any] = json.loads(line)
    return row


KEPT = 'what is "kept"'


async def store(address: str, last: int) -> int:
    async with open_cluster(parse_address(address)) as cluster:
        return await cluster.records.store("room", b"", last=last)


@pytest.mark.usefixtures("nats_server")
def test_its_first_line_is_all_that_is_needed_and_it_ends_well(start: Start, folder: Path) -> None:
    command = start("fleet", "dev", "--keep", KEPT)
    ready = ready_line(command)

    sequence = asyncio.run(store(ready["outbox"], 0))
    command.send(signal.SIGTERM)

    assert command.wait() == 0
    assert ready["event"] == "ready"
    assert [server["name"] for server in ready["servers"]] == ["n0", "n1", "n2"]
    assert not any(runs(server["pid"]) for server in ready["servers"])
    assert [server["store"] for server in ready["servers"]] == [
        str(folder / KEPT / f"n{n}") for n in range(3)
    ]

    again = start("fleet", "dev", "--keep", KEPT)
    assert ready_line(again)["outbox"] == ready["outbox"]
    assert asyncio.run(store(ready["outbox"], sequence)) > sequence
    again.send(signal.SIGINT)
    assert again.wait() == 0


@pytest.mark.usefixtures("nats_server")
def test_a_server_that_ends_by_itself_is_named_once_and_the_others_go_on(start: Start) -> None:
    command = start("fleet", "dev")
    ready = ready_line(command)

    os.kill(ready["servers"][1]["pid"], signal.SIGKILL)

    until(command, lambda: "NATS server n1 has ended with -9" in command.err)
    assert runs(ready["servers"][0]["pid"])
    assert runs(ready["servers"][2]["pid"])
    command.send(signal.SIGTERM)
    assert command.wait() == 0
    assert command.err.count("has ended") == command.err.count("servers that go on: 2") == 1


@pytest.mark.usefixtures("nats_server")
def test_a_folder_has_servers_of_one_command(
    start: Start, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ready_line(start("fleet", "dev", "--keep", KEPT))

    code = main(["fleet", "dev", "--keep", str(folder / KEPT)])

    assert code == 1
    assert "other servers run over" in capsys.readouterr().err


def test_a_server_that_is_none_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["fleet", "dev", "--nats-server", "nothing-here"])

    assert code == 1
    [line] = capsys.readouterr().err.splitlines()
    assert "nothing-here is no program" in line

"""Servers for trying: they start over what they had, and never outlive the process that started them."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from hangbot.clock import SystemClock
from hangbot.config.cluster import parse_address
from hangbot.errors import HangbotError
from hangbot.fleet.nats_cluster import open_cluster
from hangbot.fleet.servers import find_binary, open_servers
from tests.bounds import WITHIN
from tests.fleet.processes import runs
from tests.fleet.storing import stored

STARTS_SERVERS = """
import asyncio, json
from hangbot.fleet.servers import open_servers
async def main():
    async with open_servers() as servers:
        print(json.dumps([servers.pid(number) for number in range(3)]), flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""


@pytest.mark.usefixtures("nats_server")
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a killed process leaves its servers")
async def test_servers_end_with_a_process_that_is_killed(tmp_path: Path) -> None:
    clock = SystemClock()
    pipe = asyncio.subprocess.PIPE
    env = os.environ | {"TMPDIR": str(tmp_path)}  # who is killed leaves its folder
    starter = await asyncio.create_subprocess_exec(sys.executable, "-c", STARTS_SERVERS, stdout=pipe, env=env)
    assert starter.stdout
    pids = json.loads(await clock.wait_for(starter.stdout.readline(), WITHIN))
    assert all(map(runs, pids))

    starter.kill()
    await clock.wait_for(starter.wait(), WITHIN)

    try:
        end = clock.now() + WITHIN
        while any(map(runs, pids)):
            assert clock.now() < end
            await clock.sleep(0.02)
    finally:
        for pid in filter(runs, pids):  # where they do outlive it, they are not to outlive the test
            os.kill(pid, signal.SIGKILL)


@pytest.mark.usefixtures("nats_server")
async def test_a_server_that_was_killed_or_stood_still_goes_on_over_what_it_had(tmp_path: Path) -> None:
    async with open_servers(folder=tmp_path) as servers:
        async with open_cluster(parse_address(servers.address)) as cluster:
            sequence = await cluster.records.store("room", b"1", last=0)
        pids = [servers.pid(number) for number in range(3)]

        for number in range(3):
            await servers.kill(number)
        assert [servers.pid(number) for number in range(3)] == [None] * 3
        for number in range(3):
            servers.start(number)
        await servers.pause(0)
        servers.resume(0)
        await servers.ready()

        async with open_cluster(parse_address(servers.address)) as cluster:
            assert await stored(cluster.records, "room", b"2", last=sequence, key="2") > sequence
        assert servers.store(2).is_dir()
        last_pids = [servers.pid(number) for number in range(3)]
    assert not set(pids) & set(last_pids)
    assert not any(runs(pid) for pid in last_pids if pid)


@pytest.mark.usefixtures("nats_server")
async def test_a_server_that_does_not_start_says_why() -> None:
    with pytest.raises(HangbotError, match=r"nats-server has ended with 1: .*no_such_word"):
        async with open_servers(more="no_such_word: 1\n"):
            pass


def test_a_program_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(HangbotError, match="nothing-here is no program") as caught:
        find_binary(tmp_path / "nothing-here")

    assert "--nats-server" in caught.value.remedy

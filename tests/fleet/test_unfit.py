"""A cluster that cannot be a fleet's says why, in one line that an operator can act on."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from hangbot.clock import SystemClock
from hangbot.config.cluster import parse_address
from hangbot.errors import HangbotError, OutboxOfAnother
from hangbot.exit_codes import CANNOT_TELL, FAILED, MISCONFIGURED
from hangbot.fleet.nats_cluster import open_cluster, open_link
from hangbot.fleet.providing import ask_jetstream, found_stream
from hangbot.fleet.refusals import NoFleet
from hangbot.fleet.servers import open_servers
from hangbot.fleet.shapes import records_names, register_names, shape
from hangbot.fleet.streams import ClusterAway
from tests.bounds import WITHIN
from tests.fleet.pretending import pretending

SECRET = "p%40ss-word"


async def problem_of(address: str) -> HangbotError:
    with pytest.raises(HangbotError) as caught:
        async with open_cluster(parse_address(address)):
            pass
    assert "\n" not in str(caught.value)
    assert "ss-word" not in f"{caught.value} {caught.value.remedy}"
    return caught.value


async def problem_when_up(address: str) -> HangbotError:
    """What is wrong with servers that are just being started."""
    clock = SystemClock()
    end = clock.now() + WITHIN
    while isinstance(found := await problem_of(address), ClusterAway):
        assert clock.now() < end, found
        await clock.sleep(0.02)
    return found


async def test_no_server() -> None:
    problem = await problem_of("nats://127.0.0.1:1,127.0.0.1:2")

    assert "127.0.0.1:1: " in str(problem)
    assert "127.0.0.1:2: " in str(problem)
    assert problem.exit_code == CANNOT_TELL


async def test_an_old_server() -> None:
    async with pretending({"version": "2.10.26", "max_payload": 1048576}) as address:
        problem = await problem_of(address)

    assert "is 2.10, and 2.11 is needed" in str(problem)
    assert problem.exit_code == FAILED


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", id="http"),
        pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n", id="ssh"),
        pytest.param(b"INFO [1, 2]\r\n", id="no object"),
        pytest.param(b"x" * 2**20, id="no line"),
        pytest.param(b"", id="nothing, and closes"),
    ],
)
async def test_a_server_of_another_protocol(said: bytes) -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        problem = await problem_of(f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}")

    assert "what answers there does not speak as a NATS server does" in str(problem)
    assert problem.exit_code == CANNOT_TELL


async def test_a_server_that_says_nothing() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        problem = await problem_of(f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}")

    assert "no answer" in str(problem)
    assert problem.exit_code == CANNOT_TELL


@pytest.mark.usefixtures("nats_server")
async def test_a_certificate_that_nobody_here_trusts(tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = trustme.CA().issue_cert("127.0.0.1")
    made.cert_chain_pems[0].write_to_path(certificate)
    made.private_key_pem.write_to_path(key)
    async with open_servers(
        count=1, more=f'tls {{cert_file: "{certificate}", key_file: "{key}"}}', wait=False
    ) as servers:
        problem = await problem_when_up(servers.address)

    assert "is not trusted" in str(problem)
    assert "SSL_CERT_FILE" in problem.remedy
    assert problem.exit_code == MISCONFIGURED


@pytest.mark.usefixtures("nats_server")
@pytest.mark.parametrize(
    ("more", "login", "words", "code"),
    [
        pytest.param("", "", "no three servers", FAILED, id="one server alone"),
        pytest.param("jetstream: disabled", "", "JetStream is off", FAILED, id="no JetStream"),
        pytest.param(
            "authorization {user: bot, password: right}",
            f"bot:{SECRET}@",
            "does not accept the login",
            MISCONFIGURED,
            id="a wrong password",
        ),
        pytest.param(
            "authorization {token: right}", f"{SECRET}@", "does not accept", MISCONFIGURED, id="a wrong token"
        ),
        pytest.param(
            "authorization {user: bot, password: right}", "", "does not accept", MISCONFIGURED, id="no login"
        ),
        pytest.param(
            'authorization {users: [{user: bot, password: "p@ss-word", permissions: {publish: "x"}}]}',
            f"bot:{SECRET}@",
            "ermissions violation for publish",
            MISCONFIGURED,
            id="may not ask",
        ),
        pytest.param(
            'authorization {users: [{user: bot, password: "p@ss-word", permissions: {subscribe: "x"}}]}',
            f"bot:{SECRET}@",
            "ermissions violation for subscription",
            MISCONFIGURED,
            id="may not hear",
        ),
    ],
)
async def test_a_server_that_does_not_do(more: str, login: str, words: str, code: int) -> None:
    async with open_servers(count=1, more=more, wait=False) as servers:
        problem = await problem_when_up(servers.address.replace("//", f"//{login}"))

    assert words in str(problem)
    assert problem.exit_code == code


Change = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.mark.parametrize(
    ("change", "words", "code"),
    [
        pytest.param(lambda it: {**it, "metadata": {}}, "another project's", MISCONFIGURED, id="another's"),
        pytest.param(
            lambda it: {"name": "other-" + it["name"], "subjects": it["subjects"]},
            "another project's",
            MISCONFIGURED,
            id="another's subjects",
        ),
        pytest.param(
            lambda it: {**it, "metadata": {"hangbot": "2"}}, "later version", FAILED, id="a later version's"
        ),
        pytest.param(lambda it: {**it, "num_replicas": 1}, "1 replica,", FAILED, id="one replica"),
        pytest.param(
            lambda it: {**it, "storage": "memory"}, "changed by hand: storage", FAILED, id="in memory"
        ),
    ],
)
@pytest.mark.parametrize("register", [True, False])
async def test_a_stream_that_is_there_and_cannot_be_ours(
    address: str, change: Change, words: str, code: int, *, register: bool
) -> None:
    where = parse_address(address)
    names = register_names(where.fleet) if register else records_names(where.fleet)
    made = change(shape(names, known=120, newest_only=register))
    async with open_link(where) as link:
        assert "error" not in await ask_jetstream(link, f"STREAM.CREATE.{made['name']}", made)

    problem = await problem_of(address)

    assert words in str(problem)
    assert problem.exit_code == code
    assert isinstance(problem, OutboxOfAnother) == (code == MISCONFIGURED)


async def test_a_mere_look_makes_nothing(address: str) -> None:
    where = parse_address(address)
    with pytest.raises(NoFleet, match="no worker has been started"):
        async with open_cluster(where, make=False):
            pass

    async with open_link(where) as link:
        for names in (register_names(where.fleet), records_names(where.fleet)):
            assert await found_stream(link, names.stream) is None


async def test_workers_that_come_at_once_share_what_one_of_them_made(address: str) -> None:
    async def come() -> int:
        async with open_cluster(parse_address(address)) as cluster:
            return await cluster.records.store("room", b"", last=0, key="first")

    assert len(set(await asyncio.gather(*[come() for _ in range(5)]))) == 1


async def test_a_worker_that_tries_for_longer_has_keys_remembered_for_longer(address: str) -> None:
    where = parse_address(address)
    for seconds, remembered in [(1, 600), (1200, 1200), (700, 1200)]:
        async with open_cluster(where, remembered=seconds), open_link(where) as link:
            found = await found_stream(link, records_names(where.fleet).stream)

        assert found
        assert found["config"]["duplicate_window"] == remembered * 1_000_000_000

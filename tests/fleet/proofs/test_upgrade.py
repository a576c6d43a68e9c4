"""A fleet of real processes whose workers are upgraded one after the other: two versions serve it at once."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

import hangbot
from hangbot.clock import SystemClock
from hangbot.config.cluster import parse_address
from hangbot.fleet.nats_cluster import open_cluster
from hangbot.fleet.servers import open_servers
from hangbot.fleet.wishes import move_room
from tests.bounds import WITHIN
from tests.fleet.proofs.ownership import Ownership
from tests.fleet.proofs.rooms import NOT_THERE, open_rooms
from tests.fleet.proofs.run import Sizes, prove
from tests.fleet.proofs.workers import open_workers

_LATER: Final = "99.0"
_FLEET: Final = "upgrade"
_SIZES: Final = Sizes(rooms=9, messages=900, questions=180, disturbances=12)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.usefixtures("nats_server")]


def later_version(folder: Path, *, needs: int) -> Path:
    """Copy hangbot as a later version is: its records have another number, and more in them.

    Args:
        folder: Where to.
        needs: The oldest version that can read its records.
    """
    package = folder / "hangbot"
    shutil.copytree(Path(hangbot.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, old, new in (
        ("__init__.py", f'__version__ = "{hangbot.__version__}"', f'__version__ = "{_LATER}"'),
        ("fleet/records.py", "VERSION: Final = 1", "VERSION: Final = 2"),
        ("fleet/records.py", "NEEDS: Final = 1", f"NEEDS: Final = {needs}"),
        ("fleet/records.py", '"needs": NEEDS,', '"needs": NEEDS,\n        "mood": "good",'),
    ):
        text = (package / name).read_text(encoding="utf-8")
        assert old in text
        (package / name).write_text(text.replace(old, new), encoding="utf-8")
    return folder


async def test_workers_are_upgraded_one_after_the_other_and_nothing_is_lost_or_doubled(
    tmp_path: Path,
) -> None:
    later, own = later_version(tmp_path / "later", needs=1), hangbot.__version__

    found = await prove(tmp_path, _SIZES, 1, upgrade=later)

    assert not found.wrong, "\n".join(found.wrong)
    assert found.versions == [
        {"w1": _LATER, "w2": own, "w3": own},
        {"w1": _LATER, "w2": _LATER, "w3": own},
        {"w1": _LATER, "w2": _LATER, "w3": _LATER},
    ]


async def test_an_older_worker_names_the_rooms_that_it_cannot_read_and_serves_the_others(
    tmp_path: Path,
) -> None:
    later = later_version(tmp_path / "later", needs=2)
    for name in ("rooms", "logs", "servers"):
        (tmp_path / name).mkdir()
    async with (
        open_servers(folder=tmp_path / "servers") as servers,
        open_rooms(tmp_path / "rooms", 4, f"{servers.address},{NOT_THERE}/{_FLEET}") as rooms,
        Ownership.watching(f"{servers.address}/{_FLEET}") as ownership,
        open_cluster(parse_address(f"{servers.address}/{_FLEET}")) as cluster,
        open_workers(2, rooms, servers, _FLEET, tmp_path / "logs") as (older, newer),
    ):
        await _until(lambda: len(ownership.ready()) == 4)
        await newer.stop()
        newer.code = later
        newer.start()
        while (await ownership.versions()).get("w2") != _LATER:  # noqa: ASYNC110  see below
            await asyncio.sleep(0.05)
        keys = [room.key for room in rooms.every]
        others, written = keys[:2], keys[2:]
        for worker, some in (("w1", others), ("w2", written)):
            for room in some:
                await move_room(cluster.register, room, worker, within=WITHIN, clock=SystemClock())

        await newer.kill()
        sentence, why = "was written by a newer hangbot", "no worker here can read them"
        await _until(lambda: older.log.read_text(encoding="utf-8").count(why) >= len(written))
        said, left = older.log.read_text(encoding="utf-8"), ownership.of_worker("w1")
        newer.start()
        await _until(lambda: set(written) <= set(ownership.of_worker("w2")) & set(ownership.ready()))

    assert all(said.count(f"the room {room} {sentence}") == 1 for room in written)
    assert "has a place" not in said
    assert set(others) <= set(left)
    assert not older.faults


async def _until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(WITHIN):
        while not holds():  # noqa: ASYNC110  processes have no event to wait for
            await asyncio.sleep(0.05)

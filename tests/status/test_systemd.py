import socket
from pathlib import Path

import pytest

from hangbot.status.systemd import Systemd


def heard(listener: socket.socket) -> list[str]:
    said: list[str] = []
    while True:
        try:
            said += listener.recv(4096).decode().split("\n")
        except BlockingIOError:
            return said


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_hears_ready_once_signs_of_life_at_half_its_time_and_what_changes(
    tmp_path: Path, *, abstract: bool
) -> None:
    name = f"@hangbot-test-{tmp_path.name}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.settimeout(0.0)
        listener.bind("\0" + name[1:] if abstract else name)
        systemd = Systemd({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "20000000"}, 1)
        seen = []

        for now, live, ready in [(0, True, False), (5, True, True), (10, True, True), (20, False, False)]:
            systemd.update(now, live=live, ready=ready, status="ready" if ready else "not\nready")
            seen.append(heard(listener))
        systemd.stopping()
        seen.append(heard(listener))

    assert (systemd.every, systemd.listens) == (10.0, True)
    assert seen == [
        ["STATUS=not ready", "WATCHDOG=1"],
        ["READY=1", "STATUS=ready"],
        ["WATCHDOG=1"],
        ["STATUS=not ready"],
        ["STOPPING=1", "STATUS=stopping: what is on its way goes out"],
    ]


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"NOTIFY_SOCKET": ""},
        {"NOTIFY_SOCKET": "/nowhere/notify", "WATCHDOG_USEC": "x"},
        {"NOTIFY_SOCKET": "/" + "x" * 200},
        {"WATCHDOG_USEC": "1000000"},
    ],
)
def test_without_systemd_nothing_is_said_and_nothing_fails(environ: dict[str, str]) -> None:
    systemd = Systemd(environ, 1)

    systemd.update(0.0, live=True, ready=True, status="ready")
    systemd.update(1.0, live=True, ready=True, status="not ready")

    assert (systemd.every, systemd.listens) == (None, False)


def test_a_watchdog_of_another_process_is_left_alone() -> None:
    named = {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "7"}

    assert (Systemd(named, 8).every, Systemd(named, 7).every) == (None, 1.0)

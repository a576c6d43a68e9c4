"""What tests of commands share: a story beside a command, waits with a bound, and the outbox in JSON."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import threading
import time
import urllib.request
from typing import TYPE_CHECKING, Any, Self

import pytest

from hangbot.cli import main
from tests.bounds import WITHIN

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Command


def run_while(story: Callable[[], object], *argv: str, stop: bool = True) -> int:
    """Run a command here, play a story beside it, and then end the command with SIGTERM."""
    failed: list[BaseException] = []
    over = threading.Event()

    def play() -> None:
        try:
            story()
        except BaseException as exc:  # noqa: BLE001  raised below, in the thread that counts
            failed.append(exc)
        if stop and not over.is_set():
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=play, name="story")
    thread.start()
    code = main(list(argv))
    over.set()
    thread.join(WITHIN)
    if failed:
        raise failed[0]
    return code


class Heard(logging.Handler):
    """Waits for a line of the bot's log."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text
        self._heard = threading.Event()
        self._logger = logging.getLogger("hangbot.bot")

    def __enter__(self) -> Self:
        self._logger.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        if self._text in record.getMessage():
            self._heard.set()

    def wait(self) -> None:
        assert self._heard.wait(WITHIN), f"nobody logged {self._text!r}"


def until(command: Command, look: Callable[[], Any], *, within: float = WITHIN) -> Any:  # noqa: ANN401  what was looked for
    """Look until it is there: a process's file tells nobody that it grew."""
    for _ in range(int(within / 0.02)):
        if found := look():
            return found
        try:
            code = command.process.wait(0.02)
        except subprocess.TimeoutExpired:
            continue
        pytest.fail(f"ended with {code}: {command.err}")
    return pytest.fail(f"not within {within} s; logged: {command.err}")


def control(ready: dict[str, Any], method: str, path: str, body: object = None) -> dict[str, Any]:
    request = urllib.request.Request(  # noqa: S310  loopback
        ready["control_url"] + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=WITHIN) as answer:
        row: dict[str, Any] = json.loads(answer.read())
        return row


def is_a_send(row: dict[str, Any]) -> bool:
    return row.get("method") == "POST" and str(row["path"]).endswith("/messages")


def until_so(condition: Callable[[], object], within: float = WITHIN) -> None:
    """Look again until something outside of this process is so."""
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)

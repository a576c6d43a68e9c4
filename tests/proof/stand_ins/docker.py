"""In docker's place: a "container" is a process with an entry in a table, and outlives its client.

It knows what the proof asks of docker: version, image inspect, run, start, kill and rm.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

TABLE = Path(os.environ.get("STAND_IN_DOCKER", ""))
"""The folder with a file a container."""
COMMAND = json.loads(os.environ.get("STAND_IN_COMMAND", "[]"))
"""What the one image runs."""
IMAGE = "a-bot"
_LED = ("--network", "--name", "--env", "--add-host", "--volume")


def main(words: list[str]) -> int:
    """Do what the words say, and return the exit code."""
    match words:
        case ["version", *_]:
            return 0
        case ["image", "inspect", *_, image]:
            return 0 if image == IMAGE else _refuse(f"No such image: {image}")
        case ["run", *options]:
            given = _read(options)
            names = [value for name, value in given if name == "--env"]
            entry = {
                "argv": COMMAND,
                "env": {name: os.environ[name] for name in names if name in os.environ},
                "options": options,
            }
            return _live(next(value for name, value in given if name == "--name"), entry)
        case ["start", "--attach", name]:
            return _live(name, json.loads((TABLE / name).read_text("utf-8")))
        case ["kill", name]:
            return _kill(name)
        case ["rm", "--force", "--volumes", *names]:
            for name in names:
                _kill(name)
                (TABLE / name).unlink()
            return 0
    return _refuse(f"unknown: {words}")


def _read(options: list[str]) -> list[tuple[str, str]]:
    pairs = []
    while options and options[0] in _LED:
        pairs.append((options[0], options[1]))
        options = options[2:]
    if options != [IMAGE]:
        raise SystemExit(_refuse(f"unknown: {options}"))
    return pairs


def _live(name: str, entry: dict[str, Any]) -> int:
    folder = TABLE / f"files-of-{name}"
    folder.mkdir(exist_ok=True)
    outside = {key: os.environ[key] for key in ("PATH", "PYTHONPATH", "FAULT") if key in os.environ}
    child = subprocess.Popen(  # noqa: S603  the bot of the test
        entry["argv"], cwd=folder, env={**outside, **entry["env"]}, start_new_session=True
    )
    (TABLE / name).write_text(json.dumps({**entry, "pid": child.pid}), "utf-8")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: child.send_signal(number))
    code = child.wait()
    return 128 - code if code < 0 else code


def _kill(name: str) -> int:
    try:
        os.killpg(json.loads((TABLE / name).read_text("utf-8"))["pid"], signal.SIGKILL)
    except (OSError, KeyError):
        return _refuse(f"container {name} is not running")
    return 0


def _refuse(why: str) -> int:
    sys.stderr.write(f"Error response from daemon: {why}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

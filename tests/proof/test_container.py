"""A bot as a container: the commands, a proof with a stand-in for docker, and one with docker itself."""

import json
import os
import shutil
import stat
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_hangfm.proof.bot_process import BotProgram
from pytest_hangfm.proof.conductor import play_once
from pytest_hangfm.proof.container import Container, Image
from pytest_hangfm.proof.refusals import CannotStart, NotHere
from pytest_hangfm.proof.scenario import load
from tests.cases import rows
from tests.proof.bots.planted import FOLDER, PROFILES, Planted
from tests.proof.stand_ins.docker import IMAGE
from tests.source_tree import ROOT

STAND_IN = Path(__file__).parent / "stand_ins" / "docker.py"


def test_a_container_is_made_once_and_started_again_with_the_same_environment() -> None:
    container = Container(Image("docker", "a-bot"), ["--loud"], "bot")

    first = container.command({"TOKEN": "a", "ROOM": "b"})
    again = container.command({"ROOM": "b", "TOKEN": "a"})
    other = container.command({"ROOM": "b", "TOKEN": "c"})

    assert " ".join(first) == ("docker run --network host --name bot-1 --env TOKEN --env ROOM a-bot --loud")
    assert again == ("docker", "start", "--attach", "bot-1")
    assert other[:6] == ("docker", "run", "--network", "host", "--name", "bot-2")


def test_a_container_is_led_by_names_and_given_whom_to_trust() -> None:
    container = Container(Image("docker", "a-bot"), [], "bot")

    argv = " ".join(container.command({}, ["socket.prod.tt.fm:127.64.0.1"], Path("/made/authority.pem")))

    assert "--add-host socket.prod.tt.fm:127.64.0.1" in argv
    assert f"--volume /made/authority.pem:{container.authority}:ro a-bot" in argv


def install(folder: Path, text: str) -> None:
    """Put a program of that text onto the PATH, as docker."""
    file = folder / "docker"
    file.write_text(text, "utf-8")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


def test_without_docker_the_reason_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(NotHere, match="docker is not installed, or not on PATH"):
        Image.find("a-bot")


def test_without_its_daemon_the_reason_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(tmp_path, "#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2; exit 1\n")
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(NotHere, match="docker's daemon does not answer: Cannot connect to the Docker daemon"):
        Image.find("a-bot")


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Have the stand-in on the PATH, whose image is the sound bot; the folder with its containers."""
    folder = tmp_path / "containers"
    folder.mkdir()
    install(tmp_path, f'#!/bin/sh\nexec {sys.executable} {STAND_IN} "$@"\n')
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("STAND_IN_DOCKER", str(folder))
    monkeypatch.setenv("STAND_IN_COMMAND", json.dumps(Planted("", "python").argv))
    return folder


def containers(table: Path) -> list[str]:
    return [entry.name for entry in table.iterdir() if entry.is_file()]


def test_an_image_that_is_not_there_is_named(table: Path) -> None:
    with pytest.raises(CannotStart, match="there is no image b-bot here: `docker pull b-bot`"):
        Image.find("b-bot")

    assert Image.find(IMAGE).name == IMAGE
    assert list(table.iterdir()) == []


@pytest.mark.slow
@rows("scenario", ("start.wrong-token",), ("chat-in.killed",), ("chat-in.while-down",), ("stop.sigterm",))
async def test_a_container_is_proven_as_a_program_is(scenario: str, table: Path, tmp_path: Path) -> None:
    program = BotProgram((), tmp_path, {}, copied=False, image=Image.find(IMAGE))

    played = await play_once(load()[scenario], program, PROFILES["python"])

    assert (played.not_exercised, played.not_applicable, played.blames) == ("", "", ())
    assert containers(table) == []


@pytest.fixture
def image(tmp_path: Path) -> Iterator[Image]:
    """Build an image of the sound bot in Node, where there is a docker."""
    docker = shutil.which("docker")
    if docker is None:
        pytest.skip("docker is not installed: no container can be proven")
    shutil.copytree(FOLDER / "node", tmp_path / "bot")
    recipe = 'FROM node:22-alpine\nWORKDIR /bot\nCOPY . .\nCMD ["node", "bot.mjs"]\n'
    (tmp_path / "bot" / "Dockerfile").write_text(recipe, "utf-8")
    name = f"hangbot-prove-test:{uuid.uuid4().hex}"
    try:
        Image.find(name)
    except NotHere as exc:
        pytest.skip(str(exc))
    except CannotStart:
        build = [docker, "build", "--quiet", "--tag", name, str(tmp_path / "bot")]
        built = subprocess.run(build, capture_output=True, text=True, check=False, timeout=240)  # noqa: S603  docker's client
        if built.returncode:
            pytest.skip(f"no image can be built here: {built.stderr.strip().splitlines()[-1]}")
    yield Image.find(name)
    subprocess.run([docker, "image", "rm", "--force", name], check=False, timeout=60)  # noqa: S603  docker's client


@pytest.mark.slow
@pytest.mark.timeout(400)
@rows("scenario", ("start.answers",), ("chat-in.killed",), ("stop.sigterm",))
async def test_a_container_of_docker_itself_is_proven(scenario: str, image: Image, tmp_path: Path) -> None:
    program = BotProgram((), tmp_path, {}, copied=False, image=image)

    played = await play_once(load()[scenario], program, PROFILES["node"])

    assert (played.not_exercised, played.not_applicable, played.blames) == ("", "", ())

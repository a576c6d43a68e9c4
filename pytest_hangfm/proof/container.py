"""A bot as a container: an image of docker on the host's network, one container over all its lives."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_hangfm.proof.refusals import CannotStart, NotHere

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["Container", "Image"]

_ASKED_WITHIN: Final = 20.0
_AUTHORITY: Final = "/hangbot-authority.pem"


@dataclass(frozen=True, slots=True)
class Image:
    """An image that can be started.

    Attributes:
        docker: The path of docker's client.
        name: The image.
    """

    docker: str
    name: str

    @classmethod
    def find(cls, name: str) -> Image:
        """Look for docker and the image, before anything is started.

        Raises:
            NotHere: Docker is not installed, or its daemon does not answer.
            CannotStart: There is no such image.
        """
        docker = shutil.which("docker")
        if docker is None:
            raise NotHere("docker is not installed, or not on PATH")
        if why := _refusal([docker, "version", "--format", "{{.Server.Version}}"]):
            raise NotHere(f"docker's daemon does not answer: {why}")
        if _refusal([docker, "image", "inspect", "--format", "{{.Id}}", name]):
            raise CannotStart(
                f"there is no image {name} here: `docker pull {name}`, or `docker build -t {name} .`"
            )
        return cls(docker, name)


class Container:
    """One bot over its lives: what it wrote into its own files is there again when it is started again.

    Args:
        image: What is started.
        words: What follows the image: the command, where it is not the image's own.
        name: What no other container is called.
    """

    def __init__(self, image: Image, words: Sequence[str], name: str) -> None:
        self._image, self._words, self._name = image, tuple(words), name
        self._made: list[str] = []
        self._env: dict[str, str] = {}

    def command(
        self, env: Mapping[str, str], hosts: Sequence[str] = (), authority: Path | None = None
    ) -> tuple[str, ...]:
        """Return the command of its next life, which ends with it and passes signals on to it.

        Docker takes the values from the environment in which the command is run. A container keeps the one
        that it was made with: where another is wanted, a new container is.

        Args:
            env: All that the bot is given.
            hosts: Names with their addresses, as ``NAME:ADDRESS``.
            authority: The file with the authority that it is to trust.
        """
        docker = self._image.docker
        if self._made and dict(env) == self._env:
            return (docker, "start", "--attach", self._made[-1])
        self._env = dict(env)
        self._made.append(f"{self._name}-{len(self._made) + 1}")
        options = ["--network", "host", "--name", self._made[-1]]
        for name in env:
            options += ["--env", name]
        for host in hosts:
            options += ["--add-host", host]
        if authority is not None:
            options += ["--volume", f"{authority}:{_AUTHORITY}:ro"]
        return (docker, "run", *options, self._image.name, *self._words)

    @property
    def authority(self) -> str:
        """Where the bot finds the authority that it is to trust."""
        return _AUTHORITY

    async def kill(self) -> None:
        """Kill it, which a signal to docker's client does not; nothing happens where it has ended."""
        if self._made:
            await self._run("kill", self._made[-1])

    async def remove(self) -> None:
        """End it, and leave nothing of it."""
        if self._made:
            await self._run("rm", "--force", "--volumes", *self._made)

    async def _run(self, *words: str) -> None:
        nowhere = asyncio.subprocess.DEVNULL
        with suppress(OSError):
            process = await asyncio.create_subprocess_exec(
                self._image.docker, *words, stdin=nowhere, stdout=nowhere, stderr=nowhere
            )
            try:
                await asyncio.wait_for(process.wait(), _ASKED_WITHIN)
            except TimeoutError:
                process.kill()
                await process.wait()


def _refusal(argv: Sequence[str]) -> str:
    """Run a question; return what was said where it was not answered, empty where it was."""
    try:
        done = subprocess.run(  # noqa: S603  docker's client
            argv, capture_output=True, text=True, errors="replace", check=False, timeout=_ASKED_WITHIN
        )
    except subprocess.TimeoutExpired:
        return f"nothing came within {_ASKED_WITHIN:.0f} s"
    except OSError as exc:
        return exc.strerror or "it cannot be run"
    said = [line for line in done.stderr.splitlines() if line.strip()]
    return "" if done.returncode == 0 else (said[-1].strip() if said else f"exit code {done.returncode}")

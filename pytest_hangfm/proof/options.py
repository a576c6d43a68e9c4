"""The options of the proof, besides the plugin's ``--hangfm-bot``."""

from __future__ import annotations

import argparse
import os
import shlex
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

import pytest

from pytest_hangfm.proof.tiers import TIERS

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_hangfm.proof.tiers import Tier

__all__ = ["PROOF_OPTIONS", "REPORTER", "ProofOptions", "add_options", "read_options"]


PROOF_OPTIONS: Final[pytest.StashKey[ProofOptions]] = pytest.StashKey()
"""Where a run's `ProofOptions` are, once a bot is named."""
REPORTER: Final = "hangfm-proof"
"""Under this name the plugin that reports is registered."""
_FASTEST: Final = 60
"""Any faster, and a time-out of ten seconds is over before an answer can be there."""
_SEARCH: Final = 3.0
"""Minutes."""
_LONGEST_SEARCH: Final = 24 * 60
_NOT_WITH_REPLAY: Final = ("search", "quick", "long", "learn", "only")


@dataclass(frozen=True, slots=True)
class ProofOptions:
    """One run's options.

    Attributes:
        argv: The bot's command; that of a container may be empty.
        docker: The image that is started in the place of a program; or empty.
        tls: Whether Hang.fm's own names lead to the sandbox.
        tier: The tier asked for.
        quick: Whether only the quick scenarios are played.
        long: Whether those are played, too, that wait for minutes.
        speed: How many times faster the bot's clock goes in these; from 2 on they are played, too.
        profile: The file that says what the bot does, or ``None``: it is learnt.
        search: For how many minutes schedules of faults are searched.
        replay: The token of the one schedule that is played, and nothing else; or ``None``.
        learn: Whether the profile is learnt and written, and nothing else is done.
        report: The folder of the report, or ``None``.
        side_by_side: How many scenarios are played at once.
        searched_at_once: How many schedules are.
        only: Ids of the only scenarios to play; empty for all.
        alone: Whether the command in front prints: pytest keeps quiet then.
    """

    argv: tuple[str, ...]
    docker: str
    tls: bool
    tier: Tier
    quick: bool
    long: bool
    speed: int
    profile: Path | None
    search: float
    replay: str | None
    learn: bool
    report: Path | None
    side_by_side: int
    searched_at_once: int
    only: tuple[str, ...]
    alone: bool

    @property
    def command(self) -> str:
        """How the bot is named on the command line of `hangbot prove`."""
        own = [*(["--docker", self.docker] if self.docker else []), *(["--tls"] if self.tls else [])]
        return shlex.join([*own, *(["--", *self.argv] if self.argv else [])])


def add_options(parser: pytest.Parser) -> None:
    """Declare the options."""
    group = parser.getgroup("hangfm-proof", "the proof of a bot")
    add = group.addoption
    add(
        "--hangfm-proof-tier",
        default="silver",
        metavar="TIER",
        help="the tier that decides: " + ", ".join(TIERS),
    )
    add("--hangfm-proof-quick", action="store_true", help="only what takes under 5 s each")
    add("--hangfm-proof-long", action="store_true", help="also what waits for minutes")
    add(
        "--hangfm-proof-docker",
        default="",
        metavar="IMAGE",
        help="start this image on the host's network; --hangfm-bot is the command in it, if there is one",
    )
    add("--hangfm-proof-tls", action="store_true", help="let Hang.fm's own names lead to the sandbox")
    add(
        "--hangfm-proof-speed",
        type=int,
        default=1,
        metavar="N",
        help="also what waits for minutes, with a bot whose clock goes N times faster (faketime)",
    )
    add(
        "--hangfm-proof-search",
        metavar="MINUTES",
        help=f"how long schedules of faults are searched for one that the bot fails in ({_SEARCH:g}; 0: not)",
    )
    add("--hangfm-proof-replay", metavar="TOKEN", help="play this schedule, and nothing else")
    add("--hangfm-proof-profile", metavar="FILE", help="what the bot does, as TOML; else it is learnt")
    add("--hangfm-proof-learn", action="store_true", help="learn the profile, write it, and do nothing else")
    add("--hangfm-proof-report", metavar="DIR", help="write the report there")
    add("--hangfm-proof-side-by-side", type=int, metavar="N", help="how many are played at once")
    add(
        "--hangfm-proof-only",
        default="",
        metavar="IDS",
        help="only these scenarios (ids or families, by comma)",
    )
    add("--hangfm-proof-alone", action="store_true", help=argparse.SUPPRESS)


def read_options(config: pytest.Config, command: str) -> ProofOptions:
    """Read and check the options of a run.

    Args:
        config: Of the run.
        command: The bot's, as a shell would read it.

    Raises:
        pytest.UsageError: There is no bot, or a value is none of those possible.
    """
    option = config.getoption
    try:
        argv = tuple(shlex.split(command))
    except ValueError as exc:
        raise pytest.UsageError(f"--hangfm-bot: {exc}") from None
    docker = str(option("hangfm_proof_docker"))
    if not argv and not docker:
        raise pytest.UsageError('say which bot: --hangfm-bot "node bot.js"')
    tier = str(option("hangfm_proof_tier"))
    if tier not in TIERS:
        near = get_close_matches(tier, TIERS, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(TIERS)}"
        raise pytest.UsageError(f"there is no tier {tier!r}; {hint}")
    side_by_side = option("hangfm_proof_side_by_side")
    if side_by_side is not None and side_by_side < 1:
        raise pytest.UsageError("--hangfm-proof-side-by-side: give a number from 1 on")
    speed = int(option("hangfm_proof_speed"))
    if not 1 <= speed <= _FASTEST:
        raise pytest.UsageError(f"--hangfm-proof-speed: give a number from 1 to {_FASTEST}")
    minutes = option("hangfm_proof_search")
    _look_at_replay(config)
    at_once = side_by_side or 5 * (os.cpu_count() or 1)
    in_worker = hasattr(config, "workerinput")
    return ProofOptions(
        argv=argv,
        docker=docker,
        tls=bool(option("hangfm_proof_tls")),
        tier=tier if option("hangfm_proof_replay") is None else "platinum",
        quick=bool(option("hangfm_proof_quick")),
        long=bool(option("hangfm_proof_long")),
        speed=speed,
        search=_search(config) if minutes is None else _minutes(config, str(minutes)),
        replay=option("hangfm_proof_replay"),
        profile=_path(config, option("hangfm_proof_profile")),
        learn=bool(option("hangfm_proof_learn")),
        report=_folder(_path(config, option("hangfm_proof_report"))),
        side_by_side=1 if in_worker else at_once,
        searched_at_once=at_once,
        only=tuple(str(option("hangfm_proof_only")).replace(",", " ").split()),
        alone=bool(option("hangfm_proof_alone")),
    )


def _search(config: pytest.Config) -> float:
    """Return how long is searched where nothing is said of it."""
    chosen = str(config.getoption("hangfm_proof_only")).replace(",", " ").split()
    if config.getoption("hangfm_proof_quick") or (chosen and "search" not in chosen):
        return 0.0
    return _SEARCH


def _minutes(config: pytest.Config, text: str) -> float:
    """Read how long is to be searched.

    Raises:
        pytest.UsageError: It is no number of minutes, or goes with ``--quick``.
    """
    try:
        minutes = float(text)
    except ValueError:
        minutes = -1.0
    if not 0 <= minutes <= _LONGEST_SEARCH:
        raise pytest.UsageError(f"--hangfm-proof-search: give minutes from 0 to {_LONGEST_SEARCH}")
    if config.getoption("hangfm_proof_quick"):
        raise pytest.UsageError("--hangfm-proof-search: a quick run searches nothing; leave one of them out")
    return minutes


def _look_at_replay(config: pytest.Config) -> None:
    """Refuse what a replay cannot go with.

    Raises:
        pytest.UsageError: There is such an option.
    """
    option = config.getoption
    others = [name for name in _NOT_WITH_REPLAY if option(f"hangfm_proof_{name}")]
    if option("hangfm_proof_replay") is not None and others:
        raise pytest.UsageError(
            f"--hangfm-proof-replay plays one schedule and nothing else: leave out {others[0]}"
        )


def _path(config: pytest.Config, text: object) -> Path | None:
    return config.invocation_params.dir / str(text) if text else None


def _folder(path: Path | None) -> Path | None:
    """Refuse a folder that cannot be written before the bot is started, not after."""
    if path is None:
        return None
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / ".hangbot-prove"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as exc:
        raise pytest.UsageError(f"the report folder {path} cannot be written: {exc.strerror}") from None
    return path

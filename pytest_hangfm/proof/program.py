"""From the options of a run to the bot that it proves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_hangfm.proof.bot_process import BotProgram
from pytest_hangfm.proof.container import Image
from pytest_hangfm.proof.haste import Haste
from pytest_hangfm.proof.own_names import OwnNames

if TYPE_CHECKING:
    from pytest_hangfm.proof.options import ProofOptions

__all__ = ["program_of"]


def program_of(options: ProofOptions) -> BotProgram:
    """Look at the bot that a run names; start nothing of it.

    Raises:
        CannotStart: There is no such program or image.
        NotHere: It cannot be started here in the way that was asked for.
    """
    folder = Path.cwd()
    if options.docker:
        program = BotProgram(options.argv, folder, {}, copied=False, image=Image.find(options.docker))
    else:
        program = BotProgram.of(options.argv, folder, {})
    if options.tls:
        program = replace(program, names=OwnNames.find())
    return program if options.speed == 1 else replace(program, haste=_haste(options))


def _haste(options: ProofOptions) -> Haste | None:
    """Return how the bot's clock goes faster, or why it does not; ``None`` where it may take its time."""
    if options.docker:
        haste = Haste(options.speed, why_not="a container's clock cannot be made to go faster: use --long")
    else:
        haste = Haste.find(options.speed, options.argv)
    return None if haste.why_not and options.long else haste

"""A configuration is read once for a command, however many of its parts ask what it says."""

import os
from argparse import Namespace
from pathlib import Path

import pytest

from hangbot.cli.configured import configured
from hangbot.cli.context import load_settings


@pytest.mark.usefixtures("folder")
def test_of_a_pipe_each_part_of_a_command_has_the_same() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"ROOM_UUID=r\nBOT_USER_TOKEN=abc-def\nBOT_NAME=ada\n")
    os.close(writing)
    file = Path(f"/dev/fd/{reading}")
    args = Namespace(
        env_file=file, env_files=[file], read_configurations={}, log_format="text", log_level="info"
    )

    one, other, settings = configured(args, "ROOM_UUID"), configured(args, "BOT_NAME"), load_settings(args)

    os.close(reading)
    assert (one, other) == ("r", "ada")
    assert (settings.room_uuid, settings.bot_name) == ("r", "ada")

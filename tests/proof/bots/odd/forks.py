"""A sound bot, but that starts a program in a session of its own and does not end it."""

import asyncio
import subprocess
import sys

from tests.proof.bots.python.bot import main

_SLEEPS = "import signal\nwhile True: signal.pause()"

subprocess.Popen([sys.executable, "-c", _SLEEPS], start_new_session=True, stdout=subprocess.DEVNULL)  # noqa: S603  this very interpreter
sys.exit(asyncio.run(main()))

"""``python -m pytest_hangfm.simulation``: worlds in which hangbot's own bot lives; see ``--help``."""

import os
import sys

from hangbot.exit_codes import FAILED, INTERRUPTED
from pytest_hangfm.simulation.command import main
from pytest_hangfm.simulation.own import KINDS, RIG, draw

if __name__ == "__main__":
    try:
        code = main(sys.argv[1:], rig=RIG, draw=draw, kinds=KINDS)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:  # its reader has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = FAILED
    sys.exit(code)

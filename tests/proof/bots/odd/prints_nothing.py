"""A program that runs, prints nothing, and connects to nothing."""

import signal

while True:
    signal.pause()

"""A bot with addresses in its code, at which nothing listens."""

import socket
import sys
import time

while True:
    try:
        socket.create_connection(("127.0.0.1", 9), timeout=1).close()
    except OSError as exc:
        sys.stdout.write(f"no connection: {exc.strerror}\n")
        sys.stdout.flush()
    time.sleep(1)

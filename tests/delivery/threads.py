"""The threads of outboxes, for tests that see them end."""

import threading

from tests.bounds import WITHIN

__all__ = ["no_thread_is_left"]


def no_thread_is_left() -> bool:
    """Wait for the threads of all outboxes to end, and return whether they have."""
    threads = [thread for thread in threading.enumerate() if thread.name == "hangbot-outbox"]
    for thread in threads:
        thread.join(WITHIN)
    return not any(thread.is_alive() for thread in threads)

"""pytest plugin for Hang.fm bots: a sandbox, clients, bots, people, checks and an ACK recorder.

The fixtures are listed by ``pytest --fixtures``, the markers by ``pytest --markers``, the
options by ``pytest --help``. The types for annotations load on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from pytest_hangfm import fixtures, hooks
from pytest_hangfm.fixtures import *  # noqa: F403  a fixture is public by its module, see there
from pytest_hangfm.hooks import *  # noqa: F403  pytest finds the hooks here

if TYPE_CHECKING:
    from pytest_hangfm.contexts import FakeContext, MakeContext
    from pytest_hangfm.manual_clock import ManualClock
    from pytest_hangfm.process import BotProcess
    from pytest_hangfm.protocols import (
        Check,
        OpenApp,
        OpenBot,
        OpenChat,
        OpenCourier,
        OpenProcess,
        OpenRecording,
        OpenReplay,
        OpenRoom,
        OpenUser,
    )
    from pytest_hangfm.recorder import AckRecorder
    from pytest_hangfm.reporting.steps import hangfm_step
    from pytest_hangfm.room_log import RoomEvents, RoomLog
    from pytest_hangfm.sessions.record import Recording
    from pytest_hangfm.sessions.replay import Replay
    from pytest_hangfm.simulation.app_bot import AppBot

__all__ = [
    "AckRecorder",
    "AppBot",
    "BotProcess",
    "Check",
    "FakeContext",
    "MakeContext",
    "ManualClock",
    "OpenApp",
    "OpenBot",
    "OpenChat",
    "OpenCourier",
    "OpenProcess",
    "OpenRecording",
    "OpenReplay",
    "OpenRoom",
    "OpenUser",
    "Recording",
    "Replay",
    "RoomEvents",
    "RoomLog",
    "hangfm_step",
]
__all__ += fixtures.__all__
__all__ += hooks.__all__

_HOMES = {
    "AckRecorder": "recorder",
    "AppBot": "simulation.app_bot",
    "BotProcess": "process",
    "Check": "protocols",
    "FakeContext": "contexts",
    "MakeContext": "contexts",
    "ManualClock": "manual_clock",
    "OpenApp": "protocols",
    "OpenBot": "protocols",
    "OpenChat": "protocols",
    "OpenCourier": "protocols",
    "OpenProcess": "protocols",
    "OpenRecording": "protocols",
    "OpenReplay": "protocols",
    "OpenRoom": "protocols",
    "OpenUser": "protocols",
    "Recording": "sessions.record",
    "Replay": "sessions.replay",
    "RoomEvents": "room_log",
    "RoomLog": "room_log",
    "hangfm_step": "reporting.steps",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'pytest_hangfm' has no attribute {name!r}")
    value = getattr(import_module(f"pytest_hangfm.{_HOMES[name]}"), name)
    globals()[name] = value
    return value

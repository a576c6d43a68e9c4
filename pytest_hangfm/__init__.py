"""pytest plugin for Hang.fm bots: a sandbox, clients, bots, people, checks and an ACK recorder.

The fixtures are listed by ``pytest --fixtures``, the markers by ``pytest --markers``, the
options by ``pytest --help``. The types for annotations load on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from pytest_hangfm.fixtures import (
    hangfm_acks,
    hangfm_allow_unknown_requests,
    hangfm_allow_unused_faults,
    hangfm_bot,
    hangfm_chat,
    hangfm_check,
    hangfm_clock,
    hangfm_courier,
    hangfm_gateway,
    hangfm_no_leaks,
    hangfm_open_bot,
    hangfm_open_chat,
    hangfm_open_courier,
    hangfm_open_process,
    hangfm_open_room,
    hangfm_open_user,
    hangfm_outbox,
    hangfm_record,
    hangfm_replay,
    hangfm_room,
    hangfm_room_events,
    hangfm_room_log,
    hangfm_sandbox,
    hangfm_sandbox_options,
    hangfm_settings,
    hangfm_target,
    hangfm_user,
    hangfm_virtual_time,
)
from pytest_hangfm.hooks import (
    pytest_addoption,
    pytest_collection,
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_pycollect_makeitem,
    pytest_report_header,
    pytest_runtest_call,
    pytest_runtest_makereport,
    pytest_runtest_protocol,
    pytest_runtest_setup,
    pytest_runtest_teardown,
)

if TYPE_CHECKING:
    from pytest_hangfm.manual_clock import ManualClock
    from pytest_hangfm.process import BotProcess
    from pytest_hangfm.protocols import (
        Check,
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

__all__ = [
    "AckRecorder",
    "BotProcess",
    "Check",
    "ManualClock",
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
    "hangfm_acks",
    "hangfm_allow_unknown_requests",
    "hangfm_allow_unused_faults",
    "hangfm_bot",
    "hangfm_chat",
    "hangfm_check",
    "hangfm_clock",
    "hangfm_courier",
    "hangfm_gateway",
    "hangfm_no_leaks",
    "hangfm_open_bot",
    "hangfm_open_chat",
    "hangfm_open_courier",
    "hangfm_open_process",
    "hangfm_open_room",
    "hangfm_open_user",
    "hangfm_outbox",
    "hangfm_record",
    "hangfm_replay",
    "hangfm_room",
    "hangfm_room_events",
    "hangfm_room_log",
    "hangfm_sandbox",
    "hangfm_sandbox_options",
    "hangfm_settings",
    "hangfm_step",
    "hangfm_target",
    "hangfm_user",
    "hangfm_virtual_time",
    "pytest_addoption",
    "pytest_collection",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_pycollect_makeitem",
    "pytest_report_header",
    "pytest_runtest_call",
    "pytest_runtest_makereport",
    "pytest_runtest_protocol",
    "pytest_runtest_setup",
    "pytest_runtest_teardown",
]

_HOMES = {
    "AckRecorder": "recorder",
    "BotProcess": "process",
    "Check": "protocols",
    "ManualClock": "manual_clock",
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

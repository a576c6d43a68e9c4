"""Hang.fm on 127.0.0.1: room socket, chat and gateway over real sockets, steerable.

It imports nothing of hangbot but ``errors`` and ``redact``: a fake that shared the client's
code would agree with its mistakes.
"""

from hangbot.sandbox.actors import Actor, Users
from hangbot.sandbox.authority import TRUST, Certified, certify
from hangbot.sandbox.chat.dialects import COMETCHAT, OPENCHAT, SRECHAT, Dialect
from hangbot.sandbox.chat.rules import ChatRefusal, ChatRules
from hangbot.sandbox.chat_tokens import ChatTokenRules
from hangbot.sandbox.clock import SandboxClock
from hangbot.sandbox.faults import Fault, Faults
from hangbot.sandbox.hosts import host_names
from hangbot.sandbox.journal import Journal
from hangbot.sandbox.opening import open_sandbox
from hangbot.sandbox.people import Identity, Person
from hangbot.sandbox.room.room import ActionRefused, Room
from hangbot.sandbox.room.variants import RoomVariants
from hangbot.sandbox.sandbox import Sandbox
from hangbot.sandbox.websocket_server import ServedSocket, serve_websocket

__all__ = [
    "COMETCHAT",
    "OPENCHAT",
    "SRECHAT",
    "TRUST",
    "ActionRefused",
    "Actor",
    "Certified",
    "ChatRefusal",
    "ChatRules",
    "ChatTokenRules",
    "Dialect",
    "Fault",
    "Faults",
    "Identity",
    "Journal",
    "Person",
    "Room",
    "RoomVariants",
    "Sandbox",
    "SandboxClock",
    "ServedSocket",
    "Users",
    "certify",
    "host_names",
    "open_sandbox",
    "serve_websocket",
]

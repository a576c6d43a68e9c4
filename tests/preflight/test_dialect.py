"""CHAT_DIALECT says which chat server it must be; preflight finds the other one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from hangbot.config import Settings
from hangbot.errors import ConfigError
from hangbot.factory import open_subject
from hangbot.preflight import chat_token, run_check
from hangbot.sandbox import open_sandbox

if TYPE_CHECKING:
    from hangbot.preflight import CheckResult
    from hangbot.sandbox import Sandbox
    from hangbot.sandbox.chat.dialects import DialectName

NAMES = {"openchat": "OpenChat", "cometchat": "CometChat"}


async def checked_as(told: str, sandbox: Sandbox) -> CheckResult:
    settings = Settings.from_env({"COMETCHAT_APPID": "any"} | sandbox.env() | {"CHAT_DIALECT": told})
    async with open_subject(settings) as context:
        return await run_check(chat_token, context)


@pytest.mark.parametrize("served", ["openchat", "cometchat"])
@pytest.mark.parametrize("told", ["auto", "openchat", "cometchat"])
async def test_the_other_server_is_rejected_by_name_and_auto_takes_both(
    served: DialectName, told: str
) -> None:
    async with open_sandbox(dialect=served) as sandbox:
        result = await checked_as(told, sandbox)

    if told in {"auto", served}:
        assert result.verdict == "ok"
    else:
        assert (result.verdict, result.code) == ("rejected", 1)
        assert result.message.endswith(f"speaks as {NAMES[served]} does, CHAT_DIALECT says {told}")
        assert "CHAT_DIALECT" in result.remedy


def test_cometchat_wants_an_app_id() -> None:
    words = re.escape("CHAT_DIALECT (environment): cometchat needs COMETCHAT_APPID")

    with pytest.raises(ConfigError, match=words):
        Settings.from_env({"BOT_USER_TOKEN": "t", "ROOM_UUID": "r", "CHAT_DIALECT": "cometchat"})


@pytest.mark.parametrize(
    ("served", "code", "other"),
    [("openchat", "ERR_NO_AUTH", "cometchat"), ("cometchat", "AUTH_ERR_AUTH_TOKEN_NOT_FOUND", "openchat")],
)
async def test_the_other_server_is_known_by_its_refusal(served: DialectName, code: str, other: str) -> None:
    async with open_sandbox(dialect=served) as sandbox:
        refusal = {"error": {"code": code, "message": "No."}}
        sandbox.faults.add("chat.me", "status", status=401, body=refusal, times=0)
        result = await checked_as(other, sandbox)

    assert result.message.endswith(f"speaks as {NAMES[served]} does, CHAT_DIALECT says {other}")

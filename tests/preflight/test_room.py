from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hangbot.factory import open_subject
from hangbot.preflight import CHECKS, CheckResult, run_check
from hangbot.sandbox.room.variants import RoomVariants

if TYPE_CHECKING:
    from hangbot.config import Settings
    from hangbot.sandbox import Sandbox

BY_ID = {question.id: question for question in CHECKS}


async def asked(name: str, settings: Settings, **changes: Any) -> CheckResult:  # noqa: ANN401  settings of any kind
    async with open_subject(settings.with_changes(**changes)) as subject:
        return await run_check(BY_ID[name], subject)


async def test_an_upgrade_that_is_not_answered_is_not_a_host_that_is_away(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    hangfm_sandbox.faults.add("room.connect", "hang")

    result = await asked("room.connect", hangfm_settings, connect_timeout=0.1)

    assert (result.verdict, result.message) == (
        "cannot_tell",
        (
            f"no connection to {hangfm_sandbox.room_url} in 0.1 s: "
            "the host is reached, but does not answer the upgrade to a websocket"
        ),
    )
    assert "SOCKET_SERVER_URL" in result.remedy


@pytest.mark.parametrize("hangfm_sandbox_options", [{"variants": RoomVariants(bad_token="handshake")}])
@pytest.mark.usefixtures("hangfm_sandbox")
async def test_a_token_that_the_room_refuses_is_rejected(hangfm_settings: Settings) -> None:
    result = await asked("room.connect", hangfm_settings, ttfm_api_token="opaque")

    assert (result.verdict, "refused the connection with status 401" in result.message) == ("rejected", True)
    assert result.remedy.startswith("Renew BOT_USER_TOKEN (or TTFM_API_TOKEN")


@pytest.mark.parametrize("hangfm_sandbox_options", [{"variants": RoomVariants(spec=False)}])
@pytest.mark.usefixtures("hangfm_sandbox")
async def test_a_server_that_does_not_tell_its_heartbeat_is_a_note(hangfm_settings: Settings) -> None:
    result = await asked("room.heartbeat", hangfm_settings)

    assert (result.verdict, result.message) == (
        "ok",
        "the room server does not tell its heartbeat (/primus/spec is off); every 30 s is taken for granted",
    )


async def test_a_password_of_the_address_is_not_shown(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    url = hangfm_sandbox.room_url.replace("://", "://me:hunter22@")

    result = await asked("room.heartbeat", hangfm_settings, room_url=url)

    assert "hunter22" not in result.message
    assert result.verdict == "ok"


async def test_where_the_gateway_cannot_be_asked_the_rooms_own_words_are_all_there_is(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    hangfm_sandbox.faults.add("room.joinRoom", "status", body="not today")
    hangfm_sandbox.faults.add("gateway.*", "refuse")

    result = await asked("room.joined", hangfm_settings)

    assert (result.verdict, result.message) == (
        "rejected",
        (
            "the room refused joinRoom (not today); "
            "these are the server's own words, and the gateway tells no cause"
        ),
    )


@pytest.mark.parametrize(("guests", "says"), [(0, "0 others"), (1, "1 other"), (2, "2 others")])
async def test_company_is_counted_in_words(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings, guests: int, says: str
) -> None:
    for number in range(guests):
        await hangfm_sandbox.users.add(f"guest {number}").join()

    result = await asked("room.joined", hangfm_settings)

    assert result.message.endswith(f" with {says}")

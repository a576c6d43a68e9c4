from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from hangbot.errors import (
    AckTimeout,
    ConnectionLost,
    NotFound,
    Refused,
    ServiceError,
    TokenRejected,
    Unavailable,
)
from hangbot.factory import open_gateway
from pytest_hangfm.manual_clock import ManualClock

if TYPE_CHECKING:
    from hangbot.config import Settings
    from hangbot.hangfm.gateway import GatewayClient
    from hangbot.sandbox import Sandbox

DAY = 86_400


def own(status: int, message: str = "no") -> dict[str, Any]:
    """A refusal in the gateway's own words."""
    return {"status": status, "body": {"statusCode": status, "message": message}}


async def test_the_bots_token_is_exchanged_for_the_chats(
    hangfm_sandbox: Sandbox, hangfm_gateway: GatewayClient
) -> None:
    token = await hangfm_gateway.exchange_token()

    assert token == hangfm_sandbox.bot.chat_token


@pytest.mark.parametrize(
    ("fault", "kind", "says", "remedy"),
    [
        pytest.param(own(401), TokenRejected, "another 3650 days", "Renew BOT_USER_TOKEN", id="401"),
        pytest.param(own(403), TokenRejected, "refused the token", "Renew BOT_USER_TOKEN", id="403"),
        pytest.param({"status": 401}, Unavailable, "status 401", "GATEWAY", id="an empty 401"),
        pytest.param({"status": 403, "body": "<html>"}, Unavailable, "403", "GATEWAY", id="a firewall's 403"),
        pytest.param(
            {"status": 403, "body": {"statusCode": 401, "message": "no"}},
            Unavailable,
            "403",
            "GATEWAY",
            id="words about another status",
        ),
        pytest.param({"status": 500}, Unavailable, "status 500", "wait", id="500"),
        pytest.param(
            {"status": 503, "body": "<html>"}, Unavailable, "status 503", "wait", id="a proxy's 503"
        ),
        pytest.param(own(503), Unavailable, "status 503", "wait", id="its own 503"),
        pytest.param(own(429), Unavailable, "status 429", "wait", id="429"),
        pytest.param(own(400), Refused, "status 400", "own words", id="400"),
        pytest.param(
            {"status": 302, "headers": {"Location": "/login"}}, Unavailable, "302", "GATEWAY", id="a redirect"
        ),
        pytest.param({"status": 404, "body": "<html>"}, Unavailable, "404", "GATEWAY", id="404 of a proxy"),
        pytest.param(own(404, "Cannot GET /api"), NotFound, "Cannot GET", "id", id="404"),
        pytest.param({"status": 200, "body": "<html>"}, Unavailable, "no JSON object", "GATEWAY", id="HTML"),
        pytest.param({"status": 200, "body": ""}, Unavailable, "no JSON object", "GATEWAY", id="empty"),
        pytest.param({"status": 200, "body": [1]}, Unavailable, "no JSON object", "GATEWAY", id="a list"),
        pytest.param({"status": 200, "body": "[" * 9999}, Unavailable, "no JSON", "GATEWAY", id="too deep"),
        pytest.param({"status": 200, "body": {"x": 1}}, Unavailable, "cometAuthToken", "", id="no field"),
        pytest.param(
            {"status": 200, "body": {"cometAuthToken": 7}}, Unavailable, "cometAuthToken", "", id="a number"
        ),
        pytest.param(
            {"status": 200, "body": {"cometAuthToken": ""}}, Unavailable, "cometAuthToken", "", id="nothing"
        ),
        pytest.param(
            {"status": 200, "body": {"cometAuthToken": "a\r\nb: c"}}, Unavailable, "usable", "", id="a header"
        ),
        pytest.param(
            {"status": 200, "body": {"cometAuthToken": "clé"}}, Unavailable, "usable", "", id="not ASCII"
        ),
    ],
)
async def test_an_exchange_that_fails_says_why_and_what_to_do(
    fault: dict[str, Any],
    kind: type[ServiceError],
    says: str,
    remedy: str,
    hangfm_sandbox: Sandbox,
    hangfm_gateway: GatewayClient,
) -> None:
    hangfm_sandbox.faults.add("gateway.token", "status", **fault)

    with pytest.raises(ServiceError, match=says) as refused:
        await hangfm_gateway.exchange_token()

    assert type(refused.value) is kind
    assert remedy in refused.value.remedy
    assert hangfm_sandbox.bot.token not in f"{refused.value!r} {refused.value.remedy}"


@pytest.mark.parametrize(
    ("deed", "kind"),
    [
        ("refuse", ConnectionLost),
        ("cut_before_store", ConnectionLost),
        ("cut_after_store", ConnectionLost),
        ("hang", AckTimeout),
        ("garbage", Unavailable),
    ],
)
async def test_an_exchange_without_an_answer_may_be_made_again(
    deed: str, kind: type[ServiceError], hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    fault = hangfm_sandbox.faults.add("gateway.token", deed)
    clock = ManualClock()

    async with open_gateway(hangfm_settings, clock=clock) as gateway:
        asking = asyncio.create_task(gateway.exchange_token(), name="exchange")
        await hangfm_sandbox.journal.wait_for(lambda row: row.get("fault") == fault.id)
        if kind is AckTimeout:
            await clock.advance(hangfm_settings.ack_timeout)
        with pytest.raises(kind) as failed:
            await asking

        assert failed.value.retryable
        assert await gateway.exchange_token()


@pytest.mark.parametrize(
    ("lifetime", "words"),
    [
        pytest.param(-3 * DAY, "expired 3 days ago", id="days ago"),
        pytest.param(-2 * 3600, "expired 2.0 hours ago", id="hours ago"),
    ],
)
async def test_an_expired_token_is_named_with_its_age(
    lifetime: float, words: str, hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    token = hangfm_sandbox.people.issue(hangfm_sandbox.bot.uid, lifetime_s=lifetime)

    async with open_gateway(hangfm_settings.with_changes(bot_user_token=token)) as gateway:
        with pytest.raises(TokenRejected, match=words):
            await gateway.exchange_token()


async def test_a_token_that_is_no_jwt_is_named_as_that(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    async with open_gateway(hangfm_settings.with_changes(bot_user_token="something-else")) as gateway:
        with pytest.raises(TokenRejected, match="BOT_USER_TOKEN is no JWT"):
            await gateway.exchange_token()

    assert hangfm_sandbox.journal.events(service="gateway", dir="in")


async def test_the_gateways_words_are_shown_on_one_line_without_the_token_that_they_echo(
    hangfm_sandbox: Sandbox, hangfm_settings: Settings
) -> None:
    token = "a-token-of-no-known-shape"
    hangfm_sandbox.faults.add("gateway.token", "status", **own(400, f"who is\n{token}?" + "!" * 1000))

    async with open_gateway(hangfm_settings.with_changes(bot_user_token=token)) as gateway:
        with pytest.raises(Refused, match=r"who is <masked>\?!") as refused:
            await gateway.exchange_token()

    assert token not in str(refused.value)
    assert len(str(refused.value)) < 300


async def test_a_room_is_found_by_its_uuid_and_by_its_slug(
    hangfm_sandbox: Sandbox, hangfm_gateway: GatewayClient
) -> None:
    by_uuid = await hangfm_gateway.room(hangfm_sandbox.room_uuid)
    by_slug = await hangfm_gateway.room(hangfm_sandbox.room_slug)

    assert by_uuid["uuid"] == by_slug["uuid"] == hangfm_sandbox.room_uuid


@pytest.mark.parametrize("room", ["nowhere", "a/b?c#d e", "00000000-0000-4000-8000-000000000000"])
async def test_an_unknown_room_is_not_found_whatever_its_name(
    room: str, hangfm_gateway: GatewayClient
) -> None:
    with pytest.raises(NotFound, match="room"):
        await hangfm_gateway.room(room)


async def test_the_profile_is_the_bots_own(hangfm_sandbox: Sandbox, hangfm_gateway: GatewayClient) -> None:
    profile = await hangfm_gateway.profile()

    assert profile["uuid"] == hangfm_sandbox.bot.uid

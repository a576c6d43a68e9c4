import base64
import json
import math

import pytest

from hangbot.errors import NotFound, Refused, ServiceError, TokenRejected, Unavailable
from hangbot.hangfm.wire import gateway
from tests.cases import cases, rows

NOW, DAY = 1_795_347_777.0, 86_400.0
HTML = b"<html>"
TOKEN = "a-token-of-no-known-shape"
RENEW, ADDRESS, WAIT = "Renew BOT_USER_TOKEN", "TTFM_GATEWAY_BASE_URL", "wait"


def jwt(**claims: object) -> str:
    return f"a.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.c"


def own(status: int, message: object = "no") -> bytes:
    """A refusal in the gateway's own words."""
    return json.dumps({"statusCode": status, "message": message}).encode()


def refused(status: int, body: bytes, *, token: str = TOKEN, **headers: str) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        gateway.read_document(status, headers, body, what="it", token=token, now=NOW)
    assert caught.value.service == "gateway"
    assert token not in f"{caught.value!r} {caught.value.remedy}"
    return caught.value


@cases(
    "status body kind says remedy",
    ("401", 401, own(401), TokenRejected, "refused it (status 401: no)", RENEW),
    ("403", 403, own(403), TokenRejected, "refused it (status 403: no)", RENEW),
    ("403, its words no text", 403, own(403, [1]), TokenRejected, "refused it (status 403)", RENEW),
    ("an empty 401", 401, b"", Unavailable, "status 401", ADDRESS),
    ("a firewall's 403", 403, HTML, Unavailable, "403 and nothing of its own to read", ADDRESS),
    ("words about another status", 403, own(401), Unavailable, "403", ADDRESS),
    ("a status that is true", 401, b'{"statusCode": true, "message": ""}', Unavailable, "401", ADDRESS),
    ("500", 500, b"", Unavailable, "status 500", WAIT),
    ("a proxy's 503", 503, HTML, Unavailable, "status 503", WAIT),
    ("its own 503", 503, own(503), Unavailable, "status 503", WAIT),
    ("429", 429, own(429), Unavailable, "status 429", WAIT),
    ("400", 400, own(400), Refused, "status 400", "own words"),
    ("a redirect", 302, b"", Unavailable, "302", ADDRESS),
    ("404 of a proxy", 404, HTML, Unavailable, "404", ADDRESS),
    ("404", 404, own(404, "Cannot GET /api"), NotFound, "found nothing for it (status 404: Cannot GET", "id"),
    ("HTML", 200, HTML, Unavailable, "no JSON object", ADDRESS),
    ("empty", 200, b"", Unavailable, "no JSON object", ADDRESS),
    ("a list", 200, b"[1]", Unavailable, "no JSON object", ADDRESS),
    ("too deep", 200, b"[" * 9999, Unavailable, "no JSON object", ADDRESS),
)
def test_own_words_refuse(status: int, body: bytes, kind: type[ServiceError], says: str, remedy: str) -> None:
    error = refused(status, body)

    assert type(error) is kind
    assert says in str(error)
    assert remedy in error.remedy


@rows(
    "token says",
    (jwt(exp=NOW - 3 * DAY), "expired 3 days ago"),
    (jwt(exp=NOW - 7200), "expired 2.0 hours ago"),
    (jwt(exp=NOW + 9 * DAY), "is valid for another 9 days by its own words"),
    (jwt(), "names no expiry"),
    ("something-else", "is no JWT"),
)
def test_a_refused_token_is_named_with_its_age(token: str, says: str) -> None:
    assert str(refused(401, own(401), token=token)).endswith(f"; BOT_USER_TOKEN {says}")


def test_the_gateways_words_are_shown_on_one_line_without_the_token_that_they_echo() -> None:
    error = refused(400, own(400, f"who is\n{TOKEN}?" + "!" * 1000))

    assert "who is <masked>?!" in str(error)
    assert len(str(error)) < 300


def test_a_wait_that_cannot_be_kept_is_named() -> None:
    error = refused(503, b"", **{"retry-after": "999999"})

    assert error.retry_after == math.inf
    assert "its Retry-After (999999)" in str(error)


@pytest.mark.parametrize("token", [None, 7, "", "a\r\nb: c", "clé", "x" * 9000])
def test_a_chat_token_that_cannot_stand_in_a_header_is_none(token: object) -> None:
    with pytest.raises(Unavailable, match="without a usable `cometAuthToken`"):
        gateway.read_chat_token({"cometAuthToken": token})


@rows(
    "room path",
    ("6b33095f-be3b-4ca5-a57f-f8778b1eb9a7", "uuid/6b33095f-be3b-4ca5-a57f-f8778b1eb9a7"),
    ("a/b?c#d e", "a%2Fb%3Fc%23d%20e"),
)
def test_a_room_is_looked_for_by_its_uuid_or_its_slug(room: str, path: str) -> None:
    assert gateway.room_path(room) == f"/api/room-service/rooms/{path}"

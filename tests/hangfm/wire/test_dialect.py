from __future__ import annotations

from hangbot.hangfm.wire.dialect import of_error, of_me
from tests.cases import cases


@cases(
    "me server",
    ("OpenChat", {"uid": "b", "wsChannel": "user_b", "fat": "x", "jwt": "y"}, "openchat"),
    ("a successor of it", {"uid": "b", "authToken": "x", "wsChannel": "user_b"}, "openchat"),
    ("CometChat", {"uid": "b", "name": "B", "status": "x", "role": "y"}, "cometchat"),
    ("its login", {"uid": "b", "jwt": "y", "wsChannel": {"identity": "[a]b"}}, "cometchat"),
    ("neither", {"uid": "b", "jwt": "y"}, None),
    ("too little", {"uid": "b", "name": "B"}, None),
    ("nothing", {}, None),
)
def test_the_own_user_tells_whose_it_is(me: dict[str, object], server: str | None) -> None:
    assert of_me(me) == server


@cases(
    "error server",
    ("OpenChat", {"code": "ERR_NO_AUTH", "name": "ERR_NO_AUTH"}, "openchat"),
    ("by its name", {"code": "ERR_FORBIDDEN", "name": "ERR_FORBIDDEN"}, "openchat"),
    ("CometChat", {"code": "AUTH_ERR_EMPTY_APPID"}, "cometchat"),
    ("by its devMessage", {"code": "ERR_UID_NOT_FOUND", "devMessage": "x"}, "cometchat"),
    ("both have it", {"code": "ERR_UID_NOT_FOUND", "message": "x"}, None),
    ("no code", {"code": 7}, None),
)
def test_an_error_tells_whose_it_is(error: dict[str, object], server: str | None) -> None:
    assert of_error(error) == server

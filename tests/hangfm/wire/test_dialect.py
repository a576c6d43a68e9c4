from __future__ import annotations

import pytest

from hangbot.hangfm.wire.dialect import of_error, of_me


@pytest.mark.parametrize(
    ("me", "server"),
    [
        pytest.param({"uid": "b", "wsChannel": "user_b", "fat": "x", "jwt": "y"}, "openchat", id="OpenChat"),
        pytest.param(
            {"uid": "b", "authToken": "x", "wsChannel": "user_b"}, "openchat", id="a successor of it"
        ),
        pytest.param({"uid": "b", "name": "B", "status": "x", "role": "y"}, "cometchat", id="CometChat"),
        pytest.param(
            {"uid": "b", "jwt": "y", "wsChannel": {"identity": "[a]b"}}, "cometchat", id="its login"
        ),
        pytest.param({"uid": "b", "jwt": "y"}, None, id="neither"),
        pytest.param({"uid": "b", "name": "B"}, None, id="too little"),
        pytest.param({}, None, id="nothing"),
    ],
)
def test_the_own_user_tells_whose_it_is(me: dict[str, object], server: str | None) -> None:
    assert of_me(me) == server


@pytest.mark.parametrize(
    ("error", "server"),
    [
        pytest.param({"code": "ERR_NO_AUTH", "name": "ERR_NO_AUTH"}, "openchat", id="OpenChat"),
        pytest.param({"code": "ERR_FORBIDDEN", "name": "ERR_FORBIDDEN"}, "openchat", id="by its name"),
        pytest.param({"code": "AUTH_ERR_EMPTY_APPID"}, "cometchat", id="CometChat"),
        pytest.param({"code": "ERR_UID_NOT_FOUND", "devMessage": "x"}, "cometchat", id="by its devMessage"),
        pytest.param({"code": "ERR_UID_NOT_FOUND", "message": "x"}, None, id="both have it"),
        pytest.param({"code": 7}, None, id="no code"),
    ],
)
def test_an_error_tells_whose_it_is(error: dict[str, object], server: str | None) -> None:
    assert of_error(error) == server

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangbot.claims import Claims, read_claims

UID = "0e3bd4b8-2d5f-4c0a-9d0a-5f3b1f6a7c11"


def jwt(payload: object) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(payload)}.c2lnbmF0dXJl"


def test_a_bot_token_tells_whom_it_names_and_until_when() -> None:
    token = jwt(
        {"id": "other", "sub": UID, "role": "bot", "type": "user", "iat": 1700000000, "exp": 2015360000.5}
    )

    claims = read_claims(token)

    assert claims == Claims(uid=UID, role="bot", expires_at=2015360000.5, issued_at=1700000000.0)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        pytest.param({"id": UID}, Claims(UID, None, None, None), id="id stands in for sub"),
        pytest.param({"sub": "", "id": UID}, Claims(UID, None, None, None), id="an empty sub is none"),
        pytest.param({"sub": 7, "role": ["bot"]}, Claims(None, None, None, None), id="claims of other types"),
        pytest.param({"exp": "soon", "iat": True}, Claims(None, None, None, None), id="times that are none"),
        pytest.param({"exp": 10**400}, Claims(None, None, None, None), id="a time beyond every float"),
        pytest.param({"exp": float("inf")}, Claims(None, None, None, None), id="an endless time"),
        pytest.param({}, Claims(None, None, None, None), id="no claims at all"),
    ],
)
def test_a_claim_that_is_missing_or_odd_is_none(payload: object, expected: Claims) -> None:
    claims = read_claims(jwt(payload))

    assert claims == expected


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("auth_abcdefghijklmnop", id="a chat token"),
        pytest.param("a.b", id="two parts"),
        pytest.param("a.b.c.d", id="four parts"),
        pytest.param("a.b.c", id="no base64"),
        pytest.param("a.é.c", id="not ASCII"),
        pytest.param("a.AAAA.c", id="no JSON"),
        pytest.param("a._____w.c", id="no UTF-8"),
        pytest.param(jwt([UID]), id="a list"),
        pytest.param("a." + base64.urlsafe_b64encode(b"[" * 100_000).decode() + ".c", id="very deep"),
        pytest.param(
            "a." + base64.urlsafe_b64encode(b"9" * 5_000).decode() + ".c", id="a number too long to read"
        ),
    ],
)
def test_text_that_is_no_token_has_no_claims(text: str) -> None:
    claims = read_claims(text)

    assert claims is None


@given(
    st.text(),
    st.binary()
    | st.recursive(st.none() | st.floats() | st.text(max_size=9), st.lists).map(
        lambda value: json.dumps(value).encode()
    ),
)
def test_nothing_makes_it_raise(text: str, payload: bytes) -> None:
    for token in (text, f"e30.{base64.urlsafe_b64encode(payload).decode()}.c2ln"):
        claims = read_claims(token)

        assert claims is None or isinstance(claims, Claims)


@given(
    st.dictionaries(
        st.sampled_from(["sub", "id", "role", "exp", "iat"]),
        st.text() | st.integers() | st.floats() | st.none(),
    )
)
def test_whatever_the_claims_hold_they_are_read(payload: dict[str, object]) -> None:
    assert read_claims(jwt(payload)) is not None

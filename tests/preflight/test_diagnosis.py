import errno
import socket
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangbot.hangfm.http import HttpResponse
from hangbot.preflight import diagnosis

WHERE = "chat.example:443"
SETTING = "OPENCHAT_BASE_URL"


def certificate_error(code: int, words: str = "?") -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, words)
    error.verify_code, error.verify_message = code, words
    return error


def tls_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, reason)
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "says"),
    [
        pytest.param(OSError(errno.ENETUNREACH, "Network is unreachable"), "there is no way to", id="no way"),
        pytest.param(ConnectionRefusedError(111, "refused"), "refuses connections", id="refused"),
        pytest.param(TimeoutError(), "does not answer (TCP) in 2 s", id="silent"),
    ],
)
def test_connections_fail_in_words_of_their_own(error: OSError, says: str) -> None:
    cause = diagnosis.of_connect(error, WHERE, SETTING, 2.0)

    assert says in cause.message
    assert WHERE in cause.message
    assert cause.remedy


def test_no_two_failures_of_tls_read_alike() -> None:
    errors: list[Exception] = [
        *(certificate_error(code) for code in (9, 10, 18, 20, 62, 23)),
        tls_error("WRONG_VERSION_NUMBER"),
        tls_error("TLSV1_ALERT_PROTOCOL_VERSION"),
        TimeoutError(),
        ConnectionResetError(),
    ]

    found = [diagnosis.of_tls(error, WHERE, SETTING, 1.0) for error in errors]

    assert len({cause.message for cause in found}) == len(found)
    assert all(cause.remedy for cause in found)


def test_a_name_that_does_not_exist_is_not_a_name_server_that_is_silent() -> None:
    unknown = diagnosis.of_lookup(socket.gaierror(socket.EAI_NONAME, "unknown"), "chat.example", SETTING)
    silent = diagnosis.of_lookup(socket.gaierror(socket.EAI_AGAIN, "again"), "chat.example", SETTING)

    assert unknown.message == "chat.example does not exist (DNS: unknown)"
    assert silent.message == "no name server answers the question for chat.example (DNS)"


@pytest.mark.parametrize(
    ("kind", "body", "what"),
    [
        pytest.param("text/html; charset=utf-8", b"", "a web page", id="by its type"),
        pytest.param("", b"\n <!DOCTYPE html>", "a web page", id="by its look"),
        pytest.param("text/plain", b"hello", "text", id="text"),
        pytest.param("", b"", "nothing", id="nothing"),
        pytest.param("application/json", b'{"a":1}', "JSON of another kind", id="json"),
        pytest.param(
            "application/json",
            b'{"statusCode":404}',
            "the words of another service (a gateway speaks like that)",
            id="gateway",
        ),
    ],
)
def test_what_answered_is_told(kind: str, body: bytes, what: str) -> None:
    assert diagnosis.what_answered(HttpResponse(200, {"content-type": kind}, body)) == what


@given(st.binary(max_size=200))
def test_whatever_answered_is_something(body: bytes) -> None:
    assert diagnosis.what_answered(HttpResponse(200, {}, body))


@pytest.mark.parametrize(
    ("token", "cometchat", "openchat"),
    [
        ("0f2a-bc_17123456780123456789abcdef", True, False),
        ("auth_" + "0123456789abcdef" * 2, False, True),
        ("eyJhbGciOiJIUzI1NiJ9.e30.sig", False, False),
        ("opaque", False, False),
    ],
)
def test_tokens_are_told_apart_by_their_look(token: str, cometchat: bool, openchat: bool) -> None:  # noqa: FBT001  columns of the table
    assert diagnosis.looks_like_cometchat_token(token) is cometchat
    assert diagnosis.looks_like_chat_token(token) is openchat

import errno
import socket
import ssl
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangbot.hangfm.http import HttpResponse
from hangbot.preflight import diagnosis

WHERE = "chat.example:443"
SETTING = "OPENCHAT_BASE_URL"
CAUSES: Final = {
    name: lines
    for block in (Path(__file__).parent / "samples" / "network.txt").read_text(encoding="utf-8").split("\n\n")
    for name, *lines in [block.strip().split("\n")]
}
"""Each failure as an operator sees it."""


def certificate_error(code: int, words: str = "?") -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, words)
    error.verify_code, error.verify_message = code, words
    return error


def tls_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, reason)
    error.reason = reason
    return error


def lookup(code: int, words: str) -> diagnosis.Cause:
    return diagnosis.of_lookup(socket.gaierror(code, words), "chat.example", SETTING)


def connect(error: OSError, where: str = WHERE, setting: str = SETTING) -> diagnosis.Cause:
    return diagnosis.of_connect(error, where, setting, 2.0)


def tls(error: Exception) -> diagnosis.Cause:
    return diagnosis.of_tls(error, WHERE, SETTING, 2.0)


def proxy(status: int | None) -> diagnosis.Cause:
    return diagnosis.of_proxy(status, WHERE, "proxy:3128", "HTTPS_PROXY")


FOUND: Final = {
    "no such name": lookup(socket.EAI_NONAME, "unknown"),
    "no name server": lookup(socket.EAI_AGAIN, "again"),
    "no way": connect(OSError(errno.ENETUNREACH, "Network is unreachable")),
    "port closed": connect(ConnectionRefusedError(111, "refused")),
    "proxy closed": connect(
        ConnectionRefusedError(111, "refused"), "the proxy proxy:3128 (HTTPS_PROXY)", "HTTPS_PROXY"
    ),
    "packets dropped": connect(TimeoutError()),
    "certificate of the future": tls(certificate_error(9)),
    "certificate expired": tls(certificate_error(10)),
    "certificate self-signed": tls(certificate_error(18)),
    "certificate of an unknown issuer": tls(certificate_error(20)),
    "certificate for another name": tls(certificate_error(62)),
    "certificate refused": tls(certificate_error(23, "revoked")),
    "no TLS": tls(tls_error("WRONG_VERSION_NUMBER")),
    "no common version": tls(tls_error("TLSV1_ALERT_PROTOCOL_VERSION")),
    "TLS swallowed": tls(TimeoutError()),
    "TLS cut": tls(ConnectionResetError()),
    "proxy wants a login": proxy(407),
    "proxy refuses": proxy(403),
    "proxy is none": proxy(None),
}


@pytest.mark.parametrize("name", FOUND)
def test_each_failure_on_the_way_has_its_words_and_its_remedy(name: str) -> None:
    cause = FOUND[name]

    assert [cause.message, f"-> {cause.remedy}"] == CAUSES[name]


def test_no_two_failures_read_alike() -> None:
    assert CAUSES.keys() == FOUND.keys()
    assert len({cause.message for cause in FOUND.values()}) == len(FOUND)


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

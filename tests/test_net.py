from pathlib import Path

import certifi
import pytest

from hangbot.net import unverified, verified
from hangbot.proxies import is_proxied


@pytest.fixture(autouse=True)
def no_certificates_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


def test_the_certificates_are_read_once() -> None:
    assert verified() is verified()
    assert unverified() is unverified()
    assert verified() is not unverified()


def test_other_certificates_of_the_environment_are_other_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = verified()

    monkeypatch.setenv("SSL_CERT_FILE", certifi.where())
    named = verified()

    assert named is not usual
    assert named.get_ca_certs() == usual.get_ca_certs()


def test_unreadable_certificates_are_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "later.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with pytest.raises(OSError, match="No such file"):
        verified()

    path.write_text(Path(certifi.where()).read_text(encoding="utf-8"), encoding="utf-8")

    assert verified().get_ca_certs()


@pytest.mark.parametrize(
    ("names", "proxied"),
    [
        pytest.param({}, (False, False), id="none"),
        pytest.param({"wss_proxy": "http://p:1"}, (False, True), id="for encrypted sockets"),
        pytest.param({"https_proxy": "http://p:1"}, (True, True), id="for HTTPS, which serves both"),
        pytest.param({"http_proxy": "http://p:1"}, (True, False), id="for HTTP"),
        pytest.param(
            {"https_proxy": "http://p:1", "no_proxy": "room.example"}, (False, False), id="not there"
        ),
    ],
)
def test_a_websocket_has_the_proxy_of_its_kind(
    names: dict[str, str], proxied: tuple[bool, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http", "https", "ws", "wss", "socks", "all", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name}_proxy".upper(), raising=False)
    for name, value in names.items():
        monkeypatch.setenv(name, value)

    assert tuple(is_proxied("room.example", 443, secure=secure) for secure in (False, True)) == proxied

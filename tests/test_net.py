from pathlib import Path

import certifi
import pytest

from hangbot.net import unverified, verified


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


def test_certificates_that_cannot_be_read_are_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "later.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with pytest.raises(OSError, match="No such file"):
        verified()

    path.write_text(Path(certifi.where()).read_text(encoding="utf-8"), encoding="utf-8")

    assert verified().get_ca_certs()

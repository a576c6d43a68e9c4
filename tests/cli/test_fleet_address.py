"""Which cluster a command about a fleet means, and what is said where none is named."""

import pytest

from hangbot.cli import main


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("named", ["", "outbox.sqlite3"])
@pytest.mark.parametrize("command", [["status"], ["drain"], ["move", "lounge", "north"]])
def test_where_no_cluster_is_named_it_is_asked_for_and_not_a_bots_token(
    command: list[str], named: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HANGBOT_OUTBOX", named)

    code = main(["fleet", *command])

    said = capsys.readouterr().err
    assert code == 2
    assert "HANGBOT_OUTBOX=nats://" in said
    assert "--env-file" in said
    assert "TOKEN" not in said

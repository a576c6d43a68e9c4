import json
from pathlib import Path

import pytest

from hangbot.redact import Redactor
from pytest_hangfm.sessions.format import Event, UnreadableSession, read_session, without_secrets

HEAD = '{"recorded": "one evening", "format": 1}'
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1LTEifQ.c2lnbmF0dXJl"


def written(folder: Path, *lines: str) -> Path:
    path = folder / "session.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_what_was_written_is_read_back_connection_by_connection(tmp_path: Path) -> None:
    events = (
        Event("client", "open", "u-1", conn=1, t_ms=0),
        Event("server", "frame", '{"welcome":"hi"}', conn=1, t_ms=2),
        Event("server", "close", code=1006, conn=1, t_ms=9),
        Event("client", "open", "", conn=2, t_ms=20),
        Event("server", "close", code=None, conn=2, t_ms=30),
    )
    path = written(tmp_path, HEAD, *(json.dumps(event.as_row()) for event in events))

    session = read_session(path)

    assert session.recorded == "one evening"
    assert session.connections == (events[:3], events[3:])


def test_the_least_that_a_line_needs_is_who_and_what(tmp_path: Path) -> None:
    path = written(tmp_path, '{"recorded": "by hand"}', "", '{"from": "server", "frame": "x"}')

    session = read_session(path)

    assert session.connections == ((Event("server", "frame", "x"),),)


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        pytest.param([], 'no recorded session: its first line has no "recorded"', id="empty"),
        pytest.param(['{"n": 1}'], "no recorded session", id="another file"),
        pytest.param([HEAD], "holds no frames", id="nothing recorded"),
        pytest.param([HEAD, "{"], "line 2: no JSON", id="cut off"),
        pytest.param([HEAD, "[]"], "line 2: no JSON object", id="no object"),
        pytest.param(
            ['{"recorded": "later", "format": 2}'],
            "has format 2; this version reads format 1",
            id="of a later version",
        ),
        pytest.param([HEAD, '{"frame": "x"}'], 'line 2: needs "from"', id="from nobody"),
        pytest.param([HEAD, '{"from": "server"}'], "one of frame, open, close", id="nothing"),
        pytest.param(
            [HEAD, '{"from": "server", "frame": "x", "close": 1006}'], "one of frame", id="two things"
        ),
        pytest.param([HEAD, '{"from": "server", "frame": 3}'], "of the wrong kind", id="wrong kind"),
    ],
)
def test_what_is_no_recording_is_told_with_its_line(tmp_path: Path, lines: list[str], complaint: str) -> None:
    with pytest.raises(UnreadableSession) as caught:
        read_session(written(tmp_path, *lines))

    assert complaint in str(caught.value)


def test_a_recording_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnreadableSession, match="cannot be read: No such file"):
        read_session(tmp_path / "missing.jsonl")


@pytest.mark.parametrize(
    ("frame", "kept"),
    [
        pytest.param(
            '{"welcome": "hi",  "context":"api"}', '{"welcome": "hi",  "context":"api"}', id="nothing"
        ),
        pytest.param('"primus::ping::17"', '"primus::ping::17"', id="heartbeat"),
        pytest.param(
            f'{{"params":{{"token":"{JWT}","n":1}}}}',
            '{"params":{"token":"<masked>","n":1}}',
            id="a token by name",
        ),
        pytest.param(f'{{"error":"bad {JWT}"}}', '{"error":"bad <masked>"}', id="a token by shape"),
        pytest.param('{"a":"told-to-me"}', '{"a":"<masked>"}', id="a secret that was told"),
        pytest.param(f"no json {JWT}", "no json <masked>", id="no JSON"),
        pytest.param(
            '{"userProfile":{"nickname":"alice","firstName":"Alice","instagram":"@a"}}',
            '{"userProfile":{"nickname":"alice","firstName":null,"instagram":null}}',
            id="whom a profile names",
        ),
        pytest.param(
            '[{"op":"replace","path":"/allUserData/u/userProfile/lastName","value":"Liddell"}]',
            '[{"op":"replace","path":"/allUserData/u/userProfile/lastName","value":null}]',
            id="a change of it",
        ),
    ],
)
def test_a_frame_is_kept_to_the_letter_but_for_secrets_and_people(frame: str, kept: str) -> None:
    assert without_secrets(frame, Redactor(["told-to-me"])) == kept

import json
from pathlib import Path

import pytest

from hangbot.redact import Redactor
from pytest_hangfm.sessions.format import Event, UnreadableSession, read_session, without_secrets
from tests.cases import cases

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


@cases(
    "lines complaint",
    ("empty", [], 'no recorded session: its first line has no "recorded"'),
    ("another file", ['{"n": 1}'], "no recorded session"),
    ("nothing recorded", [HEAD], "holds no frames"),
    ("cut off", [HEAD, "{"], "line 2: no JSON"),
    ("no object", [HEAD, "[]"], "line 2: no JSON object"),
    ("of a later version", [HEAD.replace("1", "2")], "has format 2; this version reads format 1"),
    ("from nobody", [HEAD, '{"frame": "x"}'], 'line 2: needs "from"'),
    ("nothing", [HEAD, '{"from": "server"}'], "one of frame, open, close"),
    ("two things", [HEAD, '{"from": "server", "frame": "x", "close": 1006}'], "one of frame"),
    ("wrong kind", [HEAD, '{"from": "server", "frame": 3}'], "of the wrong kind"),
)
def test_what_is_no_recording_is_told_with_its_line(tmp_path: Path, lines: list[str], complaint: str) -> None:
    with pytest.raises(UnreadableSession) as caught:
        read_session(written(tmp_path, *lines))

    assert complaint in str(caught.value)


def test_a_recording_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnreadableSession, match="cannot be read: No such file"):
        read_session(tmp_path / "missing.jsonl")


@cases(
    "frame kept",
    ("nothing", '{"welcome": "hi",  "context":"api"}', '{"welcome": "hi",  "context":"api"}'),
    ("heartbeat", '"primus::ping::17"', '"primus::ping::17"'),
    ("a token by name", f'{{"params":{{"token":"{JWT}","n":1}}}}', '{"params":{"token":"<masked>","n":1}}'),
    ("a token by shape", f'{{"error":"bad {JWT}"}}', '{"error":"bad <masked>"}'),
    ("a secret that was told", '{"a":"told-to-me"}', '{"a":"<masked>"}'),
    ("no JSON", f"no json {JWT}", "no json <masked>"),
    (
        "whom a profile names",
        '{"userProfile":{"nickname":"alice","firstName":"Alice","instagram":"@a"}}',
        '{"userProfile":{"nickname":"alice","firstName":null,"instagram":null}}',
    ),
    (
        "a change of it",
        '[{"op":"replace","path":"/allUserData/u/userProfile/lastName","value":"Liddell"}]',
        '[{"op":"replace","path":"/allUserData/u/userProfile/lastName","value":null}]',
    ),
)
def test_a_frame_is_kept_to_the_letter_but_for_secrets_and_people(frame: str, kept: str) -> None:
    assert without_secrets(frame, Redactor(["told-to-me"])) == kept

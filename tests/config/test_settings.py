import ast
import base64
import json
import logging
import pickle
import re
import traceback
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from hangbot.config import ENV, UNBUILT, Row, Settings, render_env_file
from hangbot.config.envfile import read_env_file
from hangbot.config.fields import Need
from hangbot.errors import ConfigError
from hangbot.exit_codes import MISCONFIGURED
from hangbot.redact import Redactor

UID = "5d7ff9ab-6a7c-4f0c-b9a5-8dc2b9d54d5e"
ROOM = "0e3bd4b8-2d5f-4c0a-9d0a-5f3b1f6a7c11"
ROOT = Path(__file__).parents[2]
SAMPLES = Path(__file__).parent / "samples"
EXAMPLE = ROOT / "hang-fm-config.example.env"


def jwt(**claims: object) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJIUzI1NiJ9.{payload}.c2lnbmF0dXJl"


TOKEN = jwt(sub=UID, role="bot")
REQUIRED = {"BOT_USER_TOKEN": TOKEN, "ROOM_UUID": ROOM}


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    return tmp_path / "hang-fm-config.env"


def write(path: Path, values: Mapping[str, str]) -> Path:
    path.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    return path


def faults_of(env: Mapping[str, str], **sources: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        Settings.from_env(env, sources=sources)
    return caught.value.faults


def test_two_names_are_enough_and_the_rest_has_its_default() -> None:
    settings = Settings.from_env(REQUIRED)

    assert settings.model_dump(exclude={"bot_user_token", "ttfm_api_token"}) == {
        "room_uuid": ROOM,
        "chat_app_id": None,
        "chat_api_key": None,
        "chat_uid": UID,
        "chat_token": None,
        "chat_receiver": ROOM,
        "chat_dialect": "auto",
        "chat_url": "https://openchat.prod.tt.fm",
        "gateway_url": "https://gateway.prod.tt.fm",
        "room_url": "https://socket.prod.tt.fm",
        "ack_timeout": 10.0,
        "retry_attempts": 3,
        "retry_base": 1.0,
        "retry_factor": 2.0,
        "retry_max": 30.0,
        "retry_jitter": 0.2,
        "retry_strategy": "equal",
        "retry_total": 300.0,
        "rate": 5.0,
        "burst": 10,
        "drain": 10.0,
        "outbox": Path("hangbot-outbox.sqlite3"),
        "chat_feed": "auto",
        "chat_silence": 40.0,
        "catch_up": 300.0,
        "handler_timeout": 30.0,
        "canary": False,
        "status_port": None,
        "status_host": "127.0.0.1",
        "bot_name": None,
        "boot_message": None,
        "auto_join": True,
        "poll_interval": 1.0,
        "welcome_timeout": 5.0,
        "heartbeat_timeout": 45.0,
        "connect_timeout": 10.0,
        "message_ttl": 86_400.0,
        "queue_limit": 100_000,
        "keep_delivered_for": 604_800.0,
        "keep_delivered_most": 100_000,
        "http_concurrency": 4,
        "cluster": None,
    }
    assert settings.bot_user_token.get_secret_value() == TOKEN
    assert settings.ttfm_api_token.get_secret_value() == TOKEN
    assert settings.warnings == ()


EVERY_NAME = [
    re.fullmatch(r"([A-Z_]+) ('.*'|\".*\") ([a-z_]+) (.+)", line)
    for line in (SAMPLES / "every_name.txt").read_text().replace("<room>", ROOM).splitlines()
]
"""Each name, its text, its field, and the value that this is."""


def test_every_name_is_read_and_milliseconds_become_seconds() -> None:
    rows = [match.groups() for match in EVERY_NAME if match]
    settings = Settings.from_env({name: ast.literal_eval(text) for name, text, _, _ in rows})

    assert [name for name, *_ in rows] == [meta.name for meta in ENV.values()]
    for _, _, field, expected in rows:
        value = getattr(settings, field)
        plain = value.get_secret_value() if isinstance(value, SecretStr) else value
        assert (str(plain) if isinstance(plain, Path) else plain) == ast.literal_eval(expected), field
    assert set(settings.origins.values()) == {"environment", "default"}


KNOWN = {"<token>": TOKEN, "<room>": ROOM, "<uid>": UID, "<odd>": jwt(sub="a b")}
DERIVED = [
    (dict(name.split("=") for name in env.split() if name != "-"), *what.split(" = "), origin)
    for line in (SAMPLES / "derived.txt").read_text().splitlines()
    for env, what, origin in [line.split(" | ")]
]
"""What is set, a field, its value then, and where that comes from."""


@pytest.mark.parametrize(("env", "field", "value", "origin"), DERIVED)
def test_what_is_not_set_is_derived_and_says_it(
    env: dict[str, str], field: str, value: str, origin: str
) -> None:
    settings = Settings.from_env(REQUIRED | {name: KNOWN.get(text, text) for name, text in env.items()})

    found = getattr(settings, field)
    plain = found.get_secret_value() if isinstance(found, SecretStr) else found
    assert str(plain) == KNOWN.get(value, value)
    assert settings.origins[field] == origin


BASE = "STAGE_RETRY_BASE_MS"


WRONG = [
    (name, TOKEN if text == "<token>" else ast.literal_eval(text), problem.strip())
    for row in re.findall(r"(.+\n  .+)\n", (SAMPLES / "wrong_values.txt").read_text(encoding="utf-8"))
    for (name, _, text), problem in [(row.split("\n")[0].partition(" "), row.split("\n")[1])]
]
"""A name, a text that is wrong for it, and what is said of that."""


@pytest.mark.parametrize(("name", "text", "problem"), WRONG)
def test_a_wrong_value_is_one_line_that_says_what_is_expected(name: str, text: str, problem: str) -> None:
    assert faults_of(REQUIRED | {name: text}) == (f"{name} (environment): {problem}",)


def test_a_default_that_no_longer_fits_is_a_fault_of_its_own_name() -> None:
    assert faults_of(REQUIRED | {BASE: "60000"}) == (
        "STAGE_RETRY_MAX_MS: expected at least STAGE_RETRY_BASE_MS (60000)",
    )


def test_a_fault_names_the_place_that_the_caller_tells() -> None:
    faults = faults_of(REQUIRED | {"HANGBOT_RATE": "x"}, HANGBOT_RATE="bot.env line 9")

    assert faults == ("HANGBOT_RATE (bot.env line 9): expected a number from 0 to 10000, not 'x'",)


def test_all_faults_come_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.from_env(
            {"HANGBOT_RATE": "x", "CHAT_DIALECT": "cometchat", BASE: "60000", "COMETCHAT_UID": "a b"}
        )

    assert caught.value.faults == (
        "BOT_USER_TOKEN: required, and not set",
        "ROOM_UUID: required, and not set",
        "COMETCHAT_UID (environment): expected at most 100 letters, digits, '-' and '_', not 'a b'",
        "CHAT_DIALECT (environment): cometchat needs COMETCHAT_APPID, too",
        "STAGE_RETRY_MAX_MS: expected at least STAGE_RETRY_BASE_MS (60000)",
        "HANGBOT_RATE (environment): expected a number from 0 to 10000, not 'x'",
    )
    assert str(caught.value) == "\n  ".join(["configuration: 6 faults", *caught.value.faults])
    assert caught.value.exit_code == MISCONFIGURED


def test_a_fault_alone_stands_on_one_line() -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.from_env({"BOT_USER_TOKEN": TOKEN})

    assert str(caught.value) == "configuration: ROOM_UUID: required, and not set"


CASES = {
    title: [(line[:5].strip(), line[6:]) for line in lines]
    for block in (SAMPLES / "configurations.txt").read_text(encoding="utf-8").split("\n\n# ")
    for title, *lines in [block.removeprefix("# ").rstrip("\n").split("\n")]
}
"""Configurations, line by line: what stands in the file and in the environment, and what comes of it."""


@pytest.mark.parametrize("title", CASES)
def test_a_configuration_says_in_lines_what_is_wrong_and_what_is_odd(env_file: Path, title: str) -> None:
    case = {kind: [text for other, text in CASES[title] if other == kind] for kind, _ in CASES[title]}
    known = {"<token>": TOKEN, "<room>": ROOM, "<person>": jwt(role="user")}

    def lines(kind: str) -> list[str]:
        found = "\n".join(case.get(kind, []))
        for name, value in known.items():
            found = found.replace(name, value)
        return found.split("\n") if found else []

    if "file" in case:
        env_file.write_text("\n".join(lines("file")) + "\n")
    environ = dict(line.split("=", 1) for line in lines("env"))

    try:
        settings, error = Settings.load(env_file, environ, required="file" in case), None
    except ConfigError as exc:
        settings, error = None, exc

    assert list(error.faults if error else ()) == lines("fault")
    assert list((error or settings).warnings) == lines("warn")  # type: ignore[union-attr]  # one of the two
    assert not error or str(env_file) in error.remedy or "`hangbot init`" in error.remedy
    for name, _, value in (line.partition(" ") for line in lines("value")):
        assert str(getattr(settings, name)) == value


def test_another_bots_token_with_another_value_is_masked_and_its_other_values_are_not(env_file: Path) -> None:
    for name in ("HANGOUT_ID", "TTL_USER_TOKEN", "COMET_BASE_URL", "BOT_UID", "CHAT_TOKEN"):
        write(env_file, REQUIRED | {name: "https://another.example"})

        secrets = Settings.load(env_file, {}).secrets()

        assert ("https://another.example" in secrets) is (name in {"TTL_USER_TOKEN", "CHAT_TOKEN"})


def test_the_environment_wins_over_the_file_and_each_value_knows_its_place(env_file: Path) -> None:
    write(
        env_file, REQUIRED | {"BOT_NAME": "file", "HANGBOT_RATE": "1", "HANGBOT_BURST": "2", "AUTO_JOIN": ""}
    )

    settings = Settings.load(env_file, {"BOT_NAME": "environment", "HANGBOT_RATE": " ", "PATH": "/bin"})

    assert (settings.bot_name, settings.rate, settings.burst) == ("environment", 1.0, 2)
    assert {
        name: settings.origins[name] for name in ("room_uuid", "bot_name", "rate", "burst", "auto_join")
    } == {
        "room_uuid": "hang-fm-config.env line 2",
        "bot_name": "environment",
        "rate": "hang-fm-config.env line 4",
        "burst": "hang-fm-config.env line 5",
        "auto_join": "default",
    }
    assert settings.warnings == ()


def test_a_token_under_another_bots_name_is_a_secret_wherever_it_stands(env_file: Path) -> None:
    write(env_file, REQUIRED | {"SPOTIFY_TOKEN": "BQD-of-the-songs-0123", "API_KEY": "short", "X_KEY": ROOM})

    settings = Settings.load(
        env_file, {"TTL_USER_TOKEN": "of-the-environment", "OTHER_TOKEN": "none-of-our-business"}
    )

    assert {"BQD-of-the-songs-0123", "of-the-environment"} <= set(settings.secrets())
    assert not {"short", ROOM, "none-of-our-business"} & set(settings.secrets())
    assert settings.with_changes(burst=3).secrets() == settings.secrets()


@pytest.mark.parametrize("name", ["GAB_USER_TOKEN", "TTL_USER_TOKEN", "TTFM_API_TOKEN", "BOT_USER_TOKENS"])
@pytest.mark.parametrize("in_file", [True, False])
def test_a_persons_token_is_never_offered_for_the_bots(env_file: Path, name: str, *, in_file: bool) -> None:
    theirs = {name: jwt(sub=UID, role="user")}
    write(env_file, {"ROOM_UUID": ROOM} | (theirs if in_file else {}))

    with pytest.raises(ConfigError) as caught:
        Settings.load(env_file, {} if in_file else theirs)

    assert caught.value.faults == ("BOT_USER_TOKEN: required, and not set",)
    assert theirs[name] not in f"{caught.value}{caught.value.warnings}"


@pytest.mark.parametrize("required", [True, False])
def test_without_a_file_and_an_environment_the_remedy_is_init(env_file: Path, *, required: bool) -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.load(env_file, {"PATH": "/bin", "BOT_NAME": ""}, required=required)

    assert caught.value.faults == (f"no configuration file at {env_file}",)
    assert caught.value.remedy.startswith("Run `hangbot init`")
    assert "example.env" not in caught.value.remedy, "an installed wheel has no such file"


def test_the_environment_alone_is_enough(env_file: Path) -> None:
    settings = Settings.load(env_file, REQUIRED, required=False)

    assert settings.origins["room_uuid"] == "environment"


def test_an_environment_that_is_not_enough_still_hints_at_the_file(env_file: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.load(env_file, {"ROOM_UUID": ROOM}, required=False)

    assert caught.value.faults == ("BOT_USER_TOKEN: required, and not set",)
    assert "`hangbot init`" in caught.value.remedy


def test_a_file_that_was_asked_for_must_be_there(env_file: Path) -> None:
    with pytest.raises(ConfigError, match="no configuration file at"):
        Settings.load(env_file, REQUIRED, required=True)


def test_a_file_that_cannot_be_read_is_not_passed_over(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a directory"):
        Settings.load(tmp_path, REQUIRED, required=False)


def test_changes_are_validated_and_derived_anew() -> None:
    settings = Settings.from_env(REQUIRED | {"COMETCHAT_APPID": "app-1", "HANGBOT_RATE": "1"})

    changed = settings.with_changes(
        bot_user_token=SecretStr(jwt(sub="other")), room_uuid="room-2", ack_timeout=0.02
    )

    assert (changed.chat_uid, changed.chat_receiver) == ("other", "room-2")
    assert (changed.ack_timeout, changed.rate) == (0.02, 1.0)
    assert changed.ttfm_api_token == changed.bot_user_token
    assert (changed.origins["room_uuid"], changed.origins["rate"]) == ("given", "environment")
    assert changed.origins["chat_api_key"] == "derived from COMETCHAT_APPID"
    assert settings.room_uuid == ROOM


INF = float("inf")
NO_HEADER = "COMETCHAT_AUTH: holds white space, which no HTTP header can carry (character 2 of 3)"


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"nope": 1}, "nope: no such setting"),
        ({"ack_timout": 1}, "ack_timout: no such setting; did you mean ack_timeout?"),
        ({"retry_attempts": "3"}, "STAGE_RETRY_MAX_ATTEMPTS: expected a whole number from 1 to 100, not '3'"),
        ({"ack_timeout": INF}, "SOCKET_TIMEOUT_MS: expected milliseconds above 0, up to 600000, not 'inf'"),
        ({"poll_interval": 0}, "poll_interval: Input should be greater than 0"),
        ({"chat_token": SecretStr("a b")}, NO_HEADER),
        ({"chat_token": 7}, "COMETCHAT_AUTH: expected a token"),
        ({"outbox": "text"}, "HANGBOT_OUTBOX: expected a path, not 'text'"),
        ({"auto_join": None}, "AUTO_JOIN: expected true or false"),
    ],
)
def test_a_wrong_change_is_refused(changes: dict[str, object], fault: str) -> None:
    settings = Settings.from_env(REQUIRED)

    with pytest.raises(ConfigError) as caught:
        settings.with_changes(**changes)

    assert caught.value.faults == (fault,)
    assert caught.value.__context__ is None


def test_settings_are_frozen() -> None:
    settings = Settings.from_env(REQUIRED)

    with pytest.raises(ValueError, match="frozen"):
        settings.rate = 1.0

    assert settings.rate == 5.0


def test_settings_survive_pickling_with_their_origins() -> None:
    settings = Settings.from_env(REQUIRED)

    copy = pickle.loads(pickle.dumps(settings))  # noqa: S301  our own bytes

    assert copy == settings
    assert copy.origins == settings.origins


def test_every_secret_is_handed_out_for_the_redactor() -> None:
    tokens = {"TTFM_API_TOKEN": "room-token", "COMETCHAT_AUTH": "chat-token", "COMETCHAT_API_KEY": "chat-key"}
    url = {"SOCKET_SERVER_URL": "https://user:p%40ss@room.example"}

    settings = Settings.from_env(REQUIRED | tokens | url)

    assert settings.secrets() == (TOKEN, "room-token", "chat-token", "chat-key", "p%40ss", "p@ss")


@pytest.mark.parametrize(
    ("env", "secret"),
    [
        pytest.param({"COMETCHAT_APPID": "app-id-1"}, False, id="derived from the app id"),
        pytest.param(
            {"COMETCHAT_APPID": "app-id-1", "COMETCHAT_API_KEY": "app-id-1"}, False, id="the app id again"
        ),
        pytest.param({"COMETCHAT_API_KEY": "app-id-1"}, True, id="the key alone"),
    ],
)
def test_a_key_that_repeats_the_app_id_is_no_secret(env: dict[str, str], *, secret: bool) -> None:
    settings = Settings.from_env(REQUIRED | env)

    shown = {row.name: row.value for row in settings.described()}
    assert ("app-id-1" in settings.secrets()) is secret
    assert shown["COMETCHAT_APPID"] == ("<masked>" if secret else "app-id-1")
    assert shown["COMETCHAT_API_KEY"] == "<masked>"


def test_the_printed_configuration_has_a_row_for_every_name() -> None:
    settings = Settings.from_env(
        REQUIRED | {"SOCKET_TIMEOUT_MS": "20", "SOCKET_SERVER_URL": "https://u:secret@room.example"}
    )

    rows = settings.described()

    assert [row.name for row in rows] == [env.name for env in ENV.values()]
    assert {
        row
        for row in rows
        if row.name
        in {"BOT_USER_TOKEN", "COMETCHAT_AUTH", "SOCKET_TIMEOUT_MS", "SOCKET_SERVER_URL", "AUTO_JOIN"}
    } == {
        Row("BOT_USER_TOKEN", "<masked>", "environment"),
        Row("COMETCHAT_AUTH", "-", "exchanged at the gateway when needed"),
        Row("SOCKET_TIMEOUT_MS", "20", "environment"),
        Row("SOCKET_SERVER_URL", "https://<masked>@room.example", "environment"),
        Row("AUTO_JOIN", "true", "default"),
    }


SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=40).map(
    lambda s: f"%{s}%"
)
NAMES = [env.name for env in ENV.values()]
SECRET_NAMES = [env.name for env in ENV.values() if env.secret]


@given(
    secrets=st.fixed_dictionaries(dict.fromkeys(SECRET_NAMES, SECRETS)),
    others=st.dictionaries(
        st.sampled_from([n for n in NAMES if n not in SECRET_NAMES]), st.text(max_size=20)
    ),
    pasted=st.sampled_from([None, "ROOM_UUID", "OPENCHAT_BASE_URL", "AUTO_JOIN"]),
    spoilt=st.sampled_from(["", " x", "é"]),
)
def test_no_secret_shows_in_any_error_or_repr(
    secrets: dict[str, str], others: dict[str, str], pasted: str | None, spoilt: str
) -> None:
    env = others | {name: secret + spoilt for name, secret in secrets.items()}
    if pasted:
        env[pasted] = secrets["COMETCHAT_AUTH"]

    try:
        settings = Settings.from_env({"ROOM_UUID": ROOM} | env)
        text = f"{settings!r} {settings} {settings.described()} {settings.warnings}"
    except ConfigError as exc:
        text = "".join(traceback.format_exception(exc)) + exc.remedy + repr(exc.faults)

    assert [name for name, secret in secrets.items() if secret in text] == []


def test_no_secret_reaches_the_log(caplog: pytest.LogCaptureFixture, request: pytest.FixtureRequest) -> None:
    settings = Settings.from_env(REQUIRED | {"COMETCHAT_AUTH": "chat-token-1"})
    masking = Redactor(settings.secrets()).filter
    caplog.handler.addFilter(masking)
    request.addfinalizer(lambda: caplog.handler.removeFilter(masking))  # the next test has the same handler

    logging.getLogger("tests.config").warning(
        "%r %s", settings, settings.chat_token.get_secret_value() if settings.chat_token else ""
    )

    assert "chat-token-1" not in caplog.text
    assert "<masked>" in caplog.text


LINE = st.builds(
    "{}={}".format, st.sampled_from([*NAMES, "OTHER", "BOT_USER_TOKN"]), st.text(max_size=12)
) | st.text(max_size=12)


@pytest.fixture(scope="module")
def random_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("config") / "hang-fm-config.env"


@given(lines=st.lists(LINE, max_size=10))
def test_no_file_raises_anything_but_a_configuration_error(random_file: Path, lines: list[str]) -> None:
    random_file.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))

    try:
        settings = Settings.load(random_file, {})
    except ConfigError as exc:
        assert exc.faults  # noqa: PT017  either outcome is right
        assert all(len(fault.splitlines()) == 1 for fault in exc.faults)  # noqa: PT017  either outcome is right
    else:
        assert len(settings.described()) == len(ENV)


@given(env=st.dictionaries(st.sampled_from(NAMES), st.text(max_size=30)))
def test_no_environment_raises_anything_but_a_configuration_error(env: dict[str, str]) -> None:
    try:
        settings = Settings.from_env(REQUIRED | env)
    except ConfigError as exc:
        assert exc.faults  # noqa: PT017  either outcome is right
    else:
        assert settings.with_changes().model_dump() == settings.model_dump()


def test_the_example_file_is_what_the_table_says() -> None:
    assert EXAMPLE.read_text(encoding="utf-8") == render_env_file({})


def test_the_example_file_has_every_name_once_under_a_line_of_comment() -> None:
    file = read_env_file(EXAMPLE)

    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    assert file.faults == ()
    assert sorted(file.values) == sorted(NAMES)
    assert all(entry.value == "" and lines[entry.line - 2].startswith("# ") for entry in file.values.values())
    assert [line for line in lines if line.startswith("# ==")] == [
        "# == Required ==",
        "# == Derived where not set ==",
        "# == Optional ==",
    ]


def test_an_untouched_example_file_asks_for_the_two_required_names(env_file: Path) -> None:
    env_file.write_text(EXAMPLE.read_text(encoding="utf-8"))

    with pytest.raises(ConfigError) as caught:
        Settings.load(env_file, {})

    required = [env.name for env in ENV.values() if env.need is Need.REQUIRED]
    assert required == ["BOT_USER_TOKEN", "ROOM_UUID"]
    assert [fault.split(" ")[0] for fault in caught.value.faults] == required
    assert all(fault.endswith("required, and empty") for fault in caught.value.faults)


def test_a_rendered_file_is_read_as_it_was_meant(env_file: Path) -> None:
    env_file.write_text(
        render_env_file(REQUIRED | {"BOOT_MESSAGE": 'I\'m "up" # now\nand\\or here', "BOT_NAME": "Bot 1"})
    )

    settings = Settings.load(env_file, {})

    assert settings.boot_message == 'I\'m "up" # now\nand\\or here'
    assert (settings.bot_name, settings.room_uuid) == ("Bot 1", ROOM)


def test_a_name_that_is_none_of_ours_is_not_rendered() -> None:
    with pytest.raises(KeyError, match="BOT_NAMES"):
        render_env_file({"BOT_NAMES": "x"})


def test_settings_that_were_refused_have_a_repr_for_the_traceback_that_shows_them() -> None:
    with pytest.raises(ConfigError) as refused:
        Settings(bot_user_token=SecretStr("hunter2-hunter2"), room_uuid="")

    frames = [frame for frame, _ in traceback.walk_tb(refused.value.__traceback__)]
    shown = [repr(frame.f_locals["self"]) for frame in frames if "self" in frame.f_locals]
    assert shown == ["Settings()"]


def read_somewhere() -> set[str]:
    """The attributes that are read of something called settings, anywhere but in the configuration itself.

    Of it only `hangbot.config.core` hands them on.
    """
    read = set()
    for path in (ROOT / "hangbot").rglob("*.py"):
        if "config" in path.relative_to(ROOT).parts and path.name != "core.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Attribute(value=ast.Name(id=name)) | ast.Attribute(value=ast.Attribute(attr=name)):
                    if name.lstrip("_") == "settings":
                        read.add(node.attr)
    return read


def test_every_setting_is_read_by_something_and_one_that_is_not_says_so_to_whoever_sets_it() -> None:
    read = read_somewhere() | {"chat_api_key"}  # the app id once more, which the configuration completes

    assert [name for name in Settings.model_fields if name not in read | UNBUILT.keys()] == []
    assert [name for name in UNBUILT if name in read] == [], (
        "it is built: nothing is to be said of it any more"
    )


def test_an_outbox_in_a_cluster_is_an_address_whose_password_is_a_secret(tmp_path: Path) -> None:
    file = tmp_path / "lounge.env"
    file.write_text(
        "BOT_USER_TOKEN=a-token\nROOM_UUID=room\nHANGBOT_OUTBOX=nats://me:pa%40ss@one,two:4333/mine\n",
        encoding="utf-8",
    )

    settings = Settings.load(file, {})

    assert settings.cluster is not None
    assert settings.cluster.servers == ("one:4222", "two:4333")
    assert settings.cluster.fleet == "mine"
    assert "pa@ss" in settings.secrets()
    (row,) = [row for row in settings.described() if row.name == "HANGBOT_OUTBOX"]
    assert row.value == "nats://one:4222,two:4333/mine"
    assert row.origin.endswith("line 3")
    assert settings.outbox == tmp_path / "lounge.outbox.sqlite3"  # what sockets here are named after


@pytest.mark.parametrize("wrong", ["nats://", "nats://one,one", "nats://se:cret@one/a b", "nats://one:99999"])
def test_a_clusters_address_that_is_none_is_a_fault_without_what_it_holds(wrong: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.from_env({"BOT_USER_TOKEN": "a-token", "ROOM_UUID": "room", "HANGBOT_OUTBOX": wrong})

    assert "HANGBOT_OUTBOX" in str(caught.value)
    assert "cret" not in str(caught.value)

from collections.abc import Mapping

import pytest

from hangbot.config import ENV
from hangbot.config.fields import Need
from pytest_hangfm.options import REQUIRED_NAMES, Options, read_options, target_of
from tests.cases import cases
from tests.plugin.conftest import UNCONFIGURED

CONFIGURED = UNCONFIGURED._replace(from_file=True)
LIVE = UNCONFIGURED._replace(target="live")
BY_ENVIRONMENT = UNCONFIGURED._replace(from_environment=True)
SANDBOX = CONFIGURED._replace(target="sandbox")


def options_of(pytester: pytest.Pytester, *args: str, environ: Mapping[str, str] | None = None) -> Options:
    return read_options(pytester.parseconfig(*args), environ or {})


def test_the_required_names_are_those_of_the_settings() -> None:
    required = tuple(env.name for env in ENV.values() if env.need is Need.REQUIRED)

    assert required == REQUIRED_NAMES


def test_the_command_line_wins_over_environment_and_that_over_ini_file(pytester: pytest.Pytester) -> None:
    own = "hangfm_target = live\nhangfm_only = one\nhangfm_ignore = three\nhangfm_strict = true"
    pytester.makeini(f"[pytest]\n{own}")
    environ = {"HANGFM_TARGET": "sandbox", "HANGFM_ONLY": "two", "HANGFM_STRICT": "no"}

    options = options_of(pytester, "--hangfm-target=auto", environ=environ)

    assert options.target == "auto"
    assert options.only == ("two",)
    assert options.ignore == ("three",)
    assert options.strict is False


def test_a_path_of_the_ini_file_counts_from_there_and_any_other_from_here(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nhangfm_env_file = conf/bot.env")
    here = pytester.mkdir("here")

    from_ini = options_of(pytester)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        from_line = options_of(pytester, f"--rootdir={pytester.path}", "--hangfm-env-file=bot.env")

    assert from_ini.env_file == pytester.path / "conf/bot.env"
    assert from_line.env_file == here / "bot.env"


@cases(
    "args environ file configured",
    ("nothing", [], {}, False, False),
    ("the-file", [], {}, True, True),
    ("a-required-name", [], {"ROOM_UUID": "r"}, False, True),
    ("an-empty-one", [], {"ROOM_UUID": " "}, False, False),
    ("another-name", [], {"BOT_NAME": "b"}, False, False),
    ("a-file-that-was-named", ["--hangfm-env-file=missing.env"], {}, False, True),
)
def test_what_counts_as_configured(
    pytester: pytest.Pytester, *, args: list[str], environ: dict[str, str], file: bool, configured: bool
) -> None:
    if file:
        (pytester.path / "hang-fm-config.env").touch()

    assert options_of(pytester, *args, environ=environ).configured is configured


@cases(
    "args environ message",
    ("target", ["--hangfm-target=prod"], {}, "--hangfm-target: 'prod' is none of auto"),
    ("environment", [], {"HANGFM_TARGET": "x"}, "HANGFM_TARGET: 'x' is none of"),
    ("switch", [], {"HANGFM_STRICT": "maybe"}, "HANGFM_STRICT: 'maybe' is none of 1, true"),
    ("guard", ["--hangfm-guard=some"], {}, "--hangfm-guard: 'some'"),
    ("json-folder", ["--hangfm-json=."], {}, "--hangfm-json: .* cannot be written"),
    ("json-path", ["--hangfm-json=file/x.json"], {}, "--hangfm-json: .*file cannot be made"),
)
def test_a_wrong_value_is_a_usage_error_in_one_line(
    pytester: pytest.Pytester, args: list[str], environ: dict[str, str], message: str
) -> None:
    (pytester.path / "file").touch()

    with pytest.raises(pytest.UsageError, match=message) as caught:
        options_of(pytester, *args, environ=environ)

    assert "\n" not in str(caught.value)


@cases(
    "options markers target",
    ("auto-preflight-unconfigured", UNCONFIGURED, {"preflight"}, "sandbox"),
    ("auto-preflight-configured", CONFIGURED, {"preflight"}, "live"),
    ("auto-stage", CONFIGURED, {"stage"}, "sandbox"),
    ("auto-anything-else", CONFIGURED, set(), "sandbox"),
    ("sandbox-preflight", SANDBOX, {"preflight"}, "sandbox"),
    ("live-preflight", LIVE, {"preflight"}, "live"),
    ("live-stage", LIVE, {"stage"}, "live"),
    ("live-anything-else", LIVE, set(), "sandbox"),
    ("marked-live", CONFIGURED, {"live"}, "live"),
)
def test_what_a_test_runs_against(options: Options, markers: set[str], target: str) -> None:
    assert target_of(markers, options) == target


@cases(
    "options words",
    ("nothing-said", UNCONFIGURED, "nothing live is touched"),
    ("configured", CONFIGURED, "LIVE: preflight on what is configured in hang-fm-config.env ("),
    ("by the environment", BY_ENVIRONMENT, "LIVE: preflight on what is configured in the environment ("),
    ("live", LIVE, "joining and reading only"),
    ("live-writes", LIVE._replace(live_writes=True), "writing too"),
    ("sandbox", SANDBOX, "nothing live is touched"),
)
def test_the_header_says_in_words_what_is_touched(options: Options, words: str) -> None:
    assert words in options.header()


def test_a_token_in_an_options_place_is_not_shown(pytester: pytest.Pytester) -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"

    options = options_of(pytester, f"--hangfm-env-file={token}")
    with pytest.raises(pytest.UsageError) as refused:
        options_of(pytester, f"--hangfm-target={token}")

    assert "<masked>" in options.header()
    assert "eyJ" not in options.header() + str(refused.value)

"""No secret in anything a run leaves: sentinel tokens, planted in every way that is known to leak."""

import base64
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Final
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from hangbot.config import ENV, Settings
from hangbot.redact import MASK, Redactor
from pytest_hangfm.reporting.masking import mask_report
from pytest_hangfm.reporting.scan import Tokens, scan
from pytest_hangfm.secrets import SECRET_NAMES, configured_secrets
from tests.cases import cases
from tests.plugin.conftest import QUICK

SENTINEL: Final = "sentinel-4711-of-nobody-you-know"
FOREIGN: Final = "another-program's password"
ROOM: Final = "1d0a1c9a-8b1a-4b7a-9a63-000000000001"
UNKNOWN: Final = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJub2JvZHkifQ.bm90LWEtc2lnbmF0dXJl"
"""A JWT that is in no configuration."""
PIECES: Final = (
    *(SENTINEL[:10], SENTINEL[-10:], FOREIGN[:12], quote(FOREIGN)[:12], UNKNOWN.rpartition(".")[2]),
    *(base64.b64encode(secret.encode()).decode().rstrip("=") for secret in (SENTINEL, FOREIGN)),
)
"""What pytest leaves of a secret that it shortens is masked as well, and what is quoted or in base64."""

PLACES: Final = {
    "an_assertion_that_shows_both_sides": "assert TOKEN == 'something else'",
    "an_argument_in_the_traceback": "raise ValueError('look above')",
    "a_local_under_showlocals": "unwrapped = TOKEN + ''; raise ValueError('look below')",
    "the_name_of_a_test": "assert not token",
    "a_validation_error_with_its_input": "pydantic.create_model('Port', port=(int, ...))(port=TOKEN)",
    "the_url_of_a_request_in_log_and_error": "caplog.set_level('INFO'); request(TOKEN).raise_for_status()",
    "a_header_in_a_debug_log": (
        "logging.getLogger('websockets.client').warning('> apikey: %s', TOKEN); raise AssertionError"
    ),
    "a_property": "record_property('token', TOKEN); raise AssertionError",
    "standard_output_and_error": "print(TOKEN); print(TOKEN, file=sys.stderr); raise AssertionError",
    "what_is_attached": "attach(TOKEN); raise AssertionError",
    "a_patch_that_prints_the_whole_document": (
        "jsonpatch.apply_patch({'token': TOKEN}, [{'op': 'remove', 'path': '/nothing'}])"
    ),
    "a_chain_of_errors_and_another_programs_secret": f"""
    try:
        raise KeyError(TOKEN)
    except KeyError as exc:
        raise RuntimeError("{FOREIGN}") from exc""",
    "the_reason_of_an_expected_failure": "pytest.xfail(f'the token is {TOKEN}')",
    "a_token_of_nobody_in_a_comparison": f"assert '{UNKNOWN}' == 'another'",
    "the_name_of_a_test_with_a_token_of_nobody": "assert not token",
    "a_secret_quoted_and_in_base64": "raise ValueError([quote(TOKEN), base64.b64encode(TOKEN.encode())])",
    "a_handshake_of_websockets_at_debug": "caplog.set_level(10); shake_hands(TOKEN); raise AssertionError",
    "a_warning": "warnings.warn(f'the token is {TOKEN}', UserWarning)",
}
"""Where a secret can leave by; each is a test that fails, but for the last two."""
_IN_NAMES: Final = {
    "the_name_of_a_test": "TOKEN",
    "the_name_of_a_test_with_a_token_of_nobody": repr(UNKNOWN),
}
SUITE: Final = """
import base64, json, logging, os, sys, warnings
from pathlib import Path
from urllib.parse import quote
import httpx, jsonpatch, pydantic, pytest
from websockets.client import ClientProtocol
from websockets.uri import parse_uri

TOKEN = os.environ["BOT_USER_TOKEN"]


class Config:
    def __repr__(self):
        return f"Config(token={TOKEN!r})"


@pytest.fixture
def config():
    return Config()


def request(token):
    respond = lambda request: httpx.Response(403, request=request)
    with httpx.Client(transport=httpx.MockTransport(respond), trust_env=False) as client:
        return client.get("http://127.0.0.1/room", params={"key": token})


def shake_hands(token):
    client = ClientProtocol(parse_uri(f"ws://127.0.0.1/primus?token={token}"))
    client.send_request(client.connect())


def attach(token):
    try:
        import allure
    except ImportError:
        return
    allure.attach(json.dumps({"token": token}), "by hand", allure.attachment_type.JSON)
    allure.attach(token.encode(), "as bytes", allure.attachment_type.TEXT)
    Path("note.txt").write_text(token)
    allure.attach.file("note.txt", "a file", allure.attachment_type.TEXT)
    with allure.step(f"a step with {token}"):
        pass
    allure.dynamic.parameter("token", token)


""" + "\n\n".join(
    f"@pytest.mark.parametrize('token', [{_IN_NAMES[name]}])\ndef test_{name}(token):\n    {body}\n"
    if name in _IN_NAMES
    else f"def test_{name}(config, caplog, record_property):\n    {body}\n"
    for name, body in PLACES.items()
)


@pytest.fixture
def configured(inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder whose configuration holds the sentinel and another program's secret; the environment, too."""
    inner.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\nlog_file = run.log\n")
    inner.path.joinpath("hang-fm-config.env").write_text(
        f"BOT_USER_TOKEN='{SENTINEL}'\nROOM_UUID={ROOM}\nSPOTIFY_CLIENT_SECRET=\"{FOREIGN}\"  # not ours\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("BOT_USER_TOKEN", SENTINEL)
    monkeypatch.setenv("PYTEST_ADDOPTS", QUICK.replace("-p no:cacheprovider", ""))
    return inner


def leaks(folder: Path, done: pytest.RunResult) -> list[str]:
    """Name what a run left that holds a piece of a secret, but where it was put."""
    put = {"hang-fm-config.env", "note.txt", "stdout", "stderr"}
    left = {
        str(path.relative_to(folder)): path.read_text("utf-8", "replace")
        for path in folder.rglob("*")
        if path.is_file() and path.name not in put and path.suffix not in {".py", ".pyc"}
    }
    left |= {"what was printed": done.stdout.str() + done.stderr.str()}
    return sorted(name for name, text in left.items() if any(piece in text for piece in PIECES))


@cases("allure", ("allure", "--alluredir=results"), ("plain", "-pno:allure_pytest"))
@pytest.mark.parametrize("style", ["long", "short", "line", "native"])
def test_a_secret_is_in_nothing_a_run_leaves(configured: pytest.Pytester, style: str, allure: str) -> None:
    configured.makepyfile(SUITE)

    done = configured.runpytest_subprocess(
        "--showlocals",
        "-rx",
        f"--tb={style}",
        "--junitxml=junit.xml",
        "--log-cli-level=INFO",
        "-ojunit_family=xunit1",
        allure,
    )

    done.assert_outcomes(failed=len(PLACES) - 2, passed=1, xfailed=1, warnings=1)
    assert MASK in done.stdout.str()
    assert leaks(configured.path, done) == []
    done.stdout.fnmatch_lines(["hangfm: a secret would have been part of the names of tests (2 value(s))*"])
    done.stdout.no_fnmatch_line("*result file(s) held a secret*")


@pytest.mark.parametrize("processes", ["0", "1"])
def test_the_report_still_reads_as_pytest_wrote_it(
    configured: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, processes: str
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    configured.makepyfile(SUITE)

    done = configured.runpytest_subprocess("-k", "an_assertion", "--junitxml=junit.xml", "-n", processes)

    done.stdout.fnmatch_lines(
        [
            f"E       AssertionError: assert '{MASK}...{MASK}' == 'something else'",
            "E         - something else",
            f"E         + {MASK}",
            f"FAILED *test_an_assertion_that_shows_both_sides* - AssertionError: assert '{MASK}...*",
        ]
    )
    written = (configured.path / "junit.xml").read_text(encoding="utf-8")
    assert "message=\"AssertionError: assert '&lt;masked&gt;..." in written


def test_the_first_line_of_a_masked_failure_keeps_its_indent(configured: pytest.Pytester) -> None:
    configured.makepyfile("import os\ndef test_it():\n    assert os.environ['BOT_USER_TOKEN'] == ''")

    done = configured.runpytest_subprocess()

    done.stdout.fnmatch_lines(["    def test_it():", f"E*AssertionError: assert '{MASK}*' == ''"])


def test_a_secret_in_an_error_at_collection_is_masked(configured: pytest.Pytester) -> None:
    configured.makepyfile("import os\nraise ValueError(os.environ['BOT_USER_TOKEN'])")

    done = configured.runpytest_subprocess("--junitxml=junit.xml", "--alluredir=results")

    done.assert_outcomes(errors=1)
    assert leaks(configured.path, done) == []


OF_A_SANDBOX: Final = "async def test_it(hangfm_sandbox):\n    write(hangfm_sandbox.bot.chat_token)"


@cases(
    "test arguments",
    ("a configured one", "def test_it():\n    write(os.environ['BOT_USER_TOKEN'])", ()),
    ("a sandbox's", OF_A_SANDBOX, ()),
    ("a sandbox's, which only a worker of xdist knows", OF_A_SANDBOX, ("-n", "1")),
)
def test_what_slips_through_fails(configured: pytest.Pytester, test: str, arguments: tuple[str, ...]) -> None:
    late = configured.mkdir("results") / "by-another-tool.txt"
    configured.makepyfile(f"import os, pathlib\nwrite = pathlib.Path({str(late)!r}).write_text\n\n{test}")

    done = configured.runpytest_subprocess("--alluredir=results", *arguments)

    done.assert_outcomes(passed=1)
    assert done.ret == 1
    done.stdout.fnmatch_lines(["hangfm: 1 result file(s) held a secret*by-another-tool.txt*"])
    assert late.read_text() == MASK


def test_tokens_of_a_sandbox_are_masked_in_its_own_test(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        """
        from pathlib import Path

        async def test_it(hangfm_sandbox, hangfm_open_user):
            alice = await hangfm_open_user("alice")
            tokens = [hangfm_sandbox.bot.token, hangfm_sandbox.bot.chat_token, alice.person.chat_token]
            Path("kept.list").write_text("\\n".join(tokens))
            print(*tokens)
            assert not tokens
        """
    )

    done = inner.runpytest_subprocess("--alluredir=results", "--junitxml=junit.xml", "-Wignore")

    tokens = inner.path.joinpath("kept.list").read_text().split()
    done.assert_outcomes(failed=1)
    assert len(tokens) == 3
    left = [path.read_text("utf-8") for path in (*inner.path.glob("results/*"), inner.path / "junit.xml")]
    assert [token for token in tokens for text in (*left, done.stdout.str()) if token in text] == []


def test_a_run_without_secrets_and_without_our_fixtures_is_left_as_it_is(inner: pytest.Pytester) -> None:
    inner.makepyfile("def test_it():\n    assert 'http://user:word@127.0.0.1/?token=abcdefgh' == ''")

    done = inner.runpytest_subprocess("--junitxml=junit.xml")

    done.assert_outcomes(failed=1)
    assert "token=abcdefgh" in done.stdout.str()


# -- the parts


def test_the_names_of_secrets_are_those_of_the_settings() -> None:
    kinds = {name: str(Settings.model_fields[name].annotation) for name in ENV}
    secret = {ENV[name].name for name, kind in kinds.items() if SecretStr.__name__ in kind}

    assert secret == set(SECRET_NAMES)


@cases(
    "line secrets",
    ("plain", "BOT_USER_TOKEN=abc-def", ["abc-def"]),
    ("quoted", "export BOT_USER_TOKEN = 'abc def'  # mine", ["'abc def'", "abc def"]),
    ("password-in-a-url", "SOCKET_SERVER_URL=wss://me:pass-word@host", ["pass-word"]),
    ("another-programs", "DISCORD_TOKEN=abc-def", ["abc-def"]),
    ("a-key-that-is-the-public-id", "COMETCHAT_APPID=abc\nCOMETCHAT_API_KEY=abc", []),
    ("no-secret", "BOT_NAME=abc-def", []),
    ("empty", "BOT_USER_TOKEN=", []),
    ("garbage", b"\x00\x80 = = =", []),
)
def test_secrets_are_found_in_any_file(tmp_path: Path, line: str | bytes, secrets: list[str]) -> None:
    path = tmp_path / "some.env"
    path.write_bytes(line if isinstance(line, bytes) else line.encode())

    assert list(configured_secrets(path.read_bytes().decode("utf-8", "replace"), {})) == secrets


def test_secrets_are_found_in_the_environment_where_there_is_no_file() -> None:
    environ = {"COMETCHAT_AUTH": "abc-def", "OTHER_TOKEN": "x"}

    assert configured_secrets("", environ) == ("abc-def",)


def test_a_scan_masks_known_secrets_only_and_keeps_every_other_byte(tmp_path: Path) -> None:
    good = b"\xff\x00 Authorization: Bearer eyJhbGciOi.eyJ1dWlk.c2lnbmF0dXJl \xfe"
    (tmp_path / "good.bin").write_bytes(good)
    (tmp_path / "bad.bin").write_bytes(b"\xff" + SENTINEL.encode() + b"\xfe")

    found = scan([tmp_path, tmp_path / "none"], Redactor([SENTINEL]), Tokens())

    assert [path.name for path in found] == ["bad.bin"]
    assert (tmp_path / "good.bin").read_bytes() == good
    assert (tmp_path / "bad.bin").read_bytes() == b"\xff" + MASK.encode() + b"\xfe"


def test_thousands_of_tokens_are_looked_for_at_once(tmp_path: Path) -> None:
    tokens = [f"eyJhbGciOiJIUzI1NiJ9.eyJ1dWlkIjoiMTIzIn0.signature-number-{n:06}" for n in range(5000)]
    path = tmp_path / "report.json"
    path.write_text(json.dumps({"url": f"?token={tokens[4711]}&x=1"}), encoding="utf-8")

    assert scan([path], Redactor(), Tokens(tokens)) == [path]
    assert "004711" not in path.read_text(encoding="utf-8")


@given(secret=st.text(st.characters(codec="utf-8"), min_size=6, max_size=30), around=st.text(max_size=20))
def test_whatever_a_secret_looks_like_no_report_of_any_shape_holds_it(secret: str, around: str) -> None:
    redactor = Redactor([secret])
    told = f"{around} {secret} {around}"
    sections, properties = [("Captured log", told)], [("name", {"deep": [told]})]
    report = SimpleNamespace(sections=sections, user_properties=properties, longrepr=(told, 3, told))

    mask_report(report, lambda text, _: redactor.text(text), redactor.value)  # type: ignore[arg-type]  # all that it touches

    texts = [report.sections[0][1], report.user_properties[0][1]["deep"][0], report.longrepr[2]]
    assert all(not redactor.holds(text) for text in texts)
    assert redactor.holds(told)


def test_what_only_looks_like_a_token_is_not_held() -> None:
    assert not Redactor([SENTINEL]).holds("Authorization: Bearer eyJhbGciOi.eyJ1dWlk.c2lnbmF0dXJl")
    assert Redactor([SENTINEL]).holds(re.sub("$", SENTINEL, "?x="))

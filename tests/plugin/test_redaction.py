"""No secret in anything a run leaves: sentinel tokens, planted in every way that is known to leak."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from hangbot.config import ENV, Settings
from hangbot.redact import MASK, Redactor
from pytest_hangfm.reporting.masking import mask_report
from pytest_hangfm.reporting.scan import Tokens, scan
from pytest_hangfm.secrets import SECRET_NAMES, configured_secrets

SENTINEL = "sentinel-4711-of-nobody-you-know"
FOREIGN = "another-program's password"
ROOM = "1d0a1c9a-8b1a-4b7a-9a63-000000000001"

NINE_WAYS = f"""
    import json, logging, os, sys, warnings
    from pathlib import Path
    import httpx, jsonpatch, pydantic, pytest

    TOKEN = os.environ["BOT_USER_TOKEN"]


    def test_1_an_assertion_that_shows_both_sides():
        assert TOKEN == "something else"


    class Config:
        def __init__(self, token):
            self.token = token

        def __repr__(self):
            return f"Config(token={{self.token!r}})"


    @pytest.fixture
    def config():
        return Config(TOKEN)


    def test_2_an_argument_in_the_traceback(config):
        raise ValueError("look above")


    def test_3_a_local_under_showlocals():
        unwrapped = TOKEN + ""
        raise ValueError("look below")


    @pytest.mark.parametrize("token", [TOKEN])
    def test_4_the_name_of_a_test(token):
        assert not token


    def test_5_a_validation_error_with_its_input():
        class Settings(pydantic.BaseModel):
            port: int

        Settings(port=TOKEN)


    def test_6_the_url_of_a_request_in_log_and_error(caplog):
        caplog.set_level(logging.INFO)
        respond = lambda request: httpx.Response(403, request=request)
        with httpx.Client(transport=httpx.MockTransport(respond), trust_env=False) as client:
            client.get("http://127.0.0.1/room", params={{"key": TOKEN}}).raise_for_status()


    def test_7_every_header_in_a_debug_log():
        logging.getLogger("websockets.client").warning("> apikey: %s", TOKEN)
        raise AssertionError("see the log")


    def test_8_what_is_printed_and_attached(record_property):
        record_property("token", TOKEN)
        print("standard output:", TOKEN)
        print("standard error:", TOKEN, file=sys.stderr)
        try:
            import allure
        except ImportError:
            pass
        else:
            allure.attach(json.dumps({{"token": TOKEN}}), "by hand", allure.attachment_type.JSON)
            allure.attach(TOKEN.encode(), "as bytes", allure.attachment_type.TEXT)
            Path("note.txt").write_text(TOKEN)
            allure.attach.file("note.txt", "a file", allure.attachment_type.TEXT)
            with allure.step(f"a step with {{TOKEN}}"):
                pass
            allure.dynamic.parameter("token", TOKEN)
        raise AssertionError("see the sections")


    def test_9_a_patch_that_prints_the_whole_document():
        jsonpatch.apply_patch({{"token": TOKEN}}, [{{"op": "remove", "path": "/nothing"}}])


    def test_10_a_warning():
        warnings.warn(f"the token is {{TOKEN}}", UserWarning)


    def test_11_a_chain_of_errors_and_another_programs_secret():
        try:
            raise KeyError(TOKEN)
        except KeyError as exc:
            raise RuntimeError("{FOREIGN}") from exc
"""


@pytest.fixture
def configured(inner: pytest.Pytester) -> pytest.Pytester:
    """A folder with a configuration that holds the sentinel, under one of our names and a foreign one."""
    inner.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\nlog_file = run.log\n")
    inner.path.joinpath("hang-fm-config.env").write_text(
        f"BOT_USER_TOKEN='{SENTINEL}'\nROOM_UUID={ROOM}\nSPOTIFY_CLIENT_SECRET=\"{FOREIGN}\"  # not ours\n",
        encoding="utf-8",
    )
    return inner


PIECES = (SENTINEL[:10], SENTINEL[-10:], FOREIGN[:12])
"""What pytest leaves of a secret that it shortens is masked as well."""


def leaks(folder: Path) -> list[str]:
    """Name the files below a folder that hold a secret, but those where it was put."""
    put = {"hang-fm-config.env", "note.txt", "stdout", "stderr"}
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file()
        and path.name not in put
        and any(secret in path.read_text("utf-8", "replace") for secret in PIECES)
        and path.suffix not in {".py", ".pyc"}
    )


@pytest.mark.parametrize("allure", ["--alluredir=results", "-pno:allure_pytest"], ids=["allure", "plain"])
@pytest.mark.parametrize("style", ["long", "short", "line", "native"])
def test_a_secret_in_each_of_the_known_ways_is_in_nothing_that_a_run_leaves(
    configured: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, style: str, allure: str
) -> None:
    configured.makepyfile(NINE_WAYS)
    monkeypatch.setenv("BOT_USER_TOKEN", SENTINEL)
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest -p no:randomly -p no:anyio")

    done = configured.runpytest_subprocess(
        "--showlocals",
        f"--tb={style}",
        "--junitxml=junit.xml",
        "--log-cli-level=INFO",
        "-ojunit_family=xunit1",
        allure,
    )

    done.assert_outcomes(failed=10, passed=1, warnings=1)
    assert [piece for piece in PIECES if piece in done.stdout.str() + done.stderr.str()] == []
    assert MASK in done.stdout.str()
    assert leaks(configured.path) == []
    done.stdout.fnmatch_lines(["hangfm: a secret would have been part of the names of tests (1 value(s))*"])
    done.stdout.no_fnmatch_line("*result file(s) held a secret*")


def test_the_report_still_reads_as_pytest_wrote_it(
    configured: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured.makepyfile(NINE_WAYS)
    monkeypatch.setenv("BOT_USER_TOKEN", SENTINEL)

    done = configured.runpytest_subprocess("-k", "test_1_ or test_11", "--junitxml=junit.xml")

    done.stdout.fnmatch_lines(
        [
            f"E       AssertionError: assert '{MASK}...{MASK}' == 'something else'",
            "E         - something else",
            f"E         + {MASK}",
            "FAILED *test_1_an_assertion_that_shows_both_sides*",
        ]
    )
    written = (configured.path / "junit.xml").read_text(encoding="utf-8")
    assert "message=\"AssertionError: assert '&lt;masked&gt;..." in written


def test_a_secret_in_an_error_at_collection_is_masked(
    configured: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOT_USER_TOKEN", SENTINEL)
    configured.makepyfile("import os\nraise ValueError(os.environ['BOT_USER_TOKEN'])")

    done = configured.runpytest_subprocess("--junitxml=junit.xml", "--alluredir=results")

    done.assert_outcomes(errors=1)
    assert SENTINEL not in done.stdout.str()
    assert leaks(configured.path) == []


def test_what_slips_through_is_masked_at_the_end_and_fails_the_run(
    configured: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOT_USER_TOKEN", SENTINEL)
    configured.makepyfile(
        """
        import os
        from pathlib import Path

        def test_it():
            Path("results").mkdir(exist_ok=True)
            Path("results", "by-another-tool.txt").write_text("token " + os.environ["BOT_USER_TOKEN"])
        """
    )

    done = configured.runpytest_subprocess("--alluredir=results")

    done.assert_outcomes(passed=1)
    assert done.ret == 1
    done.stdout.fnmatch_lines(["hangfm: 1 result file(s) held a secret*by-another-tool.txt*"])
    assert (configured.path / "results" / "by-another-tool.txt").read_text() == f"token {MASK}"


def test_tokens_of_a_sandbox_are_masked_in_its_own_test(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        """
        import pytest
        from pathlib import Path

        pytestmark = pytest.mark.asyncio

        async def test_it(hangfm_sandbox, hangfm_open_user):
            alice = await hangfm_open_user("alice")
            tokens = [hangfm_sandbox.bot.token, hangfm_sandbox.bot.chat_token, alice.person.chat_token]
            Path("kept.list").write_text("\\n".join(tokens))
            print(*tokens)
            assert not tokens

        async def test_it_leaks(hangfm_sandbox):
            Path("kept.list").open("a").write("\\n" + hangfm_sandbox.bot.chat_token)
            Path("results", "late.txt").write_text(hangfm_sandbox.bot.chat_token)
        """
    )
    inner.path.joinpath("results").mkdir()

    done = inner.runpytest_subprocess("--alluredir=results", "--junitxml=junit.xml", "-Wignore")

    tokens = inner.path.joinpath("kept.list").read_text().split()
    done.assert_outcomes(failed=1, passed=1)
    assert len(tokens) == 4
    assert [token for token in tokens if token in done.stdout.str()] == []
    done.stdout.fnmatch_lines(["hangfm: 1 result file(s) held a secret*late.txt*"])
    left = [*inner.path.joinpath("results").iterdir(), inner.path / "junit.xml"]
    assert [path for path in left for token in tokens if token in path.read_text("utf-8")] == []


def test_with_xdist_the_controller_looks_for_what_its_workers_knew(inner: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    inner.makepyfile(
        """
        import pytest
        from pathlib import Path

        @pytest.mark.asyncio
        async def test_it(hangfm_sandbox):
            Path("results", "late.txt").write_text(hangfm_sandbox.bot.chat_token)
        """
    )
    inner.path.joinpath("results").mkdir()

    done = inner.runpytest_subprocess("--alluredir=results", "-n", "1")

    assert done.ret == 1
    assert inner.path.joinpath("results", "late.txt").read_text() == MASK


def test_a_run_without_secrets_and_without_our_fixtures_is_none_of_our_business(
    inner: pytest.Pytester,
) -> None:
    inner.makepyfile(
        """
        def test_it():
            text = "http://user:word@127.0.0.1/?token=abcdefgh"
            assert text == ""
        """
    )

    done = inner.runpytest_subprocess("--junitxml=junit.xml")

    done.assert_outcomes(failed=1)
    assert "token=abcdefgh" in done.stdout.str()


# -- the parts


def test_the_names_of_secrets_are_those_of_the_settings() -> None:
    secret = {
        env.name
        for name, env in ENV.items()
        if SecretStr.__name__ in str(Settings.model_fields[name].annotation)
    }

    assert secret == set(SECRET_NAMES)


@pytest.mark.parametrize(
    ("line", "secrets"),
    [
        pytest.param("BOT_USER_TOKEN=abc-def", ["abc-def"], id="plain"),
        pytest.param("export BOT_USER_TOKEN = 'abc def'  # mine", ["'abc def'", "abc def"], id="quoted"),
        pytest.param("SOCKET_SERVER_URL=wss://me:pass-word@host", ["pass-word"], id="password-in-a-url"),
        pytest.param("DISCORD_TOKEN=abc-def", ["abc-def"], id="another-programs"),
        pytest.param("COMETCHAT_APPID=abc\nCOMETCHAT_API_KEY=abc", [], id="a-key-that-is-the-public-id"),
        pytest.param("BOT_NAME=abc-def", [], id="no-secret"),
        pytest.param("BOT_USER_TOKEN=", [], id="empty"),
        pytest.param(b"\x00\x80 = = =", [], id="garbage"),
    ],
)
def test_secrets_are_found_in_a_file_in_whatever_state_it_is(
    tmp_path: Path, line: str | bytes, secrets: list[str]
) -> None:
    path = tmp_path / "some.env"
    path.write_bytes(line if isinstance(line, bytes) else line.encode())

    assert list(configured_secrets(path, {})) == secrets


def test_secrets_are_found_in_the_environment_where_there_is_no_file(tmp_path: Path) -> None:
    assert configured_secrets(tmp_path / "none", {"COMETCHAT_AUTH": "abc-def", "OTHER_TOKEN": "x"}) == (
        "abc-def",
    )


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
def test_whatever_a_secret_looks_like_a_report_of_any_shape_does_not_hold_it(
    secret: str, around: str
) -> None:
    redactor = Redactor([secret])
    told = f"{around} {secret} {around}"
    report = SimpleNamespace(
        sections=[("Captured log", told)],
        user_properties=[("name", {"deep": [told]})],
        longrepr=(told, 3, told),
    )

    mask_report(report, lambda text, _: redactor.text(text), redactor.value)  # type: ignore[arg-type]  # all that it touches

    texts = [report.sections[0][1], report.user_properties[0][1]["deep"][0], report.longrepr[2]]
    assert all(not redactor.holds(text) for text in texts)
    assert redactor.holds(told)


def test_what_only_looks_like_a_token_is_not_held() -> None:
    assert not Redactor([SENTINEL]).holds("Authorization: Bearer eyJhbGciOi.eyJ1dWlk.c2lnbmF0dXJl")
    assert Redactor([SENTINEL]).holds(re.sub("$", SENTINEL, "?x="))

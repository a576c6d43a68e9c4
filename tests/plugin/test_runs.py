"""What bot authors see: inner runs of pytest, each in a process of its own."""

import json
import sys
from pathlib import Path

import pytest

import pytest_hangfm.fixtures
from tests.cases import cases
from tests.plugin.conftest import WITHOUT_ALLURE

FIVE_LINES = """
    import pytest

    @pytest.mark.asyncio
    async def test_my_bot_speaks(hangfm_bot, hangfm_room_log):
        await hangfm_bot.say("hello")
        await hangfm_room_log.expect("hello")
"""

WRONG = """
    import asyncio, socket
    import pytest

    pytestmark = pytest.mark.asyncio

    async def test_a_fault_that_never_hits(hangfm_sandbox):
        hangfm_sandbox.faults.add("chat.send", "hang")

    async def test_a_request_nobody_knows(hangfm_sandbox, hangfm_chat):
        with pytest.raises(Exception):
            await hangfm_chat.call("GET", "/no-such-route", what="nothing")

    async def test_a_task_that_stays(hangfm_target):
        asyncio.create_task(asyncio.sleep(100), name="forgotten")

    async def test_a_socket_that_stays(hangfm_target):
        global kept
        kept = socket.create_server(("127.0.0.1", 0))

    async def test_a_way_out(hangfm_target):
        with pytest.raises(OSError):
            await asyncio.open_connection("192.0.2.1", 80)

    @pytest.mark.remedy("Ask again tomorrow.")
    async def test_a_wrong_tier(hangfm_bot, hangfm_acks):
        await hangfm_bot.say("hello", key="m-1")
        await hangfm_acks.settled("m-1")
        hangfm_acks.assert_delivered("m-1", tier=2)

    @pytest.mark.live
    async def test_the_real_thing():
        raise AssertionError("not to be run")

    async def test_two_bots_and_a_person(hangfm_open_bot, hangfm_user, hangfm_room_log):
        async def echo(bot, message):
            if message.text == "ping":
                await bot.say("pong")

        await hangfm_open_bot(app=echo)
        await hangfm_user.say("ping")
        await hangfm_room_log.expect("pong")
"""

ALLOWED = """
    import pytest

    @pytest.fixture
    def hangfm_allow_unused_faults():
        return True

    @pytest.fixture
    def hangfm_sandbox_options():
        return {"dialect": "cometchat"}

    @pytest.fixture
    def hangfm_settings(hangfm_settings):
        return hangfm_settings.with_changes(boot_message="from a fixture")

    async def test_what_an_author_overrides(hangfm_sandbox, hangfm_bot, hangfm_room_log):
        hangfm_sandbox.faults.add("chat.send", "hang", after=50)
        assert hangfm_sandbox.dialect == "cometchat"
        await hangfm_room_log.expect("from a fixture")

    def test_a_test_without_a_loop(hangfm_sandbox, hangfm_settings):
        assert hangfm_settings.room_uuid == hangfm_sandbox.room_uuid
        assert hangfm_sandbox.bot.token not in repr(hangfm_settings)
"""

BARE = """
    import sys
    import pytest

    class NotInstalled:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] in {"pytest_asyncio", "allure", "pytest_timeout"}:
                raise ModuleNotFoundError(name)

    sys.meta_path.insert(0, NotInstalled())
    blocked = ["no:asyncio", "no:allure_pytest", "no:timeout"]
    sys.exit(pytest.main([part for name in blocked for part in ("-p", name)]))
"""


def test_in_strict_mode_five_lines_pass_and_what_is_wrong_is_shown(inner: pytest.Pytester) -> None:
    inner.makepyfile(test_five_lines=FIVE_LINES, test_wrong=WRONG)

    result = inner.runpytest_subprocess("-rs", *WITHOUT_ALLURE)

    header = "hangfm: everything on the sandbox on 127.0.0.1, nothing live is touched"
    result.stdout.fnmatch_lines([header, "test_five_lines.py . *"])
    result.assert_outcomes(passed=6, failed=2, errors=4, skipped=1)
    text = result.stdout.str()
    for line in (
        "fault 1 (hang on chat.send) was expected to hit and never did: make the request that it waits for",
        "no route of the sandbox knows",
        "the test left 1 task(s) running: forgotten",
        "the test left 1 socket(s) open: 127.0.0.1:",
        "the test wanted to reach 192.0.2.1:80: only loopback is allowed",
        "m-1 was to be delivered in tier 2, and is delivered in tier 1 after 1 attempt(s)",
        "live: runs with --hangfm-target=live only",
    ):
        assert line in text
    parts = ["*- what to do -*", "Ask again tomorrow.", "*- on the sandbox's wires -*"]
    result.stdout.fnmatch_lines([*parts, "*room -> hangbot: welcome*"])


def test_in_auto_mode_fixtures_can_be_overridden(inner: pytest.Pytester) -> None:
    inner.makepyfile(ALLOWED)

    inner.runpytest_subprocess("-o", "asyncio_mode=auto").assert_outcomes(passed=2)


def test_without_the_extra_a_fixture_says_what_to_install(inner: pytest.Pytester) -> None:
    inner.makepyfile("def test_one(hangfm_sandbox): ...\ndef test_two(): ...", bare=BARE)
    inner.makeini("[pytest]")

    result = inner.run(sys.executable, "bare.py")

    result.assert_outcomes(passed=1, errors=1)
    needs = "hangfm_sandbox needs the plugin pytest-asyncio: pip install 'hangbot[[]test[]]'"
    result.stdout.fnmatch_lines([needs])


def test_a_run_that_does_not_use_the_plugin_is_left_alone(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        """
        import sys

        def test_it():
            assert {"httpx", "websockets", "pydantic", "aiohttp"}.isdisjoint(sys.modules)
        """
    )

    result = inner.runpytest_subprocess(*WITHOUT_ALLURE)

    result.assert_outcomes(passed=1)


@cases(
    "option words",
    ("help", "--help", "--hangfm-target --hangfm-json HANGFM_LIVE_WRITES hangfm_strict --hangfm-guard"),
    ("markers", "--markers", "preflight(id) stage: live: remedy(text) virtual_time: allow_failed_actions:"),
    ("fixtures", "--fixtures", " ".join(pytest_hangfm.fixtures.__all__)),
)
def test_pytest_itself_explains_everything(inner: pytest.Pytester, option: str, words: str) -> None:
    text = inner.runpytest_subprocess(option, "-v").stdout.str()

    assert [word for word in words.split() if word not in text] == []


def test_every_fixture_has_an_example() -> None:
    fixtures = [getattr(pytest_hangfm, name) for name in pytest_hangfm.fixtures.__all__]

    assert [each.__name__ for each in fixtures if "::\n" not in (each.__doc__ or "")] == []


def test_each_stage_is_a_line_of_what_became_of_its_own(inner: pytest.Pytester, tmp_path: Path) -> None:
    inner.makepyfile(
        test_chat_ack_retry="""
            import pytest

            pytestmark = pytest.mark.stage

            async def test_at_once_and_after_a_retry(hangfm_sandbox, hangfm_bot, hangfm_acks):
                await hangfm_bot.say("one", key="m-1")
                await hangfm_acks.settled("m-1")
                hangfm_sandbox.faults.add("chat.send", "cut_after_store")
                await hangfm_bot.say("two", key="m-2")
                await hangfm_acks.settled("m-2")

            async def test_a_plain_action(hangfm_room):
                await hangfm_room.act("playOneTimeAnimation", animation="jump")
        """
    )
    found = tmp_path / "verdict.json"

    result = inner.runpytest_subprocess("-n", "2", f"--hangfm-json={found}")

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["Chat ACK retry: 3 of 3, 100 %; 2 at once, 1 after a retry"])
    (stage,) = json.loads(found.read_text())["stages"]
    assert (stage["sent"], stage["at_once"], stage["after_retry"], stage["success_rate"]) == (3, 2, 1, 1.0)

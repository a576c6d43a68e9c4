"""Async tests that use the plugin, in projects that have configured nothing."""

import pytest

TESTS = """
    import pytest

    async def test_as_the_readme_has_it(hangfm_sandbox, hangfm_bot):
        hangfm_sandbox.faults.add("chat.send", "cut_after_store")
        (stored,) = await hangfm_bot.say("hello")
        assert (await hangfm_bot.settled(stored.message.id)).tier == 2

    class TestAClass:
        async def test_in_a_class(self, hangfm_bot):
            await hangfm_bot.ready()

    @pytest.mark.asyncio
    async def test_with_a_mark_of_its_own(hangfm_bot):
        await hangfm_bot.ready()
"""
ON_OTHER_LOOPS = """
    import pytest

    @pytest.mark.anyio
    async def test_on_anyio(hangfm_bot): ...

    @pytest.mark.asyncio(loop_scope="module")
    async def test_on_the_modules_loop(hangfm_bot): ...

    @pytest.mark.asyncio(loop_scope="module")
    async def test_without_our_fixtures(): ...
"""


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_async_tests_run_without_a_mark_in_any_mode(inner: pytest.Pytester, mode: str) -> None:
    inner.makepyfile(TESTS)

    result = inner.runpytest_subprocess("-o", f"asyncio_mode={mode}")

    result.assert_outcomes(passed=3)


@pytest.mark.parametrize(("configuration", "told"), [(None, False), ("[pytest]\n", True)])
def test_an_empty_folder_is_not_lectured_on_a_setting_of_pytest_asyncio(
    inner: pytest.Pytester,
    configuration: str | None,
    told: bool,  # noqa: FBT001  column of the table
) -> None:
    inner.path.joinpath("tox.ini").unlink()
    if configuration is not None:
        inner.makefile(".ini", pytest=configuration)
    inner.makepyfile("async def test_a_bot(hangfm_bot):\n    await hangfm_bot.ready()")

    result = inner.runpytest_subprocess()

    result.assert_outcomes(passed=1)
    assert ("asyncio_default_fixture_loop_scope" in result.stderr.str()) is told


def test_an_async_test_of_others_is_left_to_them(inner: pytest.Pytester) -> None:
    inner.makepyfile("async def test_of_others(): ...\ndef test_ours(hangfm_target): ...")

    result = inner.runpytest_subprocess()

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*async def functions are not natively supported*"])


def test_another_loop_is_told_in_a_sentence(inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_ADDOPTS")  # anyio's plugin is part of this
    inner.makepyfile(ON_OTHER_LOOPS)

    result = inner.runpytest_subprocess("-p", "no:randomly")

    result.assert_outcomes(passed=1, errors=2)
    result.stdout.fnmatch_lines(
        [
            "hangfm_bot runs on pytest-asyncio, and this test on anyio: take the mark `anyio` off;*",
            "this test runs on the event loop of its module, and hangfm_bot on that of its function: *",
        ]
    )
    result.stdout.no_fnmatch_line("*RuntimeError*")


@pytest.mark.parametrize(
    "arguments", [pytest.param((), id="one process"), pytest.param(("-n", "2"), id="xdist")]
)
def test_a_project_without_checks_has_those_of_the_plugin(
    inner: pytest.Pytester, arguments: tuple[str, ...]
) -> None:
    inner.makepyfile("def test_of_the_project(): ...")

    result = inner.runpytest_subprocess("-m", "preflight", *arguments)

    assert result.ret == 0
    result.stdout.fnmatch_lines(["*[[]OK[]]*Configuration is complete*", "SANDBOX ONLY: *"])


def test_a_project_with_a_check_of_its_own_has_only_that(inner: pytest.Pytester) -> None:
    inner.makepyfile("""
        import pytest

        @pytest.mark.preflight("my.own")
        def test_mine(): ...
    """)

    result = inner.runpytest_subprocess("-m", "preflight")

    result.assert_outcomes(passed=1)


def test_checks_that_cannot_be_imported_are_not_replaced(inner: pytest.Pytester) -> None:
    inner.makepyfile("import no_such_module")

    result = inner.runpytest_subprocess("-m", "preflight")

    result.assert_outcomes(errors=1)

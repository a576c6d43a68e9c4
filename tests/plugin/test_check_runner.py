from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from hangbot.errors import TokenRejected, Unreachable
from hangbot.preflight import Check, Finding
from pytest_hangfm.check_runner import run_in_order
from pytest_hangfm.options import OPTIONS
from tests.cases import cases

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hangbot.config import Settings
    from hangbot.preflight import CheckContext
    from pytest_hangfm import Check as RunCheck


@pytest.fixture
def strict(request: pytest.FixtureRequest) -> Iterator[None]:
    """This run with --hangfm-strict, for one test."""
    options = request.config.stash[OPTIONS]
    request.config.stash[OPTIONS] = options._replace(strict=True)
    yield
    request.config.stash[OPTIONS] = options


async def good(context: CheckContext) -> Finding:
    return Finding(f"the room is {context.settings.room_uuid}")


async def doubtful(_: CheckContext) -> Finding:
    return Finding("the token expires tomorrow", "Renew BOT_USER_TOKEN.")


async def refused(_: CheckContext) -> Finding:
    raise TokenRejected("the gateway refused the token", service="gateway")


async def away(_: CheckContext) -> Finding:
    raise Unreachable("no connection", service="chat", remedy="Plug it in.")


async def test_a_good_answer_passes(hangfm_check: RunCheck) -> None:
    await hangfm_check(good)


async def test_a_warning_passes(hangfm_check: RunCheck) -> None:
    await hangfm_check(doubtful)


@pytest.mark.usefixtures("strict")
async def test_a_warning_fails_when_strict(hangfm_check: RunCheck) -> None:
    with pytest.raises(pytest.fail.Exception) as caught:
        await hangfm_check(doubtful)

    warned = "[FAIL] A warning fails when strict: the token expires tomorrow"
    assert str(caught.value) == f"{warned}\n       -> Renew BOT_USER_TOKEN."


async def test_a_refusal_fails_with_its_remedy(hangfm_check: RunCheck) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"^\[FAIL\] .*: the gateway refused the token\n .*Renew"):
        await hangfm_check(refused)


async def test_what_cannot_be_told_fails_in_its_own_words(hangfm_check: RunCheck) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"^\[\?\?\?\?\] .*: no connection\n .*Plug it in"):
        await hangfm_check(away)


def preflight_item(name: str) -> Any:  # noqa: ANN401  in a test's place
    """A test that asks one of preflight's questions."""
    return SimpleNamespace(get_closest_marker=lambda _: SimpleNamespace(args=(name,)))


@cases(
    "in_this_run verdict message",
    ("asked first", ["outbox"], "skipped", 'because of "Outbox is writable"'),
    ("left out of this run", ["clock"], "ok", None),
)
async def test_what_a_question_needs_is_asked_first_where_this_run_asks_it_on_another_worker(
    in_this_run: list[str],
    verdict: str,
    message: str | None,
    hangfm_settings: Settings,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    question = Check("own", "An own one", good, needs=("outbox",))
    settings = hangfm_settings.with_changes(outbox=tmp_path / "no such folder" / "outbox")
    stash = pytest.Stash()
    stash[OPTIONS] = request.config.stash[OPTIONS]
    session = SimpleNamespace(items=[preflight_item(name) for name in in_this_run])
    item: Any = SimpleNamespace(config=SimpleNamespace(stash=stash), session=session)

    result = await run_in_order(item, question, settings)

    assert result.verdict == verdict
    assert message in {None, result.message}

from collections.abc import Iterator
from dataclasses import replace

import pytest

from hangbot.errors import TokenRejected, Unreachable
from hangbot.preflight import Finding, Subject
from pytest_hangfm import Check
from pytest_hangfm.options import OPTIONS


@pytest.fixture
def strict(request: pytest.FixtureRequest) -> Iterator[None]:
    """This run with --hangfm-strict, for one test."""
    options = request.config.stash[OPTIONS]
    request.config.stash[OPTIONS] = replace(options, strict=True)
    yield
    request.config.stash[OPTIONS] = options


async def good(subject: Subject) -> Finding:
    return Finding(f"the room is {subject.settings.room_uuid}")


async def doubtful(_: Subject) -> Finding:
    return Finding("the token expires tomorrow", "Renew BOT_USER_TOKEN.")


async def refused(_: Subject) -> Finding:
    raise TokenRejected("the gateway refused the token", service="gateway")


async def away(_: Subject) -> Finding:
    raise Unreachable("no connection", service="chat", remedy="Plug it in.")


async def test_a_good_answer_passes(hangfm_check: Check) -> None:
    await hangfm_check(good)


async def test_a_warning_passes(hangfm_check: Check) -> None:
    await hangfm_check(doubtful)


@pytest.mark.usefixtures("strict")
async def test_a_warning_fails_when_strict(hangfm_check: Check) -> None:
    with pytest.raises(pytest.fail.Exception) as caught:
        await hangfm_check(doubtful)

    assert str(caught.value) == (
        "[FAIL] A warning fails when strict: the token expires tomorrow\n       -> Renew BOT_USER_TOKEN."
    )


async def test_a_refusal_fails_with_its_remedy(hangfm_check: Check) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"^\[FAIL\] .*: the gateway refused the token\n .*Renew"):
        await hangfm_check(refused)


async def test_what_cannot_be_told_fails_in_its_own_words(hangfm_check: Check) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"^\[\?\?\?\?\] .*: no connection\n .*Plug it in"):
        await hangfm_check(away)

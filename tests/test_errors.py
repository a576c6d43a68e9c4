import inspect
import re

import pytest

from hangbot import errors
from hangbot.errors import ConfigError, HangbotError, ServiceError
from hangbot.exit_codes import worst
from hangbot.system_errors import first_of

CLASSES = [
    value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, HangbotError)
]


def drawn() -> dict[str, str | None]:
    """Read the tree in the module's docstring: each class and the one it hangs on."""
    parents: dict[str, str | None] = {}
    branch: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"    ([│ ]*)(?:[├└]── )?([A-Z][A-Za-z]+)(?=\s|$)", line)
        if not found or ("──" not in line and found[2] != "HangbotError"):
            continue
        depth = line.index(found[2])
        branch = [(at, name) for at, name in branch if at < depth]
        parents[found[2]] = branch[-1][1] if branch else None
        branch.append((depth, found[2]))
    return parents


def made(kind: type[HangbotError]) -> HangbotError:
    return kind("what happened", service="chat") if issubclass(kind, ServiceError) else kind("what happened")


def test_the_tree_that_is_drawn_is_the_tree_that_is() -> None:
    real = {kind.__name__: kind.__bases__[0].__name__ for kind in CLASSES}

    assert drawn() == real | {"HangbotError": None}


@pytest.mark.parametrize("kind", CLASSES)
def test_every_class_says_what_to_do_in_a_sentence_of_its_own_and_has_a_code_of_the_contract(
    kind: type[HangbotError],
) -> None:
    error, special = made(kind), made(kind)
    special.remedy = "Do this."

    assert re.fullmatch(r"[A-Z`].+\.", kind.remedy)
    assert kind is ServiceError or "remedy" in vars(kind)
    assert kind.exit_code in {1, 2, 3, 4}
    assert (str(error), error.remedy, special.remedy) == ("what happened", kind.remedy, "Do this.")


def test_of_several_results_the_worst_counts_usage_before_failure_before_a_kick_before_doubt() -> None:
    assert [worst(*codes) for codes in ([0, 3], [3, 4, 0], [4, 3, 1], [1, 2, 4], [])] == [3, 4, 1, 2, 0]


def test_a_refused_token_refuses_nothing_else_and_a_401_is_about_it_but_for_members() -> None:
    about = {
        (kind.__name__, status)
        for kind in CLASSES
        if issubclass(kind, ServiceError)
        for status in (401, 403)
        if kind("no", service="chat", status=status).about_token
    }

    assert about == {
        ("TokenRejected", 401),
        ("TokenRejected", 403),
        *((kind, 401) for kind in ("Refused", "NotFound", "JoinRefused", "RemovedFromRoom")),
    }


def test_only_these_may_succeed_when_made_again_or_have_been_carried_out() -> None:
    in_doubt = {"AnswerLost", "AckTimeout", "ConnectionLost", "ActionLost", "Unavailable"}
    to_retry = {"Unreachable", "RateLimited", "OutboxLocked", "OutboxDiskFull"} | in_doubt - {"ActionLost"}

    assert {kind.__name__ for kind in CLASSES if kind.ambiguous} == in_doubt
    assert {kind.__name__ for kind in CLASSES if kind.retryable} == to_retry


def test_a_service_error_keeps_what_is_known_of_the_answer() -> None:
    error = ServiceError("no", service="chat", status=429, code="ERR_X", retry_after=15.0, remedy="Wait.")

    known = (error.service, error.status, error.code, error.retry_after, error.remedy)
    assert known == ("chat", 429, "ERR_X", 15.0, "Wait.")


def test_a_configuration_error_names_every_fault() -> None:
    error = ConfigError("2 faults", faults=["A: missing", "B: no number"])

    assert error.faults == ("A: missing", "B: no number")


def test_the_first_of_a_nested_group_is_found() -> None:
    inner = HangbotError("first")
    nested = BaseExceptionGroup("inner", [inner, HangbotError("second")])
    group: BaseExceptionGroup[HangbotError] = BaseExceptionGroup("outer", [nested])  # type: ignore[list-item]  # typeshed nests none

    assert first_of(group) is inner

"""What a worker says of its folder and its rooms: once for as long as it stays so, and when it is over."""

import pytest

from hangbot.fleet.assignment import Assignment
from hangbot.fleet.entries import Folder
from hangbot.fleet.notices import PATIENCE, Notices
from pytest_hangfm.manual_clock import ManualClock

DIFFERS = Assignment(refused={"key": "red.env differs"})


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def notices(clock: ManualClock) -> Notices:
    return Notices(clock)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_a_folder_that_is_away_again_is_said_again(
    notices: Notices, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")

    for _ in range(2):
        notices.no_folder("the disk is away")
        notices.no_folder("the disk is away")
        notices.folder(Folder())

    assert (
        said(caplog)
        == [
            "[ERROR] the rooms are left as they are: the disk is away",
            "[OK] the rooms: the folder can be read again",
        ]
        * 2
    )


def test_a_file_is_named_once(notices: Notices, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        notices.folder(Folder({}, {"red": "it is empty"}))

    assert said(caplog) == ["[ERROR] red.env cannot be used: it is empty"]


def test_a_line_names_some_of_many_rooms(notices: Notices, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")

    notices.plan(Assignment(crowded=tuple(f"room-{n}" for n in range(10_000))), str)

    assert "room-19 and 9980 more" in caplog.text
    assert "room-20" not in caplog.text


@pytest.mark.parametrize(
    ("lasts", "levels"),
    [
        pytest.param(PATIENCE / 2, ["INFO"], id="until all have looked"),
        pytest.param(PATIENCE * 2, ["INFO", "ERROR", "INFO"], id="for longer"),
    ],
)
async def test_what_workers_disagree_about_is_an_error_when_it_lasts(
    notices: Notices, clock: ManualClock, caplog: pytest.LogCaptureFixture, lasts: float, levels: list[str]
) -> None:
    caplog.set_level("INFO")

    notices.plan(DIFFERS, {"key": "red"}.__getitem__)
    await clock.advance(lasts)
    notices.plan(DIFFERS, {"key": "red"}.__getitem__)
    notices.plan(Assignment(), str)

    assert [record.levelname for record in caplog.records] == levels
    assert "red is not taken anew: red.env differs" in said(caplog)[0]

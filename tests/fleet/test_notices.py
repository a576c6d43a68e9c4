"""What a worker says of its folder: once for as long as it stays so, and again when it comes again."""

import pytest

from hangbot.fleet.entries import Folder
from hangbot.fleet.notices import Notices


def test_a_folder_that_is_away_again_is_said_again(caplog: pytest.LogCaptureFixture) -> None:
    notices = Notices()

    for _ in range(2):
        notices.no_folder("the disk is away")
        notices.no_folder("the disk is away")
        notices.folder(Folder())

    said = "[ERROR] the rooms are left as they are: the disk is away"
    assert [record.getMessage() for record in caplog.records] == [said, said]


def test_a_file_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    notices = Notices()

    for _ in range(2):
        notices.folder(Folder({}, {"red": "it is empty"}))

    assert [record.getMessage() for record in caplog.records] == [
        "[ERROR] red.env cannot be used: it is empty"
    ]

import os
from pathlib import Path

import pytest

from hangbot.config import Settings
from hangbot.config.locations import outbox_location

REQUIRED = {"BOT_USER_TOKEN": "a.b.c", "ROOM_UUID": "room"}


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory that is not where the configuration is."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    folder = tmp_path / "etc"
    folder.mkdir()
    return folder


def configure(path: Path, **more: str) -> Path:
    path.write_text("".join(f"{name}={value}\n" for name, value in (REQUIRED | more).items()))
    return path


@pytest.mark.parametrize(
    ("name", "outbox"),
    [
        ("hang-fm-config.env", "hangbot-outbox.sqlite3"),
        ("lounge.env", "lounge.outbox.sqlite3"),
        ("lounge.prod.env", "lounge.prod.outbox.sqlite3"),
        ("config.ini", "config.ini.outbox.sqlite3"),
        ("noending", "noending.outbox.sqlite3"),
        (".env", ".env.outbox.sqlite3"),
        ("LOUNGE.ENV", "LOUNGE.ENV.outbox.sqlite3"),
    ],
)
@pytest.mark.usefixtures("elsewhere")
def test_the_outbox_is_beside_the_file_and_named_after_it(etc: Path, name: str, outbox: str) -> None:
    settings = Settings.load(configure(etc / name), {})

    assert settings.outbox == etc / outbox
    assert settings.origins["outbox"] == f"beside {name}"
    assert settings.former_outbox == Path("hangbot-outbox.sqlite3")


def test_the_path_counts_as_it_was_given_and_not_where_it_leads(etc: Path, elsewhere: Path) -> None:
    configure(etc / "real.env")
    (elsewhere / "link.env").symlink_to(etc / "real.env")

    settings = Settings.load(Path("link.env"), {})

    assert settings.outbox.absolute() == elsewhere / "link.outbox.sqlite3"


@pytest.mark.parametrize("source", ["file", "environment"])
def test_a_relative_path_is_relative_to_the_files_folder(etc: Path, elsewhere: Path, source: str) -> None:
    said = {"HANGBOT_OUTBOX": "data/box.sqlite3"}
    in_file, environ = (said, {}) if source == "file" else ({}, said)
    file = configure(etc / "hang-fm-config.env", **in_file)

    settings = Settings.load(file, environ)

    assert settings.outbox == etc / "data" / "box.sqlite3"
    assert settings.former_outbox is not None
    assert settings.former_outbox.absolute() == elsewhere / "data" / "box.sqlite3"


def test_an_absolute_path_is_where_it_says(etc: Path, tmp_path: Path) -> None:
    settings = Settings.load(configure(etc / "x.env", HANGBOT_OUTBOX=str(tmp_path / "box")), {})

    assert (settings.outbox, settings.former_outbox) == (tmp_path / "box", None)


@pytest.mark.usefixtures("elsewhere")
def test_without_a_file_the_outbox_is_in_the_working_directory(etc: Path) -> None:
    settings = Settings.load(etc / "hang-fm-config.env", REQUIRED, required=False)

    assert settings.outbox == Path("hangbot-outbox.sqlite3")
    assert "working directory" in settings.origins["outbox"]
    assert settings.file is None


@pytest.mark.usefixtures("elsewhere")
def test_what_is_read_from_a_pipe_has_no_place_beside_it(etc: Path) -> None:
    os.mkfifo(etc / "pipe.env")

    places = [outbox_location(etc / "pipe.env", None), outbox_location(Path("/dev/stdin"), None)]

    assert {place.path for place in places} == {Path("hangbot-outbox.sqlite3")}


def test_in_the_folder_of_the_file_nothing_has_changed(etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(etc)
    configure(etc / "hang-fm-config.env")

    settings = Settings.load(Path("hang-fm-config.env"), {})

    assert (settings.outbox, settings.former_outbox) == (Path("hangbot-outbox.sqlite3"), None)
    assert settings.file == Path("hang-fm-config.env")


def test_a_copy_with_changes_knows_its_file(etc: Path) -> None:
    settings: Settings = Settings.load(configure(etc / "hang-fm-config.env"), {})

    changed = settings.with_changes(rate=1.0)

    assert (changed.file, changed.outbox) == (settings.file, settings.outbox)
    assert changed.origins["outbox"] == "beside hang-fm-config.env"


@pytest.mark.parametrize("told", ["~/box", ".", "http://host"])
def test_what_is_no_path_is_left_for_the_settings_to_refuse(told: str, etc: Path) -> None:
    configure(etc / "x.env")

    assert str(outbox_location(etc / "x.env", told).path) == str(Path(told))

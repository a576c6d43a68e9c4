import ast
import os
import re
from io import StringIO
from pathlib import Path

import pytest
from dotenv.parser import parse_stream
from hypothesis import given
from hypothesis import strategies as st

from hangbot.config import envfile
from hangbot.config.envfile import Entry, EnvFile, location, may_show, quoted, read_env_file
from hangbot.errors import ConfigError


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("envfile") / "bot.env"


def read(path: Path, text: str | bytes) -> EnvFile:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_env_file(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", {}, id="nothing"),
        pytest.param("# only\n\n  # comments\n", {}, id="comments"),
        pytest.param("A=1\n\nB = 2 # two\n", {"A": ("1", 1), "B": ("2", 3)}, id="plain values"),
        pytest.param(
            "export A='x # y'\n'B'=\"q\\\"r\"", {"A": ("x # y", 1), "B": ('q"r', 2)}, id="quotes and export"
        ),
        pytest.param("A=\nB=''\nC= # none\n", {"A": ("", 1), "B": ("", 2), "C": ("", 3)}, id="empty values"),
        pytest.param("A=${HOME}/$X\n", {"A": ("${HOME}/$X", 1)}, id="no interpolation"),
        pytest.param("\ufeff\ufeffA=1\n", {"A": ("1", 1)}, id="byte order marks"),
        pytest.param("A=1\r\n\r\nB=2\rC=3\n", {"A": ("1", 1), "B": ("2", 3), "C": ("3", 4)}, id="line ends"),
        pytest.param("A='x\r\ny'", {"A": ("x\ny", 1)}, id="line ends in a value"),
        pytest.param(
            'A="one\ntwo: 2"\nB=1', {"A": ("one\ntwo: 2", 1), "B": ("1", 3)}, id="a value over two lines"
        ),
        pytest.param("A=eyJ.x=y==\n", {"A": ("eyJ.x=y==", 1)}, id="equal signs in a value"),
    ],
)
def test_a_file_is_read_as_by_python_dotenv(
    path: Path, text: str, expected: dict[str, tuple[str, int]]
) -> None:
    file = read(path, text)

    assert {name: (entry.value, entry.line) for name, entry in file.values.items()} == expected
    assert file.faults == ()


MALFORMED = [
    pytest.param(ast.literal_eval(text), faults, names.removeprefix("= ").split(), id=name)
    for block in (Path(__file__).parent / "samples" / "malformed.txt").read_text().split("\n\n")
    for name, text, *faults, names in [block.strip().split("\n")]
]
"""A file's text, a fault for each wrong line, and the names that can be read all the same."""


@pytest.mark.parametrize(("text", "faults", "names"), MALFORMED)
def test_wrong_lines_are_named_and_not_shown(
    path: Path, text: str, faults: list[str], names: list[str]
) -> None:
    file = read(path, text)

    assert list(file.faults) == faults
    assert list(file.values) == names


def test_of_a_name_given_twice_the_first_stays(path: Path) -> None:
    file = read(path, "A=1\nA=2\n")

    assert file.values["A"] == Entry("1", 1)


def test_an_entry_does_not_show_its_value() -> None:
    entry = Entry("s3cret", 4)

    assert repr(entry) == "Entry(line=4, cut=False)"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"A=1\nB=\xff\xfe", "line 2 is not UTF-8 text", id="not UTF-8"),
        pytest.param("A=1\n".encode("utf-16"), "line 1 is not UTF-8 text", id="UTF-16"),
        pytest.param("A=1\n".encode("utf-16-le"), "line 1 is not UTF-8 text", id="UTF-16 without a mark"),
        pytest.param(b"A=1\n\nB=x\0y", "line 3 is not UTF-8 text", id="a NUL"),
        pytest.param(
            b"#" * (envfile.LARGEST + 1), "is larger than 65536 bytes: no configuration file", id="too large"
        ),
    ],
)
def test_a_file_that_is_no_text_is_refused_without_its_content(path: Path, data: bytes, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(path, data)

    assert str(caught.value).endswith(message)
    assert caught.value.faults == (str(caught.value),)
    assert caught.value.remedy != ConfigError.remedy
    assert caught.value.__context__ is None


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no configuration file at") as caught:
        read_env_file(tmp_path / "absent.env")

    assert isinstance(caught.value.__cause__, FileNotFoundError)
    assert "`hangbot init`" in caught.value.remedy
    assert "BOT_USER_TOKEN and ROOM_UUID in the environment, as secrets" in caught.value.remedy


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is a directory$") as caught:
        read_env_file(tmp_path)

    assert caught.value.remedy == "Name a file with --env-file."


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("bot.env/below", "Not a directory", id="below a file"),
        pytest.param("x" * 300, "File name too long", id="too long a name"),
        pytest.param("a\0b", "not a path", id="a NUL in the name"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(path: Path, name: str, reason: str) -> None:
    read(path, "")

    with pytest.raises(ConfigError) as caught:
        read_env_file(path.parent / name)

    assert str(caught.value).endswith(f"cannot be read: {reason}")
    assert "chmod 600" in caught.value.remedy


def test_a_place_names_the_file_without_its_folder() -> None:
    assert location(Path("/etc/hangbot/bot.env"), 4) == "bot.env line 4"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("BOT_NAME", True),
        ("A1", True),
        ("bot_name", False),
        ("eyJhbGci", False),
        ("A" * 65, False),
        ("", False),
    ],
)
def test_only_what_is_spelt_like_a_name_is_shown(name: str, *, expected: bool) -> None:
    assert may_show(name) is expected


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_a_quoted_value_is_read_as_it_was(path: Path, value: str) -> None:
    file = read(path, f"A={quoted(value)}\nB=1\n")

    assert file.faults == ()
    assert [entry.value for entry in file.values.values()] == [value, "1"]


LINES = st.lists(
    st.text(max_size=12)
    | st.sampled_from(
        ["A=1", "B='x", 'C="', "export D", "E='y'", "#'", "", "A=2", "F=\\'", "\ufeff", "G=`x`"]
    ),
    max_size=12,
)


@given(LINES, st.sampled_from(["\n", "\r\n", "\r"]))
def test_no_text_makes_it_fail_otherwise(path: Path, lines: list[str], end: str) -> None:
    data = end.join(lines).encode("utf-8", "surrogatepass")

    try:
        file = read(path, data)
    except ConfigError as exc:
        assert "is not UTF-8 text" in str(exc)  # noqa: PT017  either outcome is right
    else:
        count = len(re.findall(r"\r\n|\n|\r", end.join(lines))) + 1
        assert all(1 <= entry.line <= count for entry in file.values.values())


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail_otherwise(path: Path, data: bytes) -> None:
    try:
        file = read(path, data)
    except ConfigError as exc:
        assert len(exc.faults) == 1  # noqa: PT017  either outcome is right
    else:
        assert file.path == path


@given(LINES)
def test_a_quote_never_hides_the_settings_after_it(path: Path, lines: list[str]) -> None:
    between = "\n".join(line for line in lines if line.isprintable() and line.isascii())

    file = read(path, f"START='\n{between}\nEND=1\n")

    assert file.values["END"].value == "1"


def test_a_pipe_is_read_to_its_end_and_a_silent_one_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    silent = tmp_path / "silent.env"
    os.mkfifo(silent)
    reading, writing = os.pipe()
    os.write(writing, b"ROOM_UUID=r\n")
    os.close(writing)

    read = read_env_file(Path(f"/dev/fd/{reading}"))
    with pytest.raises(ConfigError, match=r"cannot be read: nothing came out of it in 0\.1 s") as refused:
        read_env_file(silent, patience=0.1)

    os.close(reading)
    assert read.values["ROOM_UUID"].value == "r"
    assert refused.value.exit_code == 2


def test_python_dotenv_has_the_undocumented_parser_that_is_used() -> None:
    (binding,) = parse_stream(StringIO("A=1\n"))

    found = (binding.key, binding.value, binding.original.string, binding.original.line, binding.error)
    assert found == ("A", "1", "A=1\n", 1, False), (
        "a new version has changed it: mend hangbot/config/envfile.py"
    )

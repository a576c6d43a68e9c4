import json
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from hangbot.sandbox.room.frames import FrameCutter

Piece = tuple[bytes, bool]


def frame(payload: bytes, opcode: Opcode = Opcode.TEXT, *, fin: bool = True) -> bytes:
    """A client's frame; its mask is zero, so that the same frame is the same bytes."""
    head, size = opcode | (0x80 if fin else 0), len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    else:
        length = b"\xfe" + size.to_bytes(2) if size < 65_536 else b"\xff" + size.to_bytes(8)
    return bytes([head]) + length + bytes(4) + payload


def cut(cutter: FrameCutter, chunks: Iterable[bytes]) -> list[Piece]:
    """All pieces, raw ones that follow each other as one."""
    pieces: list[Piece] = []
    for chunk in chunks:
        for piece, is_text in cutter.feed(chunk):
            if pieces and not is_text and not pieces[-1][1]:
                pieces[-1] = (pieces[-1][0] + piece, False)
            else:
                pieces.append((piece, is_text))
    return pieces


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535])
def test_a_short_text_is_unmasked(size: int) -> None:
    payload = bytes(number % 251 for number in range(size))

    pieces = cut(FrameCutter(), [Frame(Opcode.TEXT, payload).serialize(mask=True)])

    assert pieces == [(payload, True)]


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(frame(b"x" * 65_536), id="long"),
        pytest.param(frame(b"half", fin=False) + frame(b"rest", Opcode.CONT), id="in parts"),
        pytest.param(frame(b"\0", Opcode.BINARY), id="binary"),
        pytest.param(frame(b"", Opcode.PING), id="ping"),
        pytest.param(frame(b"\x03\xe8", Opcode.CLOSE), id="close"),
    ],
)
def test_whatever_else_comes_is_left_as_it_is_and_cutting_goes_on_after_it(raw: bytes) -> None:
    pieces = cut(FrameCutter(), [frame(b"before") + raw + frame(b"after")])

    assert pieces == [(b"before", True), (raw, False), (b"after", True)]


def test_a_text_between_the_parts_of_another_is_not_taken_for_good() -> None:
    begun, wrong = frame(b"half", fin=False), frame(b"not now")

    pieces = cut(FrameCutter(), [begun + wrong])

    assert pieces == [(begun + wrong, False)]


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(b"\x81\x02hi", id="not masked"),
        pytest.param(b"\x89\x00", id="a ping that is not masked"),
        pytest.param(b"\x82", id="a binary head that has only begun"),
    ],
)
def test_where_no_frame_can_be_told_all_that_follows_is_left_as_it_is(broken: bytes) -> None:
    cutter = FrameCutter()

    pieces = cut(cutter, [broken, frame(b"later")])

    assert pieces == [(broken + frame(b"later"), False)]


def test_stopping_gives_back_what_was_kept_and_leaves_the_rest() -> None:
    cutter, whole = FrameCutter(), frame(b"hello")

    begun = cut(cutter, [whole[:7]])
    kept = cutter.stop()
    rest = cut(cutter, [whole[7:] + whole])

    assert begun == []
    assert kept == whole[:7]
    assert rest == [(whole[7:] + whole, False)]


FRAMES = st.builds(
    frame,
    st.binary(max_size=200),
    st.sampled_from([Opcode.TEXT, Opcode.TEXT, Opcode.BINARY, Opcode.PING, Opcode.CONT]),
    fin=st.sampled_from([True, True, True, False]),
)


@given(st.lists(FRAMES, max_size=12), st.lists(st.integers(1, 64), min_size=1))
def test_no_byte_is_lost_however_the_frames_arrive(frames: list[bytes], sizes: list[int]) -> None:
    starts = {sum(map(len, frames[:number])) for number in range(len(frames))}
    whole, at = b"".join(frames), 0
    chunks: list[bytes] = []
    while at < len(whole):
        size = sizes[len(chunks) % len(sizes)]
        chunks.append(whole[at : at + size])
        at += size

    pieces = cut(cutter := FrameCutter(), chunks)

    written = b""
    for piece, is_text in pieces:
        assert not is_text or len(written) in starts
        written += frame(piece) if is_text else piece
    assert written + cutter.stop() == whole


def test_json_is_what_it_was() -> None:
    value = {"event": "action", "params": {"emoji": "🔥"}}

    ((text, _),) = cut(FrameCutter(), [Frame(Opcode.TEXT, json.dumps(value).encode()).serialize(mask=True)])

    assert json.loads(text) == value

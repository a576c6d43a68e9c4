"""Whatever the words of a line are, they are read or answered by one sentence. PURE."""

import enum
from collections.abc import Awaitable, Callable
from typing import Final, Literal

from hypothesis import given
from hypothesis import strategies as st

from hangbot.app.arguments import BadArguments, read_signature
from hangbot.app.context import Context
from hangbot.bot.events import User

USERS: Final = {name: User(name, nickname=name) for name in ("bob", "42", "Mary Ann", "🦊")}


class Size(enum.Enum):
    SMALL = 1
    LARGE = 2


async def numbers(ctx: Context, count: int, share: float = 0.5, loud: bool = False) -> None: ...  # noqa: FBT001, FBT002  arguments of a command


async def all_kinds(
    ctx: Context, who: User, size: Size = Size.SMALL, way: Literal["up", "down"] = "up", *, text: str = ""
) -> None: ...


async def many(ctx: Context, *who: User) -> None: ...


async def rest(ctx: Context, word: str, *, text: str) -> None: ...


WORDS: Final = st.lists(
    st.sampled_from([*USERS, "1", "-7", "0.5", "yes", "large", "DOWN", '"', '"two words"', "9" * 200, "٣"])
    | st.text(max_size=12)
).map(" ".join)
TAKEN: Final = {numbers: (int, float, bool), all_kinds: (User, Size, str), many: (User,) * 100, rest: (str,)}


@given(st.sampled_from(list(TAKEN)), WORDS)
def test_words_are_what_the_handler_takes_or_one_sentence_says_why_not(
    handler: Callable[..., Awaitable[object]], text: str
) -> None:
    signature = read_signature(handler, "a command")

    try:
        values, named = signature.read(text, USERS.get)
    except BadArguments as exc:
        sentence = f"{exc}. Usage: {signature.usage('/x')}"
        assert len(sentence) < 200
    else:
        assert all(map(isinstance, values, TAKEN[handler]))
        assert handler is many or len(values) == len(TAKEN[handler])
        assert all(isinstance(value, str) for value in named.values())


@given(st.text().filter(lambda text: text.strip() and not text.lstrip().startswith('"')))
def test_the_rest_of_a_line_is_as_it_was_written(text: str) -> None:
    values, named = read_signature(rest, "a command").read(f"word  {text}", USERS.get)

    assert (values, named) == (["word"], {"text": text.strip()})

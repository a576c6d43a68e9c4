"""What a bot does, as its author states it or as it was learnt: pure."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any, Final, Literal

__all__ = ["Part", "Profile", "ProfileError", "alike", "is_answer", "parse", "render"]

Part = Literal["room", "chat", "push", "votes", "djs", "direct", "health", "answers"]
"""What a scenario may need of a bot."""

_NUMBERS: Final = re.compile(r"\d+(?:[.,:]\d+)*")
_PERSON: Final = re.compile(
    r"<@uid:[^>]*>|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.IGNORECASE
)
"""A mention, or the uid of a person."""
_BLANKS: Final = re.compile(r"\s+")


class ProfileError(Exception):
    """A profile that cannot be used; the message says what is wrong with it, and what to do."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What a bot does.

    Attributes:
        says: The line of a user that it answers; empty where it answers none.
        answers: What its answer holds. Numbers are compared as ``#``: an answer may count.
        room: Whether it uses the room socket.
        chat: Whether it uses the chat.
        push: Whether it hears the chat by the chat's own socket.
        votes: Whether it votes when a song begins.
        djs: Whether it enters the DJ line.
        direct: Whether it answers direct messages.
        direct_only: Whether it answers direct messages alone: all questions are put to it that way.
        health: Address of its health page; ``{port}`` stands for a free port, which it is given.
        chat_token: Whether it is given a chat token, as one needs it that exchanges none at the gateway.
        port_env: Name of the variable by which it is given that port.
        start: Seconds from its start to its first answer.
        pause: Seconds that have to pass between two questions.
        cooldown: Seconds until it answers the same person again; others are asked meanwhile.
        side_by_side: Whether several runs of it may live at once.
        never: Texts that it must never write.
    """

    says: str = ""
    answers: str = ""
    room: bool = True
    chat: bool = True
    push: bool = False
    votes: bool = False
    djs: bool = False
    direct: bool = False
    direct_only: bool = False
    health: str = ""
    chat_token: bool = False
    port_env: str = "PORT"
    start: float = 10.0
    pause: float = 0.0
    cooldown: float = 0.0
    side_by_side: bool = True
    never: tuple[str, ...] = ()

    def has(self, part: Part) -> bool:
        """Whether the bot does this at all."""
        match part:
            case "answers":
                return bool(self.says and self.answers)
            case "health":
                return bool(self.health)
            case _:
                return bool(getattr(self, part))


_TYPES: Final = {
    "str": (str,),
    "bool": (bool,),
    "float": (int, float),
    "tuple[str, ...]": (list,),
}
_IN_WORDS: Final = {
    "str": "a text",
    "bool": "true or false",
    "float": "a number of seconds",
    "tuple[str, ...]": "a list of texts",
}


def parse(text: str, name: str) -> Profile:
    """Read a profile.

    Args:
        text: TOML.
        name: What to call it in messages.

    Raises:
        ProfileError: It is no TOML, has an unknown key, or a value of the wrong kind.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise ProfileError(
            f"{name} is no TOML: {exc}. Write `hangbot prove --learn` to have one made."
        ) from None
    known = {field.name: str(field.type) for field in fields(Profile)}
    for key, value in table.items():
        if key not in known:
            near = get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise ProfileError(f"{name}: there is no key {key!r}; {hint}")
        kind = known[key]
        if not _fits(value, kind):
            raise ProfileError(
                f"{name}: {key} has to be {_IN_WORDS[kind]}, and is {json.dumps(value, default=str)}"
            )
    if bool(table.get("says")) != bool(table.get("answers")):
        raise ProfileError(f"{name}: says and answers go together: give both, or neither")
    given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in table.items()}
    return Profile(**given)


def _fits(value: object, kind: str) -> bool:
    if isinstance(value, bool) != (kind == "bool") or not isinstance(value, _TYPES[kind]):
        return False
    if isinstance(value, list):
        return all(isinstance(text, str) and text for text in value)
    return not isinstance(value, int | float) or 0 <= value < float("inf")


def render(profile: Profile) -> str:
    """Write a profile as TOML; `parse` reads it back as the same."""
    return "".join(f"{field.name} = {_toml(getattr(profile, field.name))}\n" for field in fields(Profile))


def _toml(value: Any) -> str:  # noqa: ANN401  any value of a profile
    # What JSON writes of texts, numbers, truth values and lists of texts is TOML, except for DEL.
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False).replace(
        "\x7f", "\\u007F"
    )


def alike(text: str, names: tuple[str, ...] = ()) -> str:
    """Return what of a text is the same when it is said to another user: no number, name or mention."""
    text = _PERSON.sub("@", text)
    for name in sorted(filter(None, names), key=len, reverse=True):
        text = re.sub(re.escape(name), "@", text, flags=re.IGNORECASE)
    return _BLANKS.sub(" ", _NUMBERS.sub("#", text)).strip().casefold()


def is_answer(profile: Profile, text: str, names: tuple[str, ...] = ()) -> bool:
    """Whether a line of the bot is its answer to the profile's question."""
    return bool(profile.answers) and alike(profile.answers, names) in alike(text, names)

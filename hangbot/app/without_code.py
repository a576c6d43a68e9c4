"""An app that is a file: greeting, votes and fixed answers, for who writes no code."""

import tomllib
from difflib import get_close_matches
from pathlib import Path
from string import Formatter
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hangbot.app.app import App
from hangbot.app.context import Context
from hangbot.bot.events import SongStarted, UserJoined
from hangbot.delivery.message import Outgoing, split
from hangbot.delivery.record import Settlement
from hangbot.errors import ConfigError, HangbotError, UsageError
from hangbot.given_file import read_given
from hangbot.system_errors import remedy_for

__all__ = ["app_of_file"]

_LARGEST: Final = 1_048_576
"""Bytes of such a file."""
_GREETS_AFTER: Final = 2.0
"""Seconds until a user is greeted, so that the profile has come."""
_VOTES_AFTER: Final = 5.0
_WORDS: Final = ("name", "room")
"""What may stand in braces in a text."""


class _Written(BaseModel):
    """What the file may hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    greeting: str | None = None
    greet_again_hours: float = Field(default=12.0, ge=0, le=24 * 365)
    vote: Literal["like", "dislike"] | None = None
    prefix: str = "/"
    commands: dict[str, str] = {}


def app_of_file(path: Path) -> App:
    """Read an app.

    ::

        greeting = "Welcome, {name}!"
        vote = "like"

        [commands]
        rules = "One song each, and be kind."

    Raises:
        ConfigError: It cannot be read, or holds what it may not.
    """
    written = _read(path)
    try:
        app = App("without-code", prefix=written.prefix)
        for name, answer in written.commands.items():
            _add_command(app, name, answer, path.name)
        app.check()
    except UsageError as exc:
        raise ConfigError(f"{path}: {exc}", remedy=exc.remedy) from None
    if written.greeting is not None:
        _add_greeting(app, written.greeting, written.greet_again_hours)
    if written.vote is not None:
        _add_vote(app, like=written.vote == "like")
    return app


def _read(path: Path) -> _Written:
    try:
        written = _Written.model_validate(tomllib.loads(read_given(path, most=_LARGEST).decode("utf-8-sig")))
    except OSError as exc:
        remedy = remedy_for(exc) or "Name another file."
        raise ConfigError(f"{path} cannot be read: {exc.strerror}", remedy=remedy) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as exc:
        raise ConfigError(f"{path} is no TOML: {exc}", remedy="Correct that place.") from None
    except ValidationError as exc:
        raise ConfigError(f"{path}: {_in_words(exc)}", remedy="Correct it.") from None
    for text in (written.greeting, *written.commands.values()):
        if text is not None:
            _check_text(path, text)
    return written


def _in_words(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    name = ".".join(map(str, first["loc"]))
    if first["type"] != "extra_forbidden":
        return f"{name}: {first['msg']}"
    near = get_close_matches(name, list(_Written.model_fields), 1)
    return f"there is no {name}" + (f"; did you mean {near[0]}?" if near else "")


def _check_text(path: Path, text: str) -> None:
    try:
        fields = [
            f"{field}{f'!{conversion}' if conversion else ''}{f':{form}' if form else ''}"
            for _, field, form, conversion in Formatter().parse(text)
            if field is not None
        ]
    except ValueError as exc:
        raise ConfigError(f"{path}: {text!r}: {exc}", remedy="Write { as {{ and } as }}.") from None
    if unknown := [field for field in fields if field not in _WORDS]:
        raise ConfigError(
            f"{path}: {{{unknown[0]}}} in {text!r} stands for nothing",
            remedy=f"There are {', '.join(f'{{{word}}}' for word in _WORDS)}.",
        )
    try:
        split(Outgoing("text", "room", text))
    except UsageError as exc:
        raise ConfigError(f"{path}: {text[:40]!r}: {exc}", remedy=exc.remedy) from None


def _add_command(app: App, name: str, answer: str, file: str) -> None:
    async def reply(ctx: Context) -> None:
        await ctx.reply(_filled(ctx, answer, ctx.user.name))

    reply.__module__, reply.__qualname__ = file, "commands"  # errors name what it is made from
    app.command(name.removeprefix(app.prefix), help=answer[:60])(reply)


def _add_greeting(app: App, greeting: str, again_hours: float) -> None:
    @app.on(UserJoined)
    async def joined(ctx: Context, event: UserJoined) -> None:
        seen = ctx.store.user(event.user.uuid)
        if event.catch_up or event.user.uuid == ctx.bot.chat.uid or await seen.get("greeted"):
            return
        await seen.set("greeted", value=True, expires=3600 * again_hours)
        ctx.after(_GREETS_AFTER, greet, event.user.uuid, greeting)


async def greet(ctx: Context, uuid: str, greeting: str) -> None:
    """Greet a user who is still there."""
    user = ctx.find_user(uuid)
    if user is not None:
        await ctx.say(_filled(ctx, greeting, user.name))


def _add_vote(app: App, *, like: bool) -> None:
    @app.on(SongStarted)
    async def started(ctx: Context, event: SongStarted) -> None:
        if event.song.dj != ctx.bot.chat.uid:
            ctx.after(_VOTES_AFTER, vote, like, event.song.play_id, id="vote")


async def vote(ctx: Context, like: bool, play_id: str | None) -> Settlement | None:  # noqa: FBT001  an argument of a timer
    """Vote on the song that plays, if it is still the one that was meant."""
    song = ctx.room.song
    if song is None or song.play_id != play_id:
        return None
    try:
        return await ctx.vote(like=like)
    except HangbotError as exc:  # not in the room at the moment: the next song is voted on
        ctx.log.warning("no vote on this song: %s", exc, extra={"action": "no_vote"})
        return None


def _filled(ctx: Context, text: str, name: str) -> str:
    return text.format(name=name, room=ctx.room.name or "this room")

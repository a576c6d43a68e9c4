"""The table of settings: one entry each, with its bounds and its names.

Reading the environment, the printed configuration, the example file and the documentation all use it.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final

from annotated_types import Ge, Gt, Le, MaxLen
from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from hangbot.config import fields, validators
from hangbot.config.cluster import ClusterAddress
from hangbot.config.fields import Dialect, Env, Feed, Need, Strategy
from hangbot.config.inner import Finite, InnerSettings

__all__ = ["ENV", "SettingsTable"]

Token = Annotated[SecretStr, AfterValidator(validators.check_token)]
Id = Annotated[str, AfterValidator(validators.check_id)]


class SettingsTable(InnerSettings):
    """The settings as data; the program uses `hangbot.config.Settings`.

    Durations are seconds, addresses have no slash at the end. A value that is not set may be derived
    from another: its default is then a function of those above it.
    """

    bot_user_token: Annotated[
        Token,
        fields.secret(
            "BOT_USER_TOKEN",
            "The bot's own token (a JWT); everything else can be had with it.",
            need=Need.REQUIRED,
        ),
    ]
    room_uuid: Annotated[
        Id,
        fields.identifier("ROOM_UUID", "The room's uuid (not its name in the address).", need=Need.REQUIRED),
    ]

    ttfm_api_token: Annotated[
        Token,
        fields.secret(
            "TTFM_API_TOKEN",
            "The token for the room socket, where it is another than BOT_USER_TOKEN.",
            otherwise="derived from BOT_USER_TOKEN",
        ),
    ] = Field(default_factory=lambda known: known["bot_user_token"])
    chat_app_id: Annotated[
        Id | None,
        fields.identifier(
            "COMETCHAT_APPID",
            "The chat's app id; only the cometchat dialect needs it.",
            otherwise="derived from COMETCHAT_API_KEY",
        ),
    ] = None
    chat_api_key: Annotated[
        Token | None,
        fields.secret(
            "COMETCHAT_API_KEY",
            "The app id again, as other bots have it; it is never sent as an API key.",
            otherwise="derived from COMETCHAT_APPID",
        ),
    ] = None
    chat_uid: Annotated[
        Id | None,
        fields.identifier(
            "COMETCHAT_UID",
            "The bot's own user id.",
            otherwise="derived from BOT_USER_TOKEN (claim sub)",
        ),
    ] = Field(default_factory=lambda known: validators.uid_of(known["bot_user_token"]))
    chat_token: Annotated[
        Token | None,
        fields.secret(
            "COMETCHAT_AUTH",
            "The token for the chat; best left out, so that it is always a fresh one.",
            otherwise="exchanged at the gateway when needed",
        ),
    ] = None
    chat_receiver: Annotated[
        Id,
        fields.identifier(
            "COMETCHAT_RECEIVER", "The chat group the bot speaks in.", otherwise="derived from ROOM_UUID"
        ),
    ] = Field(default_factory=lambda known: known["room_uuid"])

    chat_dialect: Annotated[
        Dialect,
        fields.word(
            "CHAT_DIALECT",
            "Which chat server it must be: openchat or cometchat; auto takes either.",
            "auto, openchat or cometchat",
        ),
    ] = "auto"
    chat_url: Annotated[
        str,
        AfterValidator(validators.check_chat_url),
        fields.address("OPENCHAT_BASE_URL", "The address of the chat."),
    ] = "https://openchat.prod.tt.fm"
    gateway_url: Annotated[
        str,
        AfterValidator(validators.check_gateway_url),
        fields.address("TTFM_GATEWAY_BASE_URL", "The address of the gateway."),
    ] = "https://gateway.prod.tt.fm"
    room_url: Annotated[
        str,
        AfterValidator(validators.check_room_url),
        fields.address("SOCKET_SERVER_URL", "The address of the room socket."),
    ] = "https://socket.prod.tt.fm"

    ack_timeout: Annotated[
        Finite,
        Gt(0),
        Le(600),
        fields.milliseconds("SOCKET_TIMEOUT_MS", "How long to wait for an acknowledgement"),
    ] = 10.0
    retry_attempts: Annotated[
        int,
        Ge(1),
        Le(100),
        fields.integer("STAGE_RETRY_MAX_ATTEMPTS", "Attempts at a message, the first included."),
    ] = 3
    retry_base: Annotated[
        Finite, Gt(0), Le(3600), fields.milliseconds("STAGE_RETRY_BASE_MS", "The wait before the first retry")
    ] = 1.0
    retry_factor: Annotated[
        Finite,
        Ge(1),
        Le(100),
        fields.number("STAGE_RETRY_BACKOFF_FACTOR", "What each wait is multiplied by."),
    ] = 2.0
    retry_max: Annotated[
        Finite,
        Gt(0),
        Le(3600),
        fields.milliseconds("STAGE_RETRY_MAX_MS", "The longest wait between attempts"),
    ] = 30.0
    retry_jitter: Annotated[
        Finite,
        Ge(0),
        Le(3600),
        fields.milliseconds("STAGE_RETRY_JITTER_MS", "The most that chance adds to a wait"),
    ] = 0.2
    retry_strategy: Annotated[
        Strategy,
        fields.word(
            "STAGE_RETRY_STRATEGY",
            "seed: the step + jitter; equal: its upper half, + jitter; full: from 0 to the step.",
            "seed, equal or full",
        ),
    ] = "equal"
    retry_total: Annotated[
        Finite,
        Gt(0),
        Le(604_800),
        fields.milliseconds("STAGE_RETRY_TOTAL_MS", "How long a message is tried in all"),
    ] = 300.0

    rate: Annotated[
        Finite, Ge(0), Le(10_000), fields.number("HANGBOT_RATE", "Messages a second; 0 is unlimited.")
    ] = 5.0
    burst: Annotated[
        int, Ge(1), Le(10_000), fields.integer("HANGBOT_BURST", "Messages at once before HANGBOT_RATE holds.")
    ] = 10
    drain: Annotated[
        Finite,
        Ge(0),
        Le(3600),
        fields.milliseconds("HANGBOT_DRAIN_MS", "How long a stopping bot still delivers"),
    ] = 10.0
    outbox: Annotated[
        Path,
        AfterValidator(validators.check_file),
        Env(
            "HANGBOT_OUTBOX",
            "The file that keeps what is to be sent; a relative path begins in this file's folder.",
            "a path",
            read=validators.read_path,
            free=True,
        ),
    ] = Path("hangbot-outbox.sqlite3")
    cluster: ClusterAddress | None = None
    """Where the outbox is kept in place of a file, where HANGBOT_OUTBOX names a fleet's cluster."""
    chat_feed: Annotated[
        Feed,
        fields.word(
            "HANGBOT_CHAT_FEED",
            "How the chat is read: push, poll, or auto, which polls only where there is no push.",
            "auto, push or poll",
        ),
    ] = "auto"
    chat_silence: Annotated[
        Finite,
        Ge(5),
        Le(600),
        fields.number(
            "HANGBOT_CHAT_SILENCE",
            "Seconds without a word from the chat after which the bot asks whether it missed one.",
        ),
    ] = 40.0
    catch_up: Annotated[
        Finite,
        Ge(0),
        Le(604_800),
        fields.number(
            "HANGBOT_CATCH_UP", "Age in seconds up to which lines said while the bot was down are handled."
        ),
    ] = 300.0
    handler_timeout: Annotated[
        Finite,
        Gt(0),
        Le(3600),
        fields.milliseconds("HANGBOT_HANDLER_TIMEOUT_MS", "How long a handler of the app may take"),
    ] = 30.0
    canary: Annotated[
        bool,
        fields.switch("HANGBOT_CANARY", "Whether the bot writes to itself now and then, and listens for it"),
    ] = False
    status_port: Annotated[
        int | None,
        Ge(0),
        Le(65_535),
        fields.integer(
            "HANGBOT_STATUS_PORT",
            "The port of the status page and /healthz; 0: a free one, which the log names; off while empty.",
        ),
    ] = None
    status_host: Annotated[
        str,
        AfterValidator(validators.check_line),
        Env(
            "HANGBOT_STATUS_HOST",
            "What HANGBOT_STATUS_PORT is opened on: an address, or a name of this machine.",
            "a host",
        ),
    ] = "127.0.0.1"
    bot_name: Annotated[
        Annotated[str, MaxLen(100), AfterValidator(validators.check_line)] | None,
        Env("BOT_NAME", "The name that the bot goes by.", "a name of at most 100 characters", free=True),
    ] = None
    boot_message: Annotated[
        Annotated[str, MaxLen(9_000), AfterValidator(validators.check_text)] | None,
        Env(
            "BOOT_MESSAGE",
            "What the bot says when it has joined.",
            "text of at most 9000 characters",
            free=True,
        ),
    ] = None
    auto_join: Annotated[
        bool,
        fields.switch("AUTO_JOIN", "Whether the bot joins the chat group by itself", "true or false"),
    ] = True

    @field_validator("retry_max", mode="after")
    @classmethod
    def _max_is_not_below_base(cls, value: float, info: ValidationInfo) -> float:
        base = info.data.get("retry_base", 0.0)
        if value < base:
            raise ValueError(f"expected at least STAGE_RETRY_BASE_MS ({base * 1000:.12g})")
        return value

    @field_validator("chat_dialect", mode="after")
    @classmethod
    def _cometchat_needs_an_app_id(cls, value: Dialect, info: ValidationInfo) -> Dialect:
        ids = [info.data.get(name, "refused already") for name in ("chat_app_id", "chat_api_key")]
        if value == "cometchat" and ids == [None, None]:
            raise ValueError("cometchat needs COMETCHAT_APPID, too")
        return value

    @model_validator(mode="before")
    @classmethod
    def _complete_app_id_and_key(cls, values: dict[str, object]) -> dict[str, object]:
        """Derive the app id and the key from each other, where only one of them is set."""
        app_id, key = values.get("chat_app_id"), values.get("chat_api_key")
        text = key.get_secret_value() if isinstance(key, SecretStr) else key
        if app_id is None and isinstance(text, str) and validators.ID.fullmatch(text):
            return values | {"chat_app_id": text}
        if key is None and isinstance(app_id, str) and validators.ID.fullmatch(app_id):
            return values | {"chat_api_key": app_id}
        return values


ENV: Final[Mapping[str, Env]] = MappingProxyType(
    {
        name: meta
        for name, info in SettingsTable.model_fields.items()
        for meta in info.metadata
        if isinstance(meta, Env)
    }
)
"""Each field that has an environment name, in the order of the example file."""

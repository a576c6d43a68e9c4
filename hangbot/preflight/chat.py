"""Questions about the chat: is it one, whose token is it, is the bot let into the room's group?"""

from typing import Any, Final

from hangbot.claims import read_claims
from hangbot.config.fields import UUID
from hangbot.errors import AnswerLost, HangbotError, NotFound, Refused, TokenRejected, Unavailable
from hangbot.hangfm.http import Answer
from hangbot.hangfm.wire.chat import read_answer
from hangbot.hangfm.wire.chat_errors import KINDS
from hangbot.hangfm.wire.dialect import NAMES, Server, of_error, of_me
from hangbot.hangfm.wire.own_words import chat_error, json_of
from hangbot.preflight.diagnosis import (
    IN_ITS_PLACE,
    SETTING,
    Unexplained,
    looks_like_cometchat_token,
    what_answered,
)
from hangbot.preflight.model import Finding, Subject
from hangbot.redact import Redactor

__all__ = ["chat_group", "chat_history", "chat_member", "chat_server", "chat_token", "chat_uid"]

_NO_CHAT: Final = f"Check {SETTING['chat']}: it is the chat's address, without /v3.0; {IN_ITS_PLACE}"


async def chat_server(subject: Subject) -> Finding:
    """What answers at the chat address is a chat server."""
    address = subject.chat.address
    answer = await _raw(subject, "/v3.0/settings", what="its settings")
    document = json_of(answer.body)
    good = 200 <= answer.status < 300  # noqa: PLR2004  the 2xx of HTTP
    if good and isinstance(document, dict) and isinstance(document.get("data"), dict):
        return Finding(f"{address} is a chat server")
    if answer.status < 500 and (error := chat_error(answer.status, answer.body)):  # noqa: PLR2004  HTTP
        _check_dialect(subject, of_error(error))
        _read(subject, answer, what="its settings")
    if answer.status >= 500 or answer.status in {408, 425, 429}:  # noqa: PLR2004  HTTP
        raise Unavailable(
            f"{address} answers its settings with status {answer.status}; {await _health(subject)}",
            service="chat",
            status=answer.status,
            remedy=f"The chat, or a proxy before it, is in trouble: wait; else check {SETTING['chat']}.",
        )
    raise Unavailable(
        f"{address} is no chat server: it answers /v3.0/settings with {what_answered(answer)} "
        f"(status {answer.status})",
        service="chat",
        status=answer.status,
        remedy=_NO_CHAT,
    )


class WrongDialect(HangbotError):
    """The chat is the other one of the two than is configured."""

    remedy = f"Leave CHAT_DIALECT out (auto reads both), or name what it is; else check {SETTING['chat']}."


def _check_dialect(subject: Subject, spoken: Server | None) -> None:
    told = subject.settings.chat_dialect
    if spoken is not None and told not in {"auto", spoken}:
        raise WrongDialect(f"{subject.chat.address} speaks as {NAMES[spoken]} does, CHAT_DIALECT says {told}")


async def _health(subject: Subject) -> str:
    """Say what OpenChat's own health page says: whether the server runs behind what is in trouble."""
    try:
        status = (await _raw(subject, "/health", what="its health")).status
    except HangbotError:
        return "its /health does not answer"
    return f"its /health answers {status}"


async def _raw(subject: Subject, path: str, *, what: str, token: str | None = None) -> Answer:
    """Ask as the chat client does, for the answer as it came."""
    headers = {}
    if subject.settings.chat_app_id:
        headers["appId"] = subject.settings.chat_app_id
    if token:
        headers["authToken"] = token
    try:
        async with subject.open_http("chat") as http:
            return await http.exchange("GET", path, what=what, headers=headers)
    except AnswerLost as exc:
        exc.remedy = (
            f"What listens there may be no chat server: check {SETTING['chat']}; {IN_ITS_PLACE} "
            "Raise SOCKET_TIMEOUT_MS when the service is merely slow."
        )
        raise


def _read(subject: Subject, answer: Answer, *, what: str) -> object:
    return read_answer(
        answer.status,
        answer.headers,
        answer.body,
        what=what,
        now=subject.clock.wall(),
        mask=Redactor(subject.settings.secrets()).text,
    )


async def chat_token(subject: Subject) -> Finding:
    """The chat server accepts the chat token; one that is configured must be good by itself."""
    told = subject.settings.chat_token
    refusal = await _refusal(subject, told.get_secret_value()) if told else ""
    try:
        me = await subject.chat.me()
    except Refused as exc:
        _check_dialect(subject, of_error({"code": exc.code}))
        raise
    _check_dialect(subject, of_me(me))
    name = me.get("name") or me.get("uid")
    if refusal:
        return Finding(
            f"{refusal}; a new one was exchanged and is accepted, for {name}",
            "Remove COMETCHAT_AUTH: the bot exchanges a fresh token by itself.",
        )
    return Finding(f"the chat token is accepted, for {name}")


async def _refusal(subject: Subject, token: str) -> str:
    """Say why the configured token is refused; nothing where it is accepted."""
    try:
        _read(
            subject,
            await _raw(subject, "/v3.0/me", what="who the token belongs to", token=token),
            what="COMETCHAT_AUTH",
        )
    except TokenRejected as exc:
        said = exc.code or f"status {exc.status}"
        if looks_like_cometchat_token(token) and exc.code == "ERR_NO_AUTH":
            return f"COMETCHAT_AUTH is an old CometChat token, and this is OpenChat ({said})"
        return f"COMETCHAT_AUTH is dead or never was a token of this server ({said})"
    return ""


async def chat_uid(subject: Subject) -> Finding:
    """The chat token is the bot's own."""
    settings = subject.settings
    told, uid = settings.chat_uid, (await subject.chat.me()).get("uid")
    if told is None or uid == told:
        return Finding(f"the chat token belongs to {uid}")
    claims = read_claims(settings.bot_user_token.get_secret_value())
    own = claims.uid if claims else None
    if own is not None and uid == own:
        raise TokenRejected(
            f"the chat token belongs to {uid} like BOT_USER_TOKEN, COMETCHAT_UID says {told}",
            service="chat",
            remedy="Remove COMETCHAT_UID: it is derived from BOT_USER_TOKEN.",
        )
    if settings.chat_token is not None and told == own:
        raise TokenRejected(
            f"the chat token COMETCHAT_AUTH belongs to {uid}, BOT_USER_TOKEN to {own}",
            service="chat",
            remedy="Remove COMETCHAT_AUTH: the bot exchanges its own token by itself.",
        )
    origin = settings.origins.get("chat_uid", "COMETCHAT_UID")
    raise TokenRejected(
        f"the chat token belongs to {uid}, COMETCHAT_UID ({origin}) says {told}",
        service="chat",
        remedy="Remove COMETCHAT_UID and COMETCHAT_AUTH: both are derived from BOT_USER_TOKEN.",
    )


async def chat_group(subject: Subject) -> Finding:
    """The room's chat group exists."""
    try:
        group = await subject.chat.group()
    except NotFound as exc:
        if exc.code == "ERR_GUID_NOT_FOUND":
            more, exc.remedy, exc.blames = await _whose_fault(subject)
            exc.args = (f"{exc}; {more}",)
        raise
    name = group.get("name")
    return Finding(
        f"group {name or subject.chat.group_id} exists", room=name if isinstance(name, str) else ""
    )


async def _whose_fault(subject: Subject) -> tuple[str, str, str]:
    """Tell why there is no group: a wrong receiver, a slug, or a room that nobody knows.

    Returns:
        What is wrong, what to do, and the setting that is to blame.
    """
    settings = subject.settings
    if settings.chat_receiver != settings.room_uuid:
        return (
            "COMETCHAT_RECEIVER is another than ROOM_UUID",
            "Check COMETCHAT_RECEIVER; best remove it: it is derived from ROOM_UUID.",
            "COMETCHAT_RECEIVER",
        )
    try:
        room = await subject.gateway.room(settings.room_uuid)
    except NotFound:
        return (
            "the gateway knows no such room either",
            "Correct ROOM_UUID; `hangbot init --room SLUG` finds it by the room's name in its address.",
            "ROOM_UUID",
        )
    except HangbotError:
        return "the gateway cannot be asked", "Check ROOM_UUID; the room may be closed.", ""
    uuid = room.get("uuid")
    if not UUID.fullmatch(settings.room_uuid) and isinstance(uuid, str) and UUID.fullmatch(uuid):
        return (
            "ROOM_UUID is the room's name in its address, not its uuid",
            f"Set ROOM_UUID={uuid}.",
            "ROOM_UUID",
        )
    return (
        "the gateway knows the room, so its chat is not set up or the chat is another's",
        f"Check {SETTING['chat']} and {SETTING['gateway']}: both must be of the same Hang.fm.",
        "",
    )


async def chat_member(subject: Subject) -> Finding:
    """The bot is in the chat group: joining is idempotent, asking is not reliable on OpenChat."""
    if not subject.settings.auto_join:
        return Finding("not asked: AUTO_JOIN is off, and only joining tells for sure")
    try:
        await subject.chat.join()
    except Refused as exc:
        if exc.about_token:
            raise
        await _explain_refused_join(subject, exc)
        raise
    return Finding(f"the bot is in group {subject.chat.group_id}")


async def _explain_refused_join(subject: Subject, exc: Refused) -> None:
    """Tell a ban from a private group, by the group's type: the code is the same on OpenChat.

    By the documents a join of a public group is refused with ``ERR_FORBIDDEN`` only to the
    banned; of a private one to everybody. The words are not relied upon.

    Raises:
        Unexplained: Neither the code nor the type tells the cause.
    """
    if exc.code == "ERR_BANNED_GROUPMEMBER":
        exc.args = (f"the bot is banned from the group: {exc}",)
        exc.remedy = _ASK_TO_LIFT
        return
    if type(exc) is Refused and exc.code not in KINDS:  # the others are told by their status
        raise Unexplained(f"{exc}; these are the server's own words, and no cause is known for them") from exc
    if exc.code != "ERR_FORBIDDEN":
        return
    kind = await _type_of_group(subject)
    if kind == "public":
        exc.args = (f"the bot is banned from the group (it is public): {exc}",)
        exc.remedy = _ASK_TO_LIFT
    elif kind == "private":
        exc.args = (f"the group is private, and the bot is not in it: {exc}",)
        exc.remedy = "Ask the room's owner to add the bot to the group."
    else:
        raise Unexplained(f"{exc}; whether it is banned or the group private cannot be told") from exc


_ASK_TO_LIFT: Final = "Ask a moderator of the room to lift the ban; do not try again before."


async def _type_of_group(subject: Subject) -> Any:  # noqa: ANN401  whatever the server says
    try:
        return (await subject.chat.group()).get("type")
    except HangbotError:
        return None


async def chat_history(subject: Subject) -> Finding:
    """The group's messages can be read."""
    rows = await subject.chat.history(most=1)
    return Finding("the history can be read" + ("" if rows else " (it is empty)"))

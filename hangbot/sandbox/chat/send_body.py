"""Reading the body of a send.

PURE. OpenChat stores nearly everything: an empty text, no `data`, unknown categories. What
it cannot use makes it crash (500, empty); CometChat answers with the field's name.
"""

import json
from typing import Final

from hangbot.sandbox.chat.dialects import Dialect
from hangbot.sandbox.chat.media import uploads, with_media
from hangbot.sandbox.chat.rows import Json, NewMessage, ReceiverType, Row
from hangbot.sandbox.chat.rules import ChatRefusal
from hangbot.sandbox.chat.values import first_given, text_of
from hangbot.sandbox.ids import Ids
from hangbot.sandbox.people import Person

__all__ = ["edited_data", "read_send_body", "web_client_line"]

MOST_TAGS: Final = 25
LONGEST_TAG: Final = 100
_DEFAULTS: Final = (("category", "message"), ("type", "text"))
_REPEATED: Final[tuple[str, ...]] = ("text", "metadata", "customData")
"""What a body may hold outside `data`, too."""
_ENVELOPE: Final = frozenset({"id", "receiver", "receiverType", "category", "type", "muid", "tags"})
"""What an edit without `data` leaves alone."""


def read_send_body(
    fields: dict[str, Json], dialect: Dialect, ids: Ids, *, resource: str | None, parent: str | None
) -> NewMessage:
    """Read what is to be stored.

    Args:
        fields: The body's object.
        dialect: Says which fields must be there.
        ids: Where addresses of uploads come from.
        resource: The `resource` header.
        parent: The message that a reply in a thread answers, from the path.

    Raises:
        ChatRefusal: `missing_parameter`, `bad_receiver_type`, `bad_value`.
    """
    strict = dialect.name == "cometchat"
    if fields.get("receiver") in (None, ""):
        raise ChatRefusal("missing_parameter", parameter="receiver")
    receiver = text_of(fields["receiver"], "receiver")
    receiver_type = _receiver_type(fields, strict=strict)
    data = _data(fields)
    category, kind = (_or(fields.get(name), default) for name, default in _DEFAULTS)
    muid = fields.get("muid")
    text_of(muid, "muid")
    media: Row = {}
    if strict:
        receiver = receiver.lower()
        _check_documented(fields, category, kind, data)
        if len(json.dumps(data, ensure_ascii=False)) > dialect.data_limit:
            raise ChatRefusal("bad_value", parameter="data")
    elif category == "message":
        kind, data, media = with_media(kind, data, uploads(fields.get("files"), ids))
    return NewMessage(
        receiver=receiver,
        receiver_type=receiver_type,
        category=category,
        type=kind,
        data=data,
        muid=muid,
        tags=fields.get("tags"),
        parent_id=_or(parent, first_given(fields, "parentId", "parentMessageId")),
        resource=resource or text_of(fields.get("resource"), "resource") or None,
        media=media,
    )


def _or(value: Json, otherwise: Json) -> Json:
    return otherwise if value is None else value


def _receiver_type(fields: dict[str, Json], *, strict: bool) -> ReceiverType:
    """Who gets it: a group only where that is said. Measured: without it, a user."""
    said = fields.get("receiverType")
    word = "user" if said is None and not strict else text_of(said, "receiverType").lower()
    if word == "user":
        return "user"
    if word == "group":
        return "group"
    raise ChatRefusal("bad_receiver_type", parameter="receiverType")


def _data(fields: dict[str, Json]) -> dict[str, Json]:
    """`data`, and what of it stands at the top of the body only (the SDK repeats it there)."""
    value = fields.get("data")
    if isinstance(value, str):  # a field of a form holds JSON text
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise ChatRefusal("bad_value", parameter="data") from None
    if not isinstance(value, dict | None):
        raise ChatRefusal("bad_value", parameter="data")
    data = {name: fields[name] for name in _REPEATED if name in fields} | (value or {})
    if not isinstance(data.get("metadata"), dict | None):
        raise ChatRefusal("bad_value", parameter="data.metadata")
    return data


def edited_data(fields: dict[str, Json], *, documented: bool) -> dict[str, Json]:
    """Return what an edit changes: the fields of `data`, or of a body that has none.

    Args:
        fields: The body.
        documented: CometChat edits text, metadata and customData; OpenChat whatever is there.

    Raises:
        ChatRefusal: `bad_value`: `data` is no object, where that is validated.
    """
    data = fields.get("data", {})
    if documented:
        if not isinstance(data, dict):
            raise ChatRefusal("bad_value", parameter="data")
        return {name: data[name] for name in _REPEATED if name in data}
    if "data" not in fields:
        return {name: value for name, value in fields.items() if name not in _ENVELOPE}
    lifted = {name: fields[name] for name in _REPEATED if name in fields}
    return lifted | (data if isinstance(data, dict) else {})


def _check_documented(fields: dict[str, Json], category: Json, kind: Json, data: dict[str, Json]) -> None:
    """CometChat validates (documented codes, statuses seen in public bots)."""
    for name in ("category", "type"):
        if not fields.get(name):
            raise ChatRefusal("missing_parameter", parameter=name)
    for name in ("receiver", "category", "type", "muid", "parentId"):
        if not isinstance(fields.get(name), str | int | float | None):
            raise ChatRefusal("bad_value", parameter=name)
    if category not in ("message", "custom", "interactive"):
        raise ChatRefusal("bad_value", parameter="category")
    text = data.get("text")
    if (category, kind) == ("message", "text") and not (isinstance(text, str) and text.strip()):
        raise ChatRefusal("bad_value", parameter="data.text")
    if category == "custom" and not isinstance(data.get("customData"), dict):
        raise ChatRefusal("bad_value", parameter="data.customData")
    if not _are_tags(fields.get("tags")):
        raise ChatRefusal("bad_value", parameter="tags")


def _are_tags(tags: Json) -> bool:
    if tags is None:
        return True
    return (
        isinstance(tags, list)
        and len(tags) <= MOST_TAGS
        and all(isinstance(tag, str) and len(tag) <= LONGEST_TAG for tag in tags)
    )


def web_client_line(person: Person, text: str, ids: Ids) -> Row:
    """Text and `metadata.chatMessage` as the web client sends them (seen in public bots)."""
    chat_message = {
        "id": ids.hex(8),
        "message": text,
        "avatarId": person.avatar_id,
        "userName": person.nickname,
        "userUuid": person.uid,
        "color": person.color,
        "badges": [],
        "mentions": [],
        "type": "user",
    }
    return {"text": text, "metadata": {"chatMessage": chat_message}}

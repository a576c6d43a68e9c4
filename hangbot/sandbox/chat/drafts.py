"""Reading the body of a send.

PURE. OpenChat stores nearly everything: an empty text, no `data`, unknown categories. What
it cannot use makes it crash (500, empty); CometChat answers with the field's name.
"""

import json
import secrets
from typing import Any, Final

from hangbot.sandbox.chat.dialects import Dialect
from hangbot.sandbox.chat.rows import Draft, Json, Row
from hangbot.sandbox.chat.rules import ChatRefusal
from hangbot.sandbox.people import Person

__all__ = ["read_draft", "text_of", "web_client_line"]

MOST_TAGS: Final = 25
LONGEST_TAG: Final = 100


def text_of(value: Json, parameter: str) -> str:
    """Take a text or a number as text.

    Raises:
        ChatRefusal: `bad_value`: it is something else.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise ChatRefusal("bad_value", parameter=parameter)


def read_draft(
    fields: dict[str, Json], dialect: Dialect, *, resource: str | None, parent: str | None
) -> Draft:
    """Read what is to be stored.

    Args:
        fields: The body's object.
        dialect: Says which fields must be there.
        resource: The `resource` header.
        parent: The message that a reply in a thread answers, from the path.

    Raises:
        ChatRefusal: `missing_parameter`, `bad_receiver_type`, `bad_value`.
    """
    strict = dialect.name == "cometchat"
    if fields.get("receiver") in (None, ""):
        raise ChatRefusal("missing_parameter", parameter="receiver")
    receiver = text_of(fields["receiver"], "receiver")
    receiver_type = fields.get("receiverType")
    if receiver_type not in ("user", "group"):
        raise ChatRefusal("bad_receiver_type", parameter="receiverType")
    data = _data(fields.get("data"))
    category = text_of(fields.get("category") or "message", "category")
    kind = text_of(fields.get("type") or "text", "type")
    muid = fields.get("muid")
    tags = fields.get("tags")
    if tags is not None and not isinstance(tags, list):
        raise ChatRefusal("bad_value", parameter="tags")
    if strict:
        receiver = receiver.lower()
        _check_documented(fields, category, kind, data)
        if len(json.dumps(data, ensure_ascii=False)) > dialect.data_limit:
            raise ChatRefusal("bad_value", parameter="data")
    return Draft(
        receiver=receiver,
        receiver_type=receiver_type,
        category=category,
        type=kind,
        data=data,
        muid=None if muid is None else text_of(muid, "muid"),
        tags=tags,
        parent_id=parent if parent is not None else _parent(fields.get("parentId")),
        resource=resource,
    )


def _data(value: Any) -> dict[str, Json]:  # noqa: ANN401  any JSON value
    if value is None:
        return {}
    if isinstance(value, str):  # a multipart field holds JSON text
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise ChatRefusal("bad_value", parameter="data") from None
    if not isinstance(value, dict):
        raise ChatRefusal("bad_value", parameter="data")
    metadata = value.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise ChatRefusal("bad_value", parameter="data.metadata")
    return value


def _parent(value: Any) -> int | str | None:  # noqa: ANN401  any JSON value
    if value is None or (isinstance(value, int | str) and not isinstance(value, bool)):
        return value
    raise ChatRefusal("bad_value", parameter="parentId")


def _check_documented(fields: dict[str, Json], category: str, kind: str, data: dict[str, Json]) -> None:
    """CometChat validates (documented codes, statuses seen in public bots)."""
    for name in ("category", "type"):
        if not fields.get(name):
            raise ChatRefusal("missing_parameter", parameter=name)
    if category not in ("message", "custom", "interactive"):
        raise ChatRefusal("bad_value", parameter="category")
    if category == "message" and kind == "text":
        text = data.get("text")
        if not isinstance(text, str) or not text.strip():
            raise ChatRefusal("bad_value", parameter="data.text")
    tags = fields.get("tags") or ()
    if len(tags) > MOST_TAGS or any(not isinstance(tag, str) or len(tag) > LONGEST_TAG for tag in tags):
        raise ChatRefusal("bad_value", parameter="tags")
    if category == "custom" and not isinstance(data.get("customData"), dict):
        raise ChatRefusal("bad_value", parameter="data.customData")


def web_client_line(person: Person, text: str) -> Row:
    """Text and `metadata.chatMessage` as the web client sends them (seen in public bots)."""
    chat_message = {
        "id": secrets.token_hex(8),
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

"""What a chat server says, in short: as the recording of OpenChat holds it, and as a replay compares it.

Nothing is left out but what cannot be equal: ids are `#`, times `@`, tokens `*`, and of a group's
members it is kept whether there are any. Users, groups, messages, errors and frames that have exactly
the fields which they always have are one line each; whatever has other fields is told field by field.
"""

import re
from typing import Any

TOKENS = frozenset({"authToken", "fat", "jwt", "auth", "settingsHash"})
IDS = frozenset(
    {
        "id",
        "messageId",
        "parentId",
        "msgId",
        "uuid",
        "cursorId",
        "cursorValue",
        "latestMessageId",
        "lastReadMessageId",
        "lastDeliveredMessageId",
    }
)
FIRST_TIME = 10**9
UPLOAD = re.compile(r"/media/[\w-]+-upload")


def short(value: Any, key: str = "") -> Any:  # noqa: ANN401  any JSON value
    """Say any JSON value in short."""
    if isinstance(value, dict):
        told = {name: short(part, name) for name, part in value.items()}
        for form in (_settings, _error, _entity, _user, _group, _message, _frame, _pagination):
            told = form(told) if isinstance(told, dict) else told
        return told
    if isinstance(value, list):
        return [short(part, key) for part in value]
    return _plain(value, key)


def _plain(value: Any, key: str) -> Any:  # noqa: ANN401  any JSON value
    if key in TOKENS and value:
        return "*"
    if key in IDS and not isinstance(value, bool) and str(value).isdigit():
        return "#" if isinstance(value, int) else "'#'"
    if isinstance(value, int) and not isinstance(value, bool) and value > FIRST_TIME:
        return "@"
    return UPLOAD.sub("/media/*-upload", value) if isinstance(value, str) else value


def _known(told: dict[str, Any], **fields: Any) -> bool:  # noqa: ANN401  any JSON value
    return all(name in told and told[name] == value for name, value in fields.items())


def _rest(told: dict[str, Any], head: str, *taken: str) -> Any:  # noqa: ANN401  a line, or a line and more
    more = {name: part for name, part in told.items() if name not in taken}
    return {"": head, **more} if more else head


def _settings(told: dict[str, Any]) -> Any:  # noqa: ANN401
    """Hosts and ports differ: which settings there are."""
    return sorted(told) if "CLIENT_API_HOST" in told else told


def _error(told: dict[str, Any]) -> Any:  # noqa: ANN401
    error = told.get("error")
    if set(told) != {"error"} or not isinstance(error, dict) or error.get("code") != error.get("name"):
        return told
    head = f"{error['code']}: {error['message']}"
    return {"error": head} | ({"details": error["details"]} if error["details"] else {})


def _user(told: dict[str, Any]) -> Any:  # noqa: ANN401
    common = {"lastActiveAt": "@", "metadata": {}, "status": "available", "tags": []}
    if not _known(told, **common) or not {"uid", "name", "role"} <= set(told):
        return told
    uid, role = told["uid"], told["role"]
    name = "" if told["name"] == uid.title() else f" ({told['name']})"
    head = f"user {uid}{name}" + ("" if role == "default" else f" as {role}")
    return _rest(told, head, "uid", "name", "role", *common)


def _group(told: dict[str, Any]) -> Any:  # noqa: ANN401
    names = ("createdAt", "guid", "hasJoined", "membersCount", "metadata", "name", "owner", "tags", "type")
    if not set(names) <= set(told) or not _known(told, createdAt="@", metadata={}, tags=[]):
        return told
    name = "" if told["name"] == told["guid"].title() else f" ({told['name']})"
    head = f"{told['type']} group {told['guid']}{name} of {told['owner']}"
    head += (" with me" if told["hasJoined"] else "") + ("" if told["membersCount"] else ", empty")
    return _rest(told, head, *names)


def _entity(told: dict[str, Any]) -> Any:  # noqa: ANN401
    if set(told) != {"entity", "entityType"} or not isinstance(told["entity"], str):
        return told
    return told["entity"] if f"{told['entityType']} " in told["entity"] else told


def _message(told: dict[str, Any]) -> Any:  # noqa: ANN401
    common = {"id": "#", "sentAt": "@", "updatedAt": "@"}
    names = ("conversationId", "sender", "receiver", "receiverType", "category", "type", "data")
    if not _known(told, **common) or not set(names) <= set(told) or not isinstance(told["data"], dict):
        return told
    data, sides = dict(told["data"]), (told["sender"], told["receiver"])
    direct = "_".join(["user", *sorted(sides)])
    where = {f"group_{told['receiver']}": "", direct: ""}.get(told["conversationId"], told["conversationId"])
    entities, receiver = data.get("entities"), f"{told['receiverType']} {told['receiver']}"
    if isinstance(entities, dict) and entities.get("sender") == f"user {sides[0]}":
        shown = entities.get("receiver")
        if isinstance(shown, str) and receiver in shown:
            receiver = shown
            entities = {name: part for name, part in entities.items() if name not in ("sender", "receiver")}
            data = {name: part for name, part in data.items() if name != "entities"}
            data |= {"entities": entities} if entities else {}
    kind = "/".join(
        part if isinstance(part, str) else repr(part) for part in (told["category"], told["type"])
    )
    head = f"{kind} of {sides[0]} to {receiver}" + (f" in {where}" if where else "")
    if data.get("reactions") == []:
        del data["reactions"]
    else:
        data.setdefault("reactions", "none at all")
    more = {name: part for name, part in told.items() if name not in (*common, *names)}
    if "metadata" in more and more["metadata"] == data.get("metadata"):
        del data["metadata"]
        more["metadata"] = _line(more["metadata"], data, more.get("muid", "'#'"))
    if data.get("text") is not None:
        more["text"] = data.pop("text")
    return {"": head, **more, **({"data": data} if data else {})}


def _line(metadata: Any, data: dict[str, Any], muid: Any) -> Any:  # noqa: ANN401
    """The metadata of a message; of a `chatMessage` that was invented that it was."""
    said = metadata.get("chatMessage") if isinstance(metadata, dict) else None
    if not isinstance(said, dict):
        return metadata
    invented = {"id": "#", "type": "user", "uuid": muid, "userName": said.get("userName")}
    invented |= {"userUuid": said.get("userUuid"), "message": data.get("text")}
    if said != invented or invented["userName"] != str(invented["userUuid"]).title():
        return metadata
    rest = {name: part for name, part in metadata.items() if name != "chatMessage"}
    return {"invented": True, **rest} if rest else "invented"


def _frame(told: dict[str, Any]) -> Any:  # noqa: ANN401
    names = ("appId", "receiver", "receiverType", "deviceId", "type", "sender", "body")
    if set(told) != set(names):
        return told
    head = "{type} from {sender} ({deviceId}) to {receiverType} {receiver}".format(**told)
    return {"": head, "body": told["body"]}


def _pagination(told: dict[str, Any]) -> Any:  # noqa: ANN401
    if set(told) == {"affix", "id", "sentAt"}:
        return "{affix} {id} {sentAt}".format(**told)
    if set(told) != {"count", "current_page", "per_page", "total", "total_pages"}:
        return told
    return "{count} of {total}, {per_page} a page, page {current_page} of {total_pages}".format(**told)

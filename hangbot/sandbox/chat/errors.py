"""How each dialect words a refusal: status, code, message.

PURE. OpenChat's rows are measured. CometChat's documents list codes without statuses:
401 for "not joined" and for a wrong API key, 417 for "already joined" and 400 for a bad
request are seen in public bots' code; the other statuses are this sandbox's default.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["COMETCHAT_ERRORS", "OPENCHAT_ERRORS", "Wording"]


@dataclass(frozen=True, slots=True)
class Wording:
    """One refusal; `message` is filled in from the details, of which `shown` go into the body."""

    status: int
    code: str | None
    """None: the body is empty."""
    message: str = ""
    shown: tuple[str, ...] = ()


_NO_GROUP: Final = "Group {guid} was not found."
_NOT_YOURS: Final = Wording(403, "ERR_FORBIDDEN", "You can access only conversations you participate in.")
_NO_MESSAGE: Final = ("ERR_MESSAGE_NOT_FOUND", "Message {id} was not found.", ("id",))
_NOT_IN: Final = Wording(
    400, "ERR_NOT_A_MEMBER", "The logged-in user is not a member of group {guid}.", ("guid",)
)

OPENCHAT_ERRORS: Final[Mapping[str, Wording]] = {
    "no_token": Wording(401, "ERR_NO_AUTH", "A valid authToken is required."),
    "bad_token": Wording(401, "ERR_NO_AUTH", "A valid authToken is required."),
    "no_apikey": Wording(403, "ERR_FORBIDDEN", "Invalid apiKey."),
    "bad_apikey": Wording(403, "ERR_FORBIDDEN", "Invalid apiKey."),
    "missing_header": Wording(403, "ERR_FORBIDDEN", "Missing header: {parameter}."),
    "route_unknown": Wording(404, "ERR_ROUTE_NOT_FOUND", "No OpenChat route matched {method} {path}"),
    "user_unknown": Wording(404, "ERR_UID_NOT_FOUND", "User {uid} was not found.", ("uid",)),
    "receiver_unknown": Wording(404, "ERR_UID_NOT_FOUND", "User {uid} was not found.", ("uid",)),
    "group_unknown": Wording(404, "ERR_GUID_NOT_FOUND", _NO_GROUP, ("guid",)),
    "join_group_unknown": Wording(400, "ERR_GUID_NOT_FOUND", _NO_GROUP, ("guid",)),
    "send_group_unknown": Wording(400, "ERR_GUID_NOT_FOUND", _NO_GROUP, ("guid",)),
    "read_group_unknown": _NOT_IN,
    "read_not_member": _NOT_IN,
    "send_not_member": _NOT_IN,
    "already_joined": Wording(417, "ERR_ALREADY_JOINED", "User {uid} is in group {guid} already."),
    "join_private": Wording(400, "ERR_FORBIDDEN", "Private groups must add members server-side."),
    "join_password": Wording(400, "INVALID_PASSWORD", "Invalid group password.", ("parameter",)),
    "join_no_password": Wording(400, "INVALID_PASSWORD", "Invalid group password.", ("parameter",)),
    "join_banned": Wording(400, "ERR_FORBIDDEN", "You are banned from this group."),
    "join_full": Wording(400, "ERR_LIMIT_EXCEEDED", "Group {guid} is full.", ("guid",)),
    "remove_other": Wording(403, "ERR_FORBIDDEN", "Users can only remove their own membership."),
    "message_unknown": Wording(404, *_NO_MESSAGE),
    "change_unknown": Wording(400, *_NO_MESSAGE),
    "parent_unknown": Wording(400, *_NO_MESSAGE),
    "look_outside": _NOT_YOURS,
    "look_other": _NOT_YOURS,
    "other_conversation": Wording(
        403, "ERR_FORBIDDEN", "Receipts can only target messages in the requested conversation."
    ),
    "other_thread": Wording(
        403, "ERR_FORBIDDEN", "Thread replies must stay in the parent message conversation."
    ),
    "react_deleted": Wording(403, "ERR_FORBIDDEN", "Cannot react to a deleted message."),
    "edit_other": Wording(
        403, "ERR_FORBIDDEN", "You can edit only your own messages unless you moderate the group."
    ),
    "delete_other": Wording(
        403, "ERR_FORBIDDEN", "You can delete only your own messages unless you moderate the group."
    ),
    "message_deleted": Wording(403, "ERR_FORBIDDEN", "Deleted messages cannot be edited or deleted."),
    "missing_parameter": Wording(
        400, "MISSING_PARAMETERS", "Missing required parameter: {parameter}.", ("parameter",)
    ),
    "bad_receiver_type": Wording(
        400, "INVALID_RECEIVERTYPE", "receiverType must be user or group.", ("parameter",)
    ),
    # A body that it cannot read or does not expect makes it crash: 500 without a body.
    "trace": Wording(501, None),
    "silent_method": Wording(404, None),
    "malformed": Wording(500, None),
    "bad_content_type": Wording(500, None),
    "bad_value": Wording(500, None),
    "too_large": Wording(500, None),
    "upgrade_required": Wording(426, None),
    "bad_origin": Wording(403, None),
}

_BAD: Final = Wording(400, "ERR_BAD_REQUEST", "Failed to validate the data sent with the request.")
_GONE: Final = Wording(
    404, "ERR_MESSAGE_ID_NOT_FOUND", "The message with id {id} does not exist. Please use a correct id."
)
_NO_UID: Final = Wording(404, "ERR_UID_NOT_FOUND", "The user with uid {uid} does not exist.")
_NO_GUID: Final = Wording(404, "ERR_GUID_NOT_FOUND", "The group with guid {guid} does not exist.")
_OUTSIDE: Final = Wording(
    401, "ERR_GROUP_NOT_JOINED", "The user with uid {uid} has not joined the group with guid {guid}."
)

COMETCHAT_ERRORS: Final[Mapping[str, Wording]] = {
    "no_app_id": Wording(401, "AUTH_ERR_EMPTY_APPID", "The header appId is missing."),
    "bad_app_id": Wording(401, "AUTH_ERR_INVALID_APPID", "The app id is unknown in this region."),
    "no_token": Wording(401, "AUTH_ERR_EMPTY_AUTH_TOKEN", "The header authToken is missing."),
    "bad_token": Wording(401, "AUTH_ERR_AUTH_TOKEN_NOT_FOUND", "The auth token does not exist."),
    "no_apikey": Wording(401, "AUTH_ERR_EMPTY_APIKEY", "The header apiKey is missing."),
    "missing_header": Wording(403, "AUTH_ERR_NO_ACCESS", "The header {parameter} is missing."),
    "bad_apikey": Wording(401, "AUTH_ERR_APIKEY_NOT_FOUND", "The API key does not exist."),
    "route_unknown": Wording(404, "ERR_API_NOT_FOUND", "The requested API {path} does not exist."),
    "user_unknown": _NO_UID,
    "receiver_unknown": _NO_UID,
    "group_unknown": _NO_GUID,
    "join_group_unknown": _NO_GUID,
    "send_group_unknown": _NO_GUID,
    "read_group_unknown": _NO_GUID,
    "read_not_member": _OUTSIDE,
    "send_not_member": _OUTSIDE,
    "already_joined": Wording(
        417, "ERR_ALREADY_JOINED", "The user with uid {uid} has already joined the group with guid {guid}."
    ),
    "join_private": Wording(403, "ERR_GROUP_JOIN_NOT_ALLOWED", "The group {guid} cannot be joined."),
    "join_password": Wording(400, "ERR_WRONG_GROUP_PASS", "The password of the group {guid} is wrong."),
    "join_no_password": Wording(400, "ERR_EMPTY_GROUP_PASS", "The group {guid} needs a password."),
    "join_banned": Wording(
        403, "ERR_BANNED_GROUPMEMBER", "The user with uid {uid} is banned from the group with guid {guid}."
    ),
    "join_full": Wording(400, "ERR_NO_VACANCY", "The group {guid} has no vacancy."),
    "remove_other": Wording(403, "ERR_GROUP_NO_SCOPE_CLEARANCE", "A higher scope is needed."),
    "message_unknown": _GONE,
    "change_unknown": _GONE,
    "parent_unknown": _GONE,
    "look_outside": _OUTSIDE,
    "look_other": _GONE,  # a stranger does not learn that the message exists
    "other_conversation": _BAD,
    "other_thread": _BAD,
    "react_deleted": Wording(403, "ERR_MESSAGE_ACTION_NOT_ALLOWED", "The message {id} is deleted."),
    "edit_other": Wording(403, "ERR_MESSAGE_NOT_A_SENDER", "The user did not send the message {id}."),
    "delete_other": Wording(403, "ERR_MESSAGE_NOT_A_SENDER", "The user did not send the message {id}."),
    "message_deleted": Wording(403, "ERR_MESSAGE_ACTION_NOT_ALLOWED", "The message {id} is deleted."),
    "missing_parameter": _BAD,
    "bad_receiver_type": _BAD,
    "malformed": _BAD,
    "bad_content_type": _BAD,
    "bad_value": _BAD,
    "too_large": Wording(413, "ERR_BAD_REQUEST", "The body is too large."),
    "upgrade_required": Wording(426, None),
    "bad_origin": Wording(403, None),
    "too_many_requests": Wording(429, "ERR_TOO_MANY_REQUESTS", "Too many requests."),
}

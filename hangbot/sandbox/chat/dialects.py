"""The chat servers behind one protocol: what they do and how they word it.

PURE. `openchat` is what Hang.fm runs since June 2026, measured on a local build;
`cometchat` is the service it replaced, from its documentation and from public bots.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, TypeAlias

from hangbot.sandbox.chat.errors import COMETCHAT_ERRORS, OPENCHAT_ERRORS, Wording
from hangbot.sandbox.chat.rows import Push, Row
from hangbot.sandbox.chat.rules import ChatRefusal, ChatRules
from hangbot.sandbox.chat_tokens import ChatTokenRules

__all__ = ["COMETCHAT", "DIALECTS", "OPENCHAT", "SRECHAT", "Dialect", "DialectName"]

DialectName: TypeAlias = Literal["openchat", "cometchat"]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one server behaves. Change single fields with `dataclasses.replace`.

    Where a document says "unknown", the field's default is the sandbox's choice and its
    other values are the variants.
    """

    name: DialectName
    errors: dict[str, Wording] = field(repr=False)
    rules: ChatRules = field(default_factory=ChatRules)
    send_status: int = 201
    id_is_string: bool = False
    bearer: bool = True
    """Takes the token from `Authorization: Bearer` and from a parameter, too."""
    needs_app_id: bool = False
    documented_lists: bool = False
    """Lists follow CometChat's documentation; see `hangbot.sandbox.chat.paging`."""
    default_affix: str = "prepend"
    """Measured on OpenChat; CometChat's is unknown."""
    bare_newest_first: bool = False
    """A list without `affix` begins with the newest row; unknown for CometChat."""
    members_meta: bool = False
    frame_first: bool = True
    """The `message` frame reaches sockets before the HTTP answer of the send."""
    echoes: bool = True
    """A frame goes to the sending device's own sockets too: measured on OpenChat, unknown for CometChat."""
    direct_history_delay_s: float = 0.6
    """`users/{uid}/messages` takes this long (measured on an OpenChat build)."""
    socket_takes_auth_token: bool = True
    socket_refuses: bool = True
    """A wrong socket auth is answered; CometChat was met with silence (seen in a public bot)."""
    socket_origins: frozenset[str] | None = None
    """Hosts, and all below them, whose pages may open a socket; None: any page. OpenChat has such a
    list; the build that was measured let every page in; production's list is unknown."""
    passes_on: frozenset[str] = frozenset()
    """Types of client frames that other users get to see."""
    presence: bool = False
    """Shows users coming and going to sockets that asked for it in their auth frame."""
    jwt_lifetime_s: float = 24 * 3600.0
    jwt_dies_with_token: bool = False
    """Unknown for Hang.fm: so in the successor server SREChat."""
    health: bool = True
    data_limit: int = 65_536
    """Characters of `data` where the server validates: CometChat documents 65,536 for a message with
    its metadata and 10 KB for the REST body's object; which one holds is unknown."""
    required_headers: frozenset[str] = frozenset()
    """Headers without which every call is refused: whether Hang.fm wants `sdk`, `origin` or `referer`
    is unknown."""
    tokens: ChatTokenRules = field(default_factory=ChatTokenRules)

    # -- errors ------------------------------------------------------------------------

    def refusal(self, refused: ChatRefusal) -> tuple[int, Row | None]:
        """Status and body of a refusal; no body where the server sends an empty one."""
        wording = self.errors.get(refused.reason) or self.errors["bad_value"]
        if wording.code is None:
            return wording.status, None
        names = _Blanks(refused.details)
        message = wording.message.format_map(names)
        if self.name == "openchat":
            details: dict[str, Any] = {name: names[name] for name in wording.shown}
            return wording.status, {
                "error": {
                    "code": wording.code,
                    "details": details,
                    "message": message,
                    "name": wording.code,
                }
            }
        parameter = refused.details.get("parameter")
        details = {parameter: [f"The {parameter} field is missing or invalid."]} if parameter else {}
        return wording.status, {
            "error": {
                "code": wording.code,
                "message": message,
                "devMessage": message,
                "details": details,
                "source": "sandbox",
            }
        }

    # -- rows --------------------------------------------------------------------------

    def render(self, row: Row, viewer: str | None = None, reactors: frozenset[str] = frozenset()) -> Row:
        """Return a row as this server shows it to `viewer`, whose own reactions to it are `reactors`."""
        if reactors and viewer is not None:
            row = _with_own_reactions(row, reactors)
        if not self.id_is_string:
            return row
        shown = {**row, "id": str(row["id"])}
        if "parentId" in row:
            shown["parentId"] = str(row["parentId"])
        if row.get("receiverType") == "user" and "conversationId" in row:
            first, second = sorted((row["sender"], row["receiver"]))
            shown["conversationId"] = f"{first}_user_{second}"
        if row.get("category") == "action":
            shown["data"] = self._action_data(row["data"])
        return shown

    def _action_data(self, data: Row) -> Row:
        entities = data["entities"]
        on = entities["on"]
        if on["entityType"] != "message":
            return data
        on = {**on, "entity": self.render(on["entity"])}
        return {**data, "entities": {**entities, "on": on}}

    def frame(self, push: Push, app_id: str) -> Row:
        """Return the envelope of a real-time frame."""
        body = self.render(push.body) if push.type == "message" else push.body
        return {
            "appId": app_id,
            "receiver": push.receiver,
            "receiverType": push.receiver_type,
            "deviceId": push.device_id,
            "type": push.type,
            "sender": push.sender,
            "body": body,
        }


class _Blanks(dict[str, str]):
    """Details of a refusal; a missing one reads as an empty text."""

    def __missing__(self, _key: str) -> str:
        return ""


def _with_own_reactions(row: Row, own: frozenset[str]) -> Row:
    counts = [
        {**count, "reactedByMe": count["reaction"] in own} for count in row["data"].get("reactions", ())
    ]
    return {**row, "data": {**row["data"], "reactions": counts}}


OPENCHAT: Final = Dialect("openchat", dict(OPENCHAT_ERRORS))

COMETCHAT: Final = Dialect(
    "cometchat",
    dict(COMETCHAT_ERRORS),
    rules=ChatRules(
        send_joins=False,
        public_reads=False,
        join_twice=False,
        invents_users=False,
        invents_chat_message=False,
        announces=frozenset({"joined", "left", "kicked", "banned", "unbanned", "added", "scopeChanged"}),
        leaves_unknown=False,
    ),
    send_status=200,
    id_is_string=True,
    bearer=False,
    needs_app_id=True,
    documented_lists=True,
    members_meta=True,
    frame_first=False,
    direct_history_delay_s=0.0,
    socket_takes_auth_token=False,
    socket_refuses=False,
    passes_on=frozenset({"typing_indicator", "transient_message"}),
    presence=True,
    health=False,
    tokens=ChatTokenRules(look="uid"),
)

SRECHAT: Final = replace(
    OPENCHAT, rules=ChatRules(makes_muid=True, sparse_ids=True), jwt_dies_with_token=True
)
"""The successor of OpenChat (August 2026); whether Hang.fm runs it is unknown."""

DIALECTS: Final[dict[str, Dialect]] = {"openchat": OPENCHAT, "cometchat": COMETCHAT, "srechat": SRECHAT}

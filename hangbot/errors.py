"""Every error that hangbot raises on purpose. Its message says what happened; it never holds a secret.

::

    HangbotError
    ├── ConfigError                 the configuration is wrong or incomplete
    ├── UsageError                  the call is wrong; nothing was done
    ├── WireError                   a frame, answer or patch that cannot be read
    ├── ServiceError                gateway, chat or room socket
    │   ├── Unreachable             no connection; nothing was sent
    │   ├── AnswerLost              sent, but no answer came: it may have been done
    │   │   ├── AckTimeout          … within the time-out
    │   │   └── ConnectionLost      … because the connection went
    │   │       └── ActionLost      … and a room action is not replayed on the next one
    │   ├── Unavailable             an answer that says "not now" (5xx, an unreadable body)
    │   ├── RateLimited             429: wait
    │   └── Refused                 understood, and refused
    │       ├── TokenRejected       the token is dead, wrong or another user's
    │       ├── NotAMember          not in the chat group
    │       │   └── GroupClosed     … and the group does not let the bot in
    │       ├── NotFound            no such user, group, message or route
    │       └── JoinRefused         the room does not let the bot in
    │           └── RemovedFromRoom  kicked or banned: do not try again at once
    └── OutboxError                 the outbox on disk
        ├── OutboxBusy              another process delivers from it
        ├── OutboxFull              as many messages wait as may
        ├── StoreConflict           a value that a handler changed was changed by another one meanwhile
        ├── OutboxOfAnother         the file is another bot's
        ├── OutboxUnusable          not a database, not writable, of a later version
        │   ├── OutboxNotOurs       another bot's, which only the service's answer showed
        │   ├── OutboxLocked        another program holds the file
        │   ├── OutboxDiskFull      there is no room on its disk
        │   └── OutboxTaken         the file was taken away while it was in use
        └── UnknownMessage          no message with that id
"""

from collections.abc import Sequence
from typing import ClassVar

from hangbot.exit_codes import CANNOT_TELL, FAILED, MISCONFIGURED, PUT_OUT


class HangbotError(Exception):
    """Base of every error raised on purpose.

    Attributes:
        remedy: The sentence that an operator acts on, shown beside the message or in a line of its own.
        retryable: Whether the same call may succeed when it is made again.
        ambiguous: Whether the server may have done it although this error was raised.
        exit_code: The exit code of a command that ends with this error.
        blames: The setting that is wrong; empty if it may be something else.
    """

    remedy: str = "Run `hangbot preflight` and act on the first line that is not [OK]."
    retryable: ClassVar[bool] = False
    ambiguous: ClassVar[bool] = False
    exit_code: ClassVar[int] = FAILED
    blames: str = ""

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message)
        if remedy is not None:
            self.remedy = remedy


class ConfigError(HangbotError):
    """The configuration is wrong; ``faults`` names each fault in a line, ``warnings`` what else is odd."""

    remedy = (
        "Correct the lines named above in hang-fm-config.env; `hangbot init` writes one that explains each."
    )
    exit_code = MISCONFIGURED

    def __init__(
        self,
        message: str,
        *,
        faults: Sequence[str] = (),
        remedy: str | None = None,
        warnings: Sequence[str] = (),
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.faults = tuple(faults)
        self.warnings = tuple(warnings)


class UsageError(HangbotError):
    """The call itself is wrong; nothing was done and nothing was written."""

    remedy = "Correct the call; `hangbot --help` shows how."
    exit_code = MISCONFIGURED


class WireError(HangbotError):
    """A frame, an answer or a patch does not follow the protocol."""

    remedy = "The service may have changed its protocol: report this line."
    exit_code = CANNOT_TELL


class ServiceError(HangbotError):
    """One of the three services did not do what it was asked.

    Attributes:
        service: ``gateway``, ``chat`` or ``room``.
        status: HTTP status of the answer, or ``None`` where there was none.
        code: The service's own error code (``ERR_…``), or ``None``.
        retry_after: Seconds that the service asks to wait; ``inf`` for a wait too long to keep.
        refuses_token: Whether such a refusal is about the token; ``None``: any 401, whatever its code.
    """

    refuses_token: ClassVar[bool | None] = False

    def __init__(
        self,
        message: str,
        *,
        service: str,
        status: int | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.service = service
        self.status = status
        self.code = code
        self.retry_after = retry_after

    @property
    def about_token(self) -> bool:
        """Whether the service refused only the token: the same request may pass with another one."""
        return self.status == 401 if self.refuses_token is None else self.refuses_token  # noqa: PLR2004  HTTP


class Unreachable(ServiceError):
    """No connection could be made; nothing was sent."""

    remedy = "Check the network, and the address of the service in hang-fm-config.env."
    retryable = True
    exit_code = CANNOT_TELL


class AnswerLost(ServiceError):
    """The request was sent and no answer came: it may have been carried out."""

    remedy = "Find out whether it was done before doing it again."
    retryable = True
    ambiguous = True
    exit_code = CANNOT_TELL


class AckTimeout(AnswerLost):
    """Sent, but not acknowledged within the time-out."""

    remedy = "Check the network; raise SOCKET_TIMEOUT_MS when the service is merely slow."


class ConnectionLost(AnswerLost):
    """The connection was lost before the answer came."""

    remedy = "The bot connects again by itself; check the network when this is frequent."


class ActionLost(ConnectionLost):
    """The connection was lost during a room action: it may have been done, and is not repeated."""

    remedy = "Look at the room, and do it again by hand if it is still wanted."
    retryable = False


class Unavailable(ServiceError):
    """The service answered that it cannot (5xx), or something that is not its answer came back."""

    remedy = "The service is in trouble; wait, and look at its status."
    retryable = True
    ambiguous = True
    exit_code = CANNOT_TELL


class RateLimited(ServiceError):
    """The service wants fewer requests (429); nothing was done."""

    remedy = "Lower HANGBOT_RATE, or wait."
    retryable = True
    exit_code = CANNOT_TELL


class Refused(ServiceError):
    """The service understood the request and refused it; the same request will be refused again."""

    remedy = "Read the service's own words; the same request will be refused again."
    refuses_token: ClassVar[bool | None] = None


class TokenRejected(Refused):
    """The token is unknown, expired, revoked or another user's."""

    remedy = "Renew BOT_USER_TOKEN (and remove COMETCHAT_AUTH, so that a new one is exchanged for it)."
    refuses_token = True


class NotAMember(Refused):
    """The bot is not a member of the chat group."""

    remedy = "Join the group: check COMETCHAT_RECEIVER, and that the bot is not banned."
    refuses_token = False  # although CometChat answers with a 401


class GroupClosed(NotAMember):
    """The bot is not a member of the chat group, and the group does not let it in: banned, private, full."""

    remedy = "Ask the room's owner or a moderator to let the bot into the group."


class NotFound(Refused):
    """No such user, group, message or route."""

    remedy = "Check the id that the message names."


class JoinRefused(Refused):
    """The room does not let the bot in."""

    remedy = "Check ROOM_UUID, and ask the room's owner whether the bot is banned or the room full."


class RemovedFromRoom(JoinRefused):
    """A moderator kicked or banned the bot; it must not try again at once."""

    remedy = "Ask the room's moderators; start the bot again when they agree."
    exit_code = PUT_OUT


class OutboxError(HangbotError):
    """The outbox on disk cannot do what was asked of it."""

    remedy = "Check HANGBOT_OUTBOX."


class OutboxBusy(OutboxError):
    """Another process delivers from this outbox; ``brief`` means that it will end by itself."""

    remedy = "Stop the other bot, or give this one its own HANGBOT_OUTBOX."

    def __init__(self, message: str, *, brief: bool = False, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.brief = brief


class OutboxFull(OutboxError):
    """As many messages wait as may: this one was not accepted, and none of the others is lost."""

    remedy = "Wait until the bot has delivered some, or give up old ones: `hangbot outbox drop ID`."


class StoreConflict(OutboxError):
    """A value that a handler read and changed was changed by another one meanwhile: nothing was written."""

    remedy = "The handler is run again by itself; where it acted in the room already, run the command again."


class OutboxOfAnother(OutboxError):
    """The file is another bot's, and this bot does not send the other's messages."""

    remedy = "Give this bot a HANGBOT_OUTBOX of its own, or start it with the other bot's configuration."
    exit_code = MISCONFIGURED


class OutboxUnusable(OutboxError):
    """The file is no database, cannot be written, or was made by a later version."""

    remedy = "Check HANGBOT_OUTBOX: its folder must exist and be writable, and the file must be an outbox."


class OutboxNotOurs(OutboxUnusable):
    """The file is another bot's, which was not known until the service said who this bot is."""

    remedy = (
        "Give this bot a HANGBOT_OUTBOX of its own; COMETCHAT_UID beside the token tells at once whose it is."
    )


class OutboxLocked(OutboxUnusable):
    """Another program kept the file locked for longer than hangbot waits."""

    remedy = "Let whatever has the file open end (`fuser -v FILE` names it), and try again."
    retryable = True


class OutboxDiskFull(OutboxUnusable):
    """There is no room on the disk: nothing was written."""

    remedy = "Make room on that disk (`df -h` shows it); the bot goes on by itself."
    retryable = True


class OutboxTaken(OutboxUnusable):
    """The file was removed, moved, replaced or truncated while it was in use."""

    remedy = "Put the file back while no bot runs (or begin with a new one), and start the bot again."


class UnknownMessage(OutboxError):
    """No message with that id is in the outbox."""

    remedy = "`hangbot outbox list` shows the ids."

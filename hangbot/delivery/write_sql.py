"""What changes the outbox, in SQL: one function a statement, run by its writer inside a transaction.

`hangbot.delivery.put_sql` has how a message gets there.
"""

import sqlite3
from collections.abc import Sequence

from hangbot.clock import Boot
from hangbot.delivery.message import MOST_PARTS
from hangbot.delivery.read_sql import QUEUED, WAITS, Rooms, first, get, owner, rooms_of
from hangbot.delivery.record import BY_HAND, EXPIRED_AT_START, OutboxRow, Settlement, Step
from hangbot.errors import UnknownMessage


def bind(database: sqlite3.Connection, uid: str) -> str:
    """Make the file a bot's unless it is a bot's already; return whose it is."""
    database.execute("INSERT INTO owner SELECT ? WHERE NOT EXISTS (SELECT 1 FROM owner)", (uid,))
    return owner(database) or uid


def recover(database: sqlite3.Connection, now: float) -> None:
    """Queue again what is left in sending; where no attempt is noted, the last one was cut off by the end."""
    left = f"state = 'sending' AND {WAITS}"
    cut_off = database.execute(f"SELECT seq, id FROM message WHERE {left} AND attempts = 0").fetchall()  # noqa: S608  constant
    for seq, key in cut_off:
        step = Step(key, now, "attempt", 1, "the program ended while it was on its way")
        _keep(database, seq, [step])
    database.execute(f"UPDATE message SET state = 'queued', attempts = max(attempts, 1) WHERE {left}")  # noqa: S608  constant


def expire(
    database: sqlite3.Connection, now: float, boot: Boot | None, rooms: Rooms = None
) -> list[tuple[str, float]]:
    """End what is too old to be sent and never was; what may be in the room is asked about first.

    A message's age is exact as long as the machine has not started anew, else by the wall clock.

    Returns:
        The id of each and when it was accepted, the oldest first.
    """
    too_old = (
        f"SELECT seq, id, accepted_at FROM message WHERE {QUEUED} AND NOT in_doubt AND room = :room"  # noqa: S608  constants
        " AND expires_at - accepted_at <="
        " CASE WHEN boot_id = :boot AND boot_at <= :at THEN :at - boot_at ELSE :now - accepted_at END"
    )
    times = {"now": now, "boot": boot and boot.id, "at": boot and boot.at}
    found = [
        row
        for room in list(rooms_of(database, rooms))
        for row in database.execute(too_old, times | {"room": room}).fetchall()
    ]
    database.executemany(
        "UPDATE message SET state = 'expired', settled_at = ?, reason = ?, remedy = ? WHERE seq = ?",
        [(now, EXPIRED_AT_START.reason, EXPIRED_AT_START.remedy, seq) for seq, *_ in found],
    )
    for seq, key, _ in found:
        _keep(database, seq, [Step(key, now, "settled", detail=EXPIRED_AT_START.reason)])
    return sorted(((key, accepted_at) for _, key, accepted_at in found), key=lambda each: each[1])


def claim(database: sqlite3.Connection, receiver: str, rooms: Rooms = None) -> OutboxRow | None:
    """Return the same, in sending: from here on it may be in the room."""
    row = first(database, receiver, rooms)
    if row is None:
        return None
    database.execute("UPDATE message SET state = 'sending', in_doubt = 1 WHERE id = ?", (row.message.id,))
    return row._replace(state="sending")


def release(database: sqlite3.Connection, key: str, in_doubt: bool) -> None:  # noqa: FBT001  a column
    """Undo `claim`."""
    database.execute(
        "UPDATE message SET state = 'queued', in_doubt = ? WHERE id = ? AND state = 'sending'",
        (in_doubt, key),
    )


def mark_sending(database: sqlite3.Connection, key: str, steps: Sequence[Step]) -> bool:
    """Write that from here on the message may be in the room; ``False``: it has ended, and must not be."""
    query = f"UPDATE message SET state = 'sending', in_doubt = 1 WHERE id = ? AND {WAITS}"  # noqa: S608  constant
    if not database.execute(query, (key,)).rowcount:
        return False
    append_steps(database, key, steps)
    return True


def settle(
    database: sqlite3.Connection, key: str, settlement: Settlement, steps: Sequence[Step], now: float
) -> list[str]:
    """Write the end of a message that is still open; what was dropped meanwhile stays dropped.

    Returns:
        The ids of the parts behind it that ended with it, because it did not arrive.
    """
    database.execute(
        "UPDATE message SET state = ?, tier = ?, attempts = ?, reason = ?,"  # noqa: S608  constant
        f" remedy = ?, settled_at = ?, in_doubt = ? WHERE id = ? AND ({WAITS} OR ? = 'delivered')",
        (
            settlement.state,
            settlement.tier,
            settlement.attempts,
            settlement.reason,
            settlement.remedy,
            now,
            settlement.state == "uncertain",
            key,
            settlement.state,
        ),
    )
    _keep(database, _seq(database, key), steps)
    return [] if settlement.state == "delivered" else fail_remaining_parts(database, key, now)


def fail_remaining_parts(database: sqlite3.Connection, key: str, now: float) -> list[str]:
    """Fail the parts behind one that did not arrive: half a text is worse than none of its end."""
    reason = f"not sent: part {key} of the same text did not arrive"
    remedy = f"`hangbot outbox retry` with {key} and the parts behind it, in their order."
    first, whole = database.execute("SELECT seq, whole FROM message WHERE id = ?", (key,)).fetchone()
    rest = database.execute(  # the parts of a text were written one after the other
        f"SELECT id, seq FROM message WHERE seq > ? AND seq < ? AND whole = ? AND {WAITS}",  # noqa: S608  constant
        (first, first + MOST_PARTS, whole),
    ).fetchall()
    for part, seq in rest:
        database.execute(
            "UPDATE message SET state = 'failed', tier = 3, settled_at = ?, reason = ?, remedy = ?"
            " WHERE seq = ?",
            (now, reason, remedy, seq),
        )
        _keep(database, seq, [Step(part, now, "settled", detail=reason)])
    return [part for part, _ in rest]


def fail_queued(
    database: sqlite3.Connection, receiver: str, settlement: Settlement, now: float, rooms: Rooms = None
) -> list[str]:
    """End what is queued for a group and was never in doubt in the same words; return the ids."""
    query = (
        f"SELECT id, seq, room FROM message WHERE {QUEUED} AND receiver = ? AND NOT direct AND NOT in_doubt"  # noqa: S608  constant
    )
    found = [
        (key, seq)
        for key, seq, room in database.execute(query, (receiver,)).fetchall()
        if rooms is None or room in rooms
    ]
    for key, seq in found:
        database.execute(
            "UPDATE message SET state = 'failed', tier = 3, settled_at = ?, reason = ?, remedy = ?"
            " WHERE seq = ?",
            (now, settlement.reason, settlement.remedy, seq),
        )
        _keep(database, seq, [Step(key, now, "settled", detail=settlement.reason)])
    return [key for key, _ in found]


def append_steps(database: sqlite3.Connection, key: str, steps: Sequence[Step]) -> None:
    """Keep steps and the number of attempts they speak of."""
    attempts = max((step.attempt for step in steps), default=0)
    database.execute("UPDATE message SET attempts = max(attempts, ?) WHERE id = ?", (attempts, key))
    _keep(database, _seq(database, key), steps)


def prune(database: sqlite3.Connection, before: float, most: int, keep_from: float) -> int:
    """Forget delivered messages that ended before a time, or are more than are kept; return how many.

    What ended after ``keep_from`` stays in any case.
    """
    old = database.execute(
        "DELETE FROM message WHERE state = 'delivered' AND settled_at < ?", (min(before, keep_from),)
    )
    surplus = database.execute(
        "DELETE FROM message WHERE settled_at < ? AND seq IN"
        " (SELECT seq FROM message WHERE state = 'delivered' ORDER BY seq DESC LIMIT -1 OFFSET ?)",
        (keep_from, most),
    )
    return old.rowcount + surplus.rowcount


def requeue(database: sqlite3.Connection, keys: Sequence[str], now: float) -> list[OutboxRow]:
    """Queue given-up messages again, in doubt wherever they were ever sent; they do not expire again."""
    for key in keys:
        seq = _seq(database, key)
        changed = database.execute(
            "UPDATE message SET state = 'queued', in_doubt = (in_doubt OR attempts > 0),"
            " attempts = max(attempts, in_doubt), settled_at = NULL,"
            " tier = NULL, reason = '', remedy = '', expires_at = NULL"
            " WHERE seq = ? AND state IN ('failed', 'uncertain', 'expired', 'dropped')",
            (seq,),
        ).rowcount
        if changed:
            _keep(database, seq, [Step(key, now, "accepted", detail=BY_HAND["retry"])])
    return [get(database, key) for key in keys]


def drop(database: sqlite3.Connection, keys: Sequence[str], now: float) -> list[OutboxRow]:
    """Give up what is not delivered; with a part that waits, the parts behind it."""
    for key in keys:
        seq = _seq(database, key)
        waits = get(database, key).settled_at is None
        changed = database.execute(
            "UPDATE message SET state = 'dropped', tier = NULL, settled_at = ?,"
            " reason = ?, remedy = ''"
            " WHERE seq = ? AND state NOT IN ('delivered', 'dropped')",
            (now, BY_HAND["drop"], seq),
        ).rowcount
        if changed:
            _keep(database, seq, [Step(key, now, "settled", detail=BY_HAND["drop"])])
            if waits:
                fail_remaining_parts(database, key, now)
    return [get(database, key) for key in keys]


def _seq(database: sqlite3.Connection, key: str) -> int:
    row = database.execute("SELECT seq FROM message WHERE id = ?", (key,)).fetchone()
    if row is None:
        raise UnknownMessage(f"no message {key} is in the outbox")
    return int(row[0])


def _keep(database: sqlite3.Connection, seq: int | None, steps: Sequence[Step]) -> None:
    database.executemany(
        "INSERT INTO step (message, at, kind, attempt, detail, seconds) VALUES (?, ?, ?, ?, ?, ?)",
        [(seq, step.at, step.kind, step.attempt, step.detail, step.seconds) for step in steps],
    )

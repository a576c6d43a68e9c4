"""Judges what happened in a simulated world: pure functions over a history. PURE.

`RULES` is all that is asked of a bot. A rule asks only what the documents promise: what is allowed by them
(a late request, a line that is heard again after a crash) is no violation.
"""

from typing import Final

from pytest_hangfm.simulation.checker import (
    connections,
    delivery,
    health,
    hearing,
    leftovers,
    order,
    patience,
    promptness,
    recovery,
    secrecy,
    sending,
)
from pytest_hangfm.simulation.checker.verdict import Note, Rule, Violation
from pytest_hangfm.simulation.history import History

__all__ = ["RULES", "Note", "Rule", "Violation", "check", "notes"]

RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "once",
        "A message that was accepted is in the room, or was reported as failed, uncertain, expired or "
        "dropped; never both, and never neither.",
        delivery.once,
    ),
    Rule("no-copy", "No message is in the room twice, but for a late request.", delivery.no_copy),
    Rule(
        "as-accepted",
        "What is in the room is what was accepted: its text and its receiver.",
        delivery.as_accepted,
    ),
    Rule("one-end", "The end of a message is reported once.", delivery.one_end),
    Rule("tier", "The tier says how a message arrived.", delivery.tier),
    Rule("uncertain", "A message is uncertain only where asking about it failed, too.", delivery.uncertain),
    Rule(
        "given-up",
        "A message fails only after all its attempts or all its time, or refused in the chat's own words; "
        "an outage it knows of is no attempt and takes no time.",
        patience.given_up,
    ),
    Rule("dropped", "Nothing is sent after it was dropped.", sending.dropped),
    Rule("ended", "Nothing is sent after its end was reported.", sending.ended),
    Rule(
        "asked-first", "What may be in the room is asked about before it is sent again.", sending.asked_first
    ),
    Rule("waits", "While nothing goes wrong, no message waits for long.", sending.waits),
    Rule("order", "Messages to one receiver come in order.", order.order),
    Rule("heard", "Each line of another user is handled, or reported as passed over.", hearing.heard),
    Rule("handled-once", "A line is handled once.", hearing.handled_once),
    Rule(
        "others-lines",
        "The app is given what other users said to the bot, and nothing else.",
        hearing.others_lines,
    ),
    Rule("answers-once", "A handler that runs again after a crash says nothing again.", hearing.answers_once),
    Rule("turns", "One user's lines are handled in order, one at a time.", hearing.turns),
    Rule("in-time", "While nothing goes wrong, a line reaches the app in time.", promptness.in_time),
    Rule(
        "one-connection",
        "There is one connection to the room, and one to the chat, at a time.",
        connections.one_connection,
    ),
    Rule("back-off", "While a service is away, it is tried less and less often.", connections.back_off),
    Rule("tries-on", "The room is tried again within the longest wait.", connections.gives_up),
    Rule("back", "Soon after the last fault the bot is in the room, and stays there.", recovery.back),
    Rule("state", "While nothing goes wrong, the state of the room is not lost.", recovery.state),
    Rule("stopped", "A bot that is asked to stop has stopped within the drain limit.", recovery.stopped),
    Rule(
        "lives", "A bot ends only when it is asked to, or because of a moderator or its disk.", recovery.lives
    ),
    Rule(
        "red",
        "Health is red in time while the bot is out of the room, is deaf, or cannot write or send.",
        health.red,
    ),
    Rule("green", "Health is green while nothing goes wrong.", health.green),
    Rule("left", "At the end nothing is left in an in-between state.", leftovers.left),
    Rule("errors", "The log says ERROR only where something went wrong.", leftovers.errors),
    Rule("secret", "No secret is written.", secrecy.secret),
)
"""What is asked of every history, in the order of a message's way."""


def check(history: History) -> tuple[Violation, ...]:
    """Return what is wrong with a history, in the order of time; nothing where all is well."""
    found = (Violation(rule.id, at, what) for rule in RULES for at, what in rule.judge(history))
    return tuple(sorted(found, key=lambda violation: violation.at))


def notes(history: History) -> tuple[Note, ...]:
    """Return what happened that a rule forbids and a document allows."""
    return tuple(Note("no-copy", at, what) for at, what in delivery.late_copies(history))

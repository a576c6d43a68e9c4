"""The texts of responses to actions."""

from typing import Any

from hangbot.sandbox.room import actionhero, primus
from hangbot.sandbox.room.actionhero import Call
from hangbot.sandbox.room.actions import Outcome

__all__ = ["ResponseWriter"]


class ResponseWriter:
    """Writes responses; a server state in them is written once for as long as it stays the same."""

    def __init__(self) -> None:
        self._written: dict[str, tuple[dict[str, Any], str]] = {}

    def text(self, outcome: Outcome, call: Call) -> str:
        """Return the text of a response."""
        room, fields = outcome.room, outcome.fields
        if room is None or outcome.joined:
            return primus.encode(actionhero.response(fields, call.id))
        answer_to = call.id if type(call.id) is int else primus.encode(call.id)
        if not fields:
            return f'{{"context":"response","messageId":{answer_to}}}'
        written = self._written.get(room.uuid)
        if written is None or written[0] is not fields:
            written = self._written[room.uuid] = (fields, primus.encode(fields)[:-1])
        return f'{written[1]},"context":"response","messageId":{answer_to}}}'

    def failed(self, error: object, call: Call) -> str:
        """Return the text of a refusal: its ``error``, or an object in the place of its fields."""
        fields = error if isinstance(error, dict) else {"error": error}
        return primus.encode(actionhero.response(fields, call.id))

"""What happens to the room socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_hangfm.proof.scenario import scenario

if TYPE_CHECKING:
    from pytest_hangfm.proof.play import Play


@scenario("room-socket.abort", needs=("room",), seconds=5, pace="quick")
async def abort(play: Play) -> None:
    """The connection breaks without a close frame (1006)."""
    await play.ready()
    play.mark("the connection breaks")
    play.sandbox.server.disconnect_all()
    await play.must_recover()

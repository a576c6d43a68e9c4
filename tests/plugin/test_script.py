import json
from collections.abc import Sequence

from pytest_hangfm.sessions.format import Event
from pytest_hangfm.sessions.script import Script, ScriptStep

WELCOME = '{"welcome":"hi","context":"api"}'
VOTED = '{"message":{"name":"votedOnSong"}}'


def client(action: str, number: int, **params: object) -> Event:
    return Event("client", "frame", sent(action, number, **params))


def sent(action: str, number: int, **params: object) -> str:
    frame = {"event": "action", "params": {"action": action, **params}, "messageId": number}
    return json.dumps(frame)


def answer(number: int, **fields: object) -> Event:
    return Event("server", "frame", done(number, **fields))


def done(number: int, **fields: object) -> str:
    return json.dumps({**fields, "context": "response", "messageId": number}, separators=(",", ":"))


def server(text: str) -> Event:
    return Event("server", "frame", text)


def frames(steps: Sequence[ScriptStep]) -> list[str]:
    return [step.frame for step in steps]


def test_frames_come_in_their_order_and_each_action_is_waited_for() -> None:
    joining = [Event("client", "open", "u-1"), server(WELCOME), client("joinRoom", 1), answer(1)]
    script = Script([*joining, server(VOTED), client("addDj", 2), answer(2)])

    assert frames(script.play()) == [WELCOME]
    assert script.waits_for == "joinRoom"
    assert frames(script.hear(sent("joinRoom", 40))) == [done(40), VOTED]
    assert (script.waits_for, script.done) == ("addDj", False)
    assert frames(script.hear(sent("addDj", 41))) == [done(41)]
    assert (script.done, script.sent, script.frames) == (True, 4, 4)


def test_an_action_that_comes_early_is_answered_in_its_place() -> None:
    script = Script([client("joinRoom", 1), answer(1), server(VOTED), client("addDj", 2), answer(2)])
    script.play()

    assert script.hear(sent("addDj", 7)) == []
    assert frames(script.hear(sent("joinRoom", 8))) == [done(8), VOTED, done(7)]


def test_answers_in_another_order_find_their_actions() -> None:
    script = Script([client("addDj", 1), client("skipSong", 2), answer(2), answer(1)])
    script.play()
    script.hear(sent("addDj", 7))

    assert frames(script.hear(sent("skipSong", 8))) == [done(8), done(7)]


def test_an_action_that_the_recording_has_not_is_refused_and_told() -> None:
    script = Script([client("joinRoom", 1), answer(1)])
    script.play()
    script.hear(sent("joinRoom", 1))

    (refusal,) = script.hear(sent("joinRoom", 2))

    said = {"error": "the recording has no joinRoom here", "context": "response", "messageId": 2}
    assert json.loads(refusal.frame) == said
    assert script.unexpected == ["joinRoom"]


def test_out_of_step_only_the_join_is_waited_for_and_answers_come_when_asked_for() -> None:
    events = [client("joinRoom", 1), answer(1), client("addDj", 2), answer(2, n=1), server(VOTED)]
    script = Script(events, lockstep=False)
    script.play()

    assert frames(script.hear(sent("joinRoom", 1))) == [done(1), VOTED]
    assert script.done
    assert frames(script.hear(sent("addDj", 9))) == [done(9, n=1)]


def test_the_room_and_the_user_of_then_become_those_of_now() -> None:
    events = [
        Event("client", "open", "user-then"),
        client("joinRoom", 1, roomUuid="room-then"),
        server('{"room":"room-then","who":"user-then","song":"x-then"}'),
    ]
    script = Script(events, uid="user-now", replace={"x-then": "x-now"})
    script.play()

    steps = script.hear(sent("joinRoom", 1, roomUuid="room-now"))

    assert frames(steps) == ['{"room":"room-now","who":"user-now","song":"x-now"}']


def test_a_heartbeat_that_was_answered_then_has_to_be_answered_now() -> None:
    script = Script([server('"primus::ping::17"'), Event("client", "frame", '"primus::pong::17"')])
    script.play()
    before = script.done

    script.hear("primus::pong::17")  # without its quotes it is no JSON, and no answer
    unquoted = script.done
    script.hear('"primus::pong::17"')

    assert (before, unquoted, script.done) == (False, False, True)


def test_the_end_is_the_end_of_then() -> None:
    script = Script([server(WELCOME), Event("server", "close", code=1006)])

    assert script.play() == [ScriptStep(WELCOME), ScriptStep(ends=True, code=1006)]

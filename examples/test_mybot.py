"""Tests of `mybot.py` by the plugin: copy them beside a bot of your own; `pip install "hangbot[test]"`."""

import importlib.util
from pathlib import Path

import pytest

from hangbot import AnyApp
from hangbot.sandbox import Actor, Sandbox
from pytest_hangfm import AckRecorder, OpenBot, OpenUser, RoomLog


@pytest.fixture
def app() -> AnyApp:
    # Beside your own bot this is `from mybot import on_message`; here nothing is on the path.
    spec = importlib.util.spec_from_file_location("mybot", Path(__file__).with_name("mybot.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    on_message: AnyApp = module.on_message
    return on_message


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        pytest.param("/ping", "pong", id="ping"),
        pytest.param("/roll 1", "You rolled a 1.", id="a die with one side"),
        pytest.param("/roll many", "Try /roll", id="no die at all"),
    ],
)
async def test_it_answers(
    hangfm_open_bot: OpenBot, hangfm_user: Actor, hangfm_room_log: RoomLog, app: AnyApp, said: str, heard: str
) -> None:
    bot = await hangfm_open_bot(app=app)

    await hangfm_user.say(said)

    await hangfm_room_log.expect(heard, from_=bot.chat.uid, within=2)


async def test_it_likes_the_song_that_alice_plays(
    hangfm_open_bot: OpenBot, hangfm_open_user: OpenUser, hangfm_sandbox: Sandbox, app: AnyApp
) -> None:
    alice = await hangfm_open_user("alice")
    await hangfm_open_bot(app=app)
    await alice.dj()

    await alice.say("/bop")

    await hangfm_sandbox.journal.wait_for(lambda _: hangfm_sandbox.state["voteCounts"]["likes"] == 1)


async def test_its_answer_is_not_said_twice_when_the_acknowledgement_is_lost(
    hangfm_open_bot: OpenBot,
    hangfm_user: Actor,
    hangfm_sandbox: Sandbox,
    hangfm_room_log: RoomLog,
    hangfm_acks: AckRecorder,
    app: AnyApp,
) -> None:
    bot = await hangfm_open_bot(app=app)
    hangfm_sandbox.faults.add("chat.send", "cut_after_store")

    await hangfm_user.say("/ping")
    await hangfm_room_log.expect("pong", within=2)
    await hangfm_acks.settled(hangfm_acks.ids[-1])

    hangfm_acks.assert_delivered(hangfm_acks.ids[-1], tier=2)
    assert hangfm_room_log.texts(bot.chat.uid) == ["pong"]

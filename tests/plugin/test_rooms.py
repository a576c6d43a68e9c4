import pytest

from hangbot import Bot
from hangbot.sandbox import Actor
from hangbot.wire.room import Broadcast
from pytest_hangfm import OpenUser, RoomEvents, RoomLog


async def test_room_messages_are_expected_in_order() -> None:
    events = RoomEvents()
    for name in ("userJoined", "addedDj", "addedDj"):
        events(Broadcast(name))

    first = await events.expect("addedDj")
    second = await events.expect("addedDj")

    assert (first, second) == (events.seen[1], events.seen[2])


async def test_a_room_message_that_does_not_come_fails_with_those_that_came() -> None:
    events = RoomEvents()
    events(Broadcast("userJoined"))

    with pytest.raises(pytest.fail.Exception, match=r"no room message 'addedDj' within .*: userJoined"):
        await events.expect("addedDj", within=0.01)


async def test_the_same_words_twice_are_two_messages(hangfm_user: Actor, hangfm_room_log: RoomLog) -> None:
    await hangfm_user.say("hello")
    await hangfm_user.say("hello")

    first = await hangfm_room_log.expect("hello", from_=hangfm_user)
    second = await hangfm_room_log.expect("hello", from_=hangfm_user)

    assert first["id"] != second["id"]
    assert hangfm_room_log.texts(hangfm_user) == ["hello", "hello"]


async def test_what_nobody_said_fails_with_the_conversation(
    hangfm_open_user: OpenUser, hangfm_room_log: RoomLog
) -> None:
    alice, bob = await hangfm_open_user("alice"), await hangfm_open_user("bob")
    await alice.say("is anybody here?")

    with pytest.raises(pytest.fail.Exception) as caught:
        await hangfm_room_log.expect("here", from_=bob, within=0.01)

    assert str(caught.value) == "nobody said 'here' from bob within 0.01 s:\n  alice: is anybody here?"


async def test_an_app_of_a_bot_author_is_heard(hangfm_bot: Bot, hangfm_room_log: RoomLog) -> None:
    await hangfm_bot.say("hello")

    said = await hangfm_room_log.expect("hello")

    assert said["sender"] == hangfm_bot.chat.uid

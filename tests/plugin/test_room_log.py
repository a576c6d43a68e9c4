import pytest

from hangbot import Bot, RoomMessage
from hangbot.sandbox import Actor
from pytest_hangfm import OpenUser, RoomEvents, RoomLog
from tests.bounds import WITHIN

WITHIN_VAIN = 0.5
"""Seconds for what is not to come: the test waits them out."""


async def test_room_messages_are_expected_in_order() -> None:
    events = RoomEvents()
    for name in ("userJoined", "addedDj", "addedDj"):
        events(RoomMessage(name))

    first = await events.expect("addedDj")
    second = await events.expect("addedDj")

    assert (first, second) == (events.seen[1], events.seen[2])


async def test_a_room_message_that_does_not_come_fails_with_those_that_came() -> None:
    events = RoomEvents()
    events(RoomMessage("userJoined"))

    with pytest.raises(pytest.fail.Exception, match=r"no room message 'addedDj' within .*: userJoined"):
        await events.expect("addedDj", within=0.01)


async def test_the_same_words_twice_are_two_messages(hangfm_user: Actor, hangfm_room_log: RoomLog) -> None:
    await hangfm_user.say("hello")
    await hangfm_user.say("hello")

    first = await hangfm_room_log.expect("hello", from_=hangfm_user)
    second = await hangfm_room_log.expect("hello", from_=hangfm_user)

    assert first["id"] != second["id"]
    assert hangfm_room_log.texts(hangfm_user) == ["hello", "hello"]


async def test_what_nobody_said_fails_in_full(hangfm_open_user: OpenUser, hangfm_room_log: RoomLog) -> None:
    alice, bob = await hangfm_open_user("alice"), await hangfm_open_user("bob")
    await alice.say("is anybody here?")

    with pytest.raises(pytest.fail.Exception) as caught:
        await hangfm_room_log.expect("here", from_=bob, within=0.01)

    said_it = "bob did not say 'here' within 0.01 s (alice said it: name them with from_=):"
    assert str(caught.value) == f"{said_it}\n  alice: is anybody here?"


async def test_an_expectation_is_not_met_by_own_words(hangfm_user: Actor, hangfm_room_log: RoomLog) -> None:
    await hangfm_user.say("/ping")

    with pytest.raises(pytest.fail.Exception, match=r"hangbot did not say 'ping' within .* \(alice said it"):
        await hangfm_room_log.expect("ping", within=0.01)


async def test_direct_is_not_for_all(hangfm_bot: Bot, hangfm_user: Actor, hangfm_room_log: RoomLog) -> None:
    await hangfm_bot.say("between us", to=hangfm_user.uid, direct=True)

    said = await hangfm_room_log.expect("between us", direct=True)
    await hangfm_bot.say("once more, between us", to=hangfm_user.uid, direct=True)
    await hangfm_room_log.expect_silence("once more", for_=0.05)
    with pytest.raises(pytest.fail.Exception, match=r"a direct message holds it: give direct=True"):
        await hangfm_room_log.expect("once more", within=WITHIN_VAIN)

    assert (said["sender"], said["receiver"]) == (hangfm_bot.chat.uid, hangfm_user.uid)


async def test_only_bots_break_silence(hangfm_bot: Bot, hangfm_user: Actor, hangfm_room_log: RoomLog) -> None:
    await hangfm_user.say("hello")
    await hangfm_room_log.expect_silence("hello", for_=0.05)
    await hangfm_bot.say("hello yourself")

    with pytest.raises(pytest.fail.Exception, match=r"hangbot said 'hello yourself', and was to say nothing"):
        await hangfm_room_log.expect_silence("hello", for_=WITHIN)

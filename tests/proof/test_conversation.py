"""Who asks a bot, and how: as it answers."""

from hangbot.sandbox import open_sandbox
from pytest_hangfm.proof.conversation import Conversation
from pytest_hangfm.proof.profile import Profile


async def test_whom_a_bot_answers_seldom_asks_seldom() -> None:
    async with open_sandbox(control=False) as sandbox:
        talk = Conversation(sandbox, Profile(says="/ping", answers="pong", cooldown=60.0))

        for _ in range(5):
            await talk.ask_for_the_count()

        askers = [line.sender for line in talk.lines()]
    assert len(set(askers)) == len(askers) == 5


async def test_a_bot_that_answers_direct_messages_alone_is_asked_by_them() -> None:
    async with open_sandbox(control=False) as sandbox:
        talk = Conversation(sandbox, Profile(says="/ping", answers="pong", direct=True, direct_only=True))

        await talk.ask_for_the_count()

        assert [line.to for line in talk.lines()] == [sandbox.bot.uid]

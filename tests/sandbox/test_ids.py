import random
import uuid

from hangbot.sandbox import open_sandbox
from hangbot.sandbox.ids import Ids


def seeded() -> random.Random:
    return random.Random(7)  # noqa: S311  ids of a sandbox, no secrets


def made(ids: Ids) -> tuple[str, ...]:
    return ids.uuid(), ids.hex(8), ids.urlsafe(32)


def test_one_seed_makes_the_same_ids_again_and_none_makes_others() -> None:
    assert made(Ids(seeded())) == made(Ids(seeded()))
    assert made(Ids()) != made(Ids())


def test_an_id_has_the_form_that_is_asked_for() -> None:
    a_uuid, hexadecimal, urlsafe = made(Ids())

    assert uuid.UUID(a_uuid).version == 4
    assert len(bytes.fromhex(hexadecimal)) == 8
    assert len(urlsafe) == 43
    assert set(urlsafe) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


async def test_a_sandbox_takes_its_ids_and_tokens_from_the_source_that_it_is_given() -> None:
    async with open_sandbox(rng=seeded()) as one, open_sandbox(rng=seeded()) as other:
        assert (one.room_uuid, one.bot.uid, one.app_id) == (other.room_uuid, other.bot.uid, other.app_id)
        assert one.bot.chat_token == other.bot.chat_token

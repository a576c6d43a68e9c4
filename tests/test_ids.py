import random
from uuid import UUID

from hangbot.ids import SYSTEM_RNG, new_id, new_uuid


def test_ids_are_random_uuids_and_none_comes_twice() -> None:
    made = [UUID(new_uuid(SYSTEM_RNG)) for _ in range(50)] + [UUID(new_id(SYSTEM_RNG)) for _ in range(50)]

    assert len(set(made)) == 100
    assert {one.version for one in made} == {4}
    assert new_id(SYSTEM_RNG).isalnum()


def test_the_same_seed_draws_the_same_ids() -> None:
    one, other = random.Random(7), random.Random(7)  # noqa: S311  no secret

    assert (new_uuid(one), new_id(one)) == (new_uuid(other), new_id(other))

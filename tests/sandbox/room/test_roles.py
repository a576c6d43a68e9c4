from hangbot.sandbox.room import roles
from tests.cases import rows


@rows(
    "token_role room_role moderates",
    ("user", None, False),
    ("bot", None, False),
    ("bot", "moderator", True),
    ("user", "owner", True),
    ("user", "coOwner", True),
    ("user", "dj", False),
    ("staff", None, True),
    ("globalModerator", None, True),
    ("guest", None, False),
)
def test_a_role_anywhere_moderates(token_role: str, room_role: str | None, *, moderates: bool) -> None:
    assert roles.is_moderator(token_role, room_role) is moderates


@rows(
    "token_role room_role dj_type allowed",
    ("guest", None, "EVERYONE", True),
    ("user", "djDisabled", "EVERYONE", False),
    ("user", None, "MODERATORS", False),
    ("user", "dj", "MODERATORS", True),
    ("user", "moderator", "MODERATORS", True),
    ("user", "banned", "EVERYONE", False),
)
def test_a_room_says_who_djs(token_role: str, room_role: str | None, dj_type: str, *, allowed: bool) -> None:
    assert roles.may_dj(token_role, room_role, dj_type) is allowed


def test_the_room_roles_are_those_of_the_types() -> None:
    typed = {"moderator", "owner", "coOwner", "banned", "kicked", "chatDisabled", "djDisabled", "dj"}

    assert typed == roles.ROOM_ROLES


def test_user_lists_begin_with_owners_and_end_with_everybody_else() -> None:
    held = [None, "moderator", "dj", "owner", "coOwner"]

    assert sorted(held, key=roles.rank) == ["owner", "coOwner", "moderator", None, "dj"]

"""Paths of route tables."""

from hangbot.sandbox.paths import match_path
from tests.cases import rows


@rows(
    "pattern path ids",
    ("", "", ()),
    ("me", "me", ()),
    ("me", "you", None),
    ("me", "me/jwt", None),
    ("me/jwt", "me", None),
    ("messages/{}", "messages/3", ("3",)),
    ("messages/{}/thread", "messages/3/thread", ("3",)),
    ("messages/{}/thread", "messages/3/reactions", None),
    ("groups/{}/members/{}", "groups/room/members/ann", ("room", "ann")),
    ("v1/*", "v1", ()),
    ("v1/*", "v1/a/b", ("a", "b")),
    ("extensions/{}/*", "extensions", None),
    ("extensions/{}/*", "extensions/polls/v1", ("polls", "v1")),
)
def test_a_path_fits_a_pattern_with_its_ids(pattern: str, path: str, ids: tuple[str, ...] | None) -> None:
    assert match_path(pattern, path.split("/")) == ids

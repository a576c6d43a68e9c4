import pytest

from hangbot.ops.access import Access, is_loopback
from tests.cases import cases

TOKEN = "a-token-that-is-long-enough"
HERE = Access("127.0.0.1", TOKEN)
OUT = Access("bot.example", TOKEN)
MINE = {"Authorization": f"Bearer {TOKEN}"}


@pytest.mark.parametrize("host", ["127.0.0.1:1", "localhost:1", "[::1]:1", "10.0.0.5", "LOCALHOST"])
def test_addresses_and_the_name_of_this_machine_are_its_own(host: str) -> None:
    assert HERE.refuse_host({"Host": host}) is None


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil", ""]
)
def test_a_name_that_points_here_is_another_pages(host: str) -> None:
    assert HERE.refuse_host({"Host": host})
    assert OUT.refuse_host({"Host": host})


def test_a_probe_that_names_no_host_is_no_browser() -> None:
    assert HERE.refuse_host({}) is None


def test_the_configured_name_is_its_own() -> None:
    assert OUT.refuse_host({"Host": "Bot.example:9000"}) is None


@cases(
    "headers changes reads",
    ("own page with the token", {"Host": "h:1", "Origin": "http://h:1", **MINE}, True, True),
    ("no browser, the token", MINE, True, True),
    ("no token", {"Host": "h:1", "Origin": "http://h:1"}, False, True),
    ("a wrong one", {"Authorization": "Bearer a-token-that-is-long-enougH"}, False, True),
    ("the token as a cookie", {"Cookie": f"token={TOKEN}; Authorization=Bearer {TOKEN}"}, False, True),
    ("another origin", {"Host": "h:1", "Origin": "http://evil.example", **MINE}, False, False),
    ("another port", {"Host": "h:1", "Origin": "http://h:2", **MINE}, False, False),
    ("no origin at all", {"Host": "h:1", "Origin": "null", **MINE}, False, False),
    (
        "own page, by a proxy that names us otherwise",
        {"Host": "h:1", "Origin": "https://bot.example", "Sec-Fetch-Site": "same-origin", **MINE},
        True,
        True,
    ),
    ("by a proxy, without the token", {"X-Forwarded-For": "192.0.2.1"}, False, False),
    ("by a proxy, with it", {"X-Forwarded-For": "192.0.2.1", **MINE}, True, True),
    ("from another site", {"Sec-Fetch-Site": "cross-site", **MINE}, False, False),
    ("from a sibling", {"Sec-Fetch-Site": "same-site", **MINE}, False, False),
)
def test_changes_need_the_token_and_neither_is_for_another_site(
    headers: dict[str, str], *, changes: bool, reads: bool
) -> None:
    assert (HERE.refuse_change(headers) is None, HERE.refuse_reading(headers) is None) == (changes, reads)
    assert (OUT.refuse_reading(headers) is None) == changes


def test_without_a_token_nothing_is_changed_and_it_says_why() -> None:
    refusal = Access("127.0.0.1", None, "the disk is full").refuse_change(MINE)

    assert refusal is not None
    assert "the disk is full" in refusal.error


@pytest.mark.parametrize(
    ("host", "alone"),
    [("127.0.0.9", True), ("::1", True), ("localhost", True), ("192.0.2.1", False), ("bot", False)],
)
def test_loopback_is_this_machine_alone(host: str, *, alone: bool) -> None:
    assert is_loopback(host) is alone


def test_it_shows_no_token() -> None:
    assert TOKEN not in repr(HERE)

import pytest

from hangbot.config.cluster import parse_address
from hangbot.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "servers", "fleet", "user", "password"),
    [
        ("nats://a", ("a:4222",), "hangbot", "", ""),
        (" nats://a,b:1,[::1]:65535/x-1_y ", ("a:4222", "b:1", "[::1]:65535"), "x-1_y", "", ""),
        ("nats://u:p%40%2F%3A@a.example,b/", ("a.example:4222", "b:4222"), "hangbot", "u", "p@/:"),
        ("nats://u:p@q:r@a", ("a:4222",), "hangbot", "u", "p@q:r"),
        ("nats://token@10.0.0.1/f", ("10.0.0.1:4222",), "f", "", "token"),
    ],
)
def test_an_address_names_servers_a_fleet_and_a_login(
    text: str, servers: tuple[str, ...], fleet: str, user: str, password: str
) -> None:
    address = parse_address(text)

    assert (address.servers, address.fleet) == (servers, fleet)
    assert (address.user, address.password) == (user, password)
    assert not password or password not in f"{address} {address!r}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nats://",
        "nats:a",
        "http://a",
        "nats:///name",
        "nats://a,,b",
        "nats://a,a:4222",
        "nats://a:0",
        "nats://a:65536",
        "nats://a:b",
        "nats://a b",
        "nats://a/b/c",
        "nats://a/b.c",
        "nats://a?x=1",
        "nats://secret-1:secret-2@",
        "nats://secret-1:secret-2@a/../b",
        "nats://secret-1:secret-2/@a#b",
    ],
)
def test_what_is_none_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^HANGBOT_OUTBOX: ") as caught:
        parse_address(text)

    assert "secret" not in f"{caught.value} {caught.value.remedy}"

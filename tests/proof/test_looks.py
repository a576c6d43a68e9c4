"""Looks at a bot from outside."""

import socket

from pytest_hangfm.proof.looks import free_port


def test_a_port_is_given_to_one_bot_and_not_to_the_next() -> None:
    given = [free_port() for _ in range(200)]

    assert len(set(given)) == len(given)


def test_a_port_on_which_something_listens_is_passed_over() -> None:
    before = free_port()
    taken = [socket.create_server(("127.0.0.1", before + number)) for number in (1, 2)]

    found = free_port()

    for server in taken:
        server.close()
    assert found not in {before, before + 1, before + 2}

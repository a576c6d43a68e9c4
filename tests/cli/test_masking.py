"""No secret is shown, wherever it was put: in the configuration's values, in the arguments, whole or cut."""

from __future__ import annotations

import io
import os
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Final
from unittest import mock

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hangbot.cli import main
from hangbot.config import ENV
from hangbot.config.envfile import quoted
from hangbot.redact_pieces import PIECE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

JWT: Final = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJlLW9mLWEtdG9rZW4"
CHAT_TOKEN: Final = "auth_Zm9vYmFy-_Zm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyABC"
OLD_TOKEN: Final = "0e3bd4b8-2d5f-4c0a-9d0a-5f3b1f6a7c11_0123456789abcdef01234567"
CUT: Final = 49

CALLS: Final = [
    call.split()
    for call in [
        "{}",
        "--app {} run",
        "--app={}:hear run",
        "run {}",
        "run --log-level {}",
        "preflight {}",
        "preflight --env-file {}",
        "preflight --json --env-file={}",
        "send --stdin {}",
        "send hi --wait {}",
        "send hi --id {}",
        "send hi --to {}",
        "send hi --env-file {}",
        "outbox show {}",
        "outbox retry {}",
        "outbox drop {}",
        "outbox {}",
        "outbox list --env-file {}.env",
        "init --token-file {}",
        "init --room {} --token-file /dev/null",
        "sandbox --room-port {}",
        "sandbox --dialect {}",
        "sandbox --env-out {}/x",
        "sandbox --tls-cert {} --tls-key {}",
        "demo {}",
        "--{}",
    ]
]
"""Calls with a secret in every place that an argument has."""
ADDRESSES: Final = [name for name, env in ((env.name, env) for env in ENV.values()) if env.is_address]

NAMES: Final = sorted(env.name for env in ENV.values())
NOWHERE: Final = {
    "ROOM_UUID": "0e3bd4b8-2d5f-4c0a-9d0a-5f3b1f6a7c11",
    "STAGE_RETRY_TOTAL_MS": "20",
    "STAGE_RETRY_BASE_MS": "10",
    **dict.fromkeys(
        ("OPENCHAT_BASE_URL", "TTFM_GATEWAY_BASE_URL", "SOCKET_SERVER_URL"), "http://127.0.0.1:9"
    ),
}
"""A configuration that is in order, for services that are not there."""
SECRETS: Final = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=PIECE + 4, max_size=60
).filter(lambda secret: len(set(secret)) > 6 and not secret.startswith("-"))
"""Whatever may be a token or a password, also one that no address takes as it is."""


def said(argv: Sequence[str], env: dict[str, str]) -> str:
    """What a command says, on both streams."""
    out, err = io.StringIO(), io.StringIO()
    clean = {name: value for name, value in os.environ.items() if name not in NAMES}
    with mock.patch.dict(os.environ, clean | env, clear=True), redirect_stdout(out), redirect_stderr(err):
        main(list(argv))
    return out.getvalue() + err.getvalue()


def leaked(secret: str, text: str) -> list[str]:
    """The pieces of a secret that stand in a text, of those that something may have left of it."""
    return [piece for piece in (secret, secret[:PIECE], secret[-PIECE:]) if piece in text]


fuzzed = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@fuzzed
@given(secret=SECRETS, call=st.sampled_from(CALLS), name=st.sampled_from(NAMES), spoilt=st.booleans())
@example(
    secret="aaaa/bbbb#cccc@dddd?eeee", call=["send", "hi", "--env-file", "{}"], name="ROOM_UUID", spoilt=True
)
@example(
    secret="a//b/../c/./dddddddddddd/", call=["preflight", "--env-file", "{}"], name="BOT_NAME", spoilt=True
)
def test_a_secret_of_the_environment_is_in_no_message_wherever_else_it_was_put(
    *, secret: str, call: list[str], name: str, spoilt: bool, folder: Path
) -> None:
    assert folder
    argv = [word.replace("{}", secret) for word in call]
    env = {name: secret, "BOT_USER_TOKEN": secret} if spoilt else {"BOT_USER_TOKEN": secret, **NOWHERE}

    assert leaked(secret, said(argv, env)) == []


@fuzzed
@given(
    secret=SECRETS,
    name=st.sampled_from(ADDRESSES),
    scheme=st.sampled_from(["", "http://", "https://", "wss://", "ftp://"]),
    before=st.sampled_from(["", "bot:", "b/t:", ":"]),
    in_file=st.booleans(),
)
def test_the_password_of_an_address_that_does_not_parse_is_in_no_message(
    *, secret: str, name: str, scheme: str, before: str, in_file: bool, folder: Path
) -> None:
    address = f"{scheme}{before}{secret}@chat.example:99999"
    values = {"BOT_USER_TOKEN": "token-of-the-bot", name: address}
    file = folder / "hang-fm-config.env"
    file.unlink(missing_ok=True)
    if in_file:
        file.write_text("".join(f"{key}={quoted(value)}\n" for key, value in values.items()))

    text = said(["preflight"], {} if in_file else values)

    assert "Configuration is complete" in text
    assert leaked(secret, text) == []


@fuzzed
@given(
    secret=SECRETS,
    call=st.sampled_from(CALLS),
    scheme=st.sampled_from(["", "//", "http:/", "http//", "https://", "postgres://"]),
    after=st.sampled_from(["@chat.example", "@chat.example:99999/x", "@[::1", "@"]),
)
@example(secret="correct/horse/battery", call=["preflight", "--env-file", "{}"], scheme="http://", after="@h")
@example(secret="correct-horse-battery", call=["{}"], scheme="", after="@h")
@example(secret="correct-horse-battery", call=["{}"], scheme="http://", after="")
@example(secret="correct-horse-battery", call=["outbox", "{}"], scheme="http:/", after="@h")
def test_the_password_of_an_address_among_the_arguments_is_in_no_message(
    secret: str, call: list[str], scheme: str, after: str, folder: Path
) -> None:
    (folder / "hang-fm-config.env").unlink(missing_ok=True)

    text = said([word.replace("{}", f"{scheme}bot:{secret}{after}") for word in call], {})

    assert leaked(secret, text) == []


@fuzzed
@given(
    token=st.sampled_from([JWT, CHAT_TOKEN, OLD_TOKEN]),
    cut=st.integers(min_value=CUT, max_value=2 * CUT),  # more than there is cuts nothing
    call=st.sampled_from(CALLS),
)
def test_what_has_a_tokens_shape_is_in_no_message_whole_or_cut_and_without_any_configuration(
    token: str, cut: int, call: list[str], folder: Path
) -> None:
    (folder / "hang-fm-config.env").unlink(missing_ok=True)
    given = token[:cut]
    hidden = given.rpartition("_")[2] if token == OLD_TOKEN and "_" in given else given

    text = said([word.replace("{}", given) for word in call], {})

    assert hidden[:PIECE] not in text or len(hidden) < PIECE

"""Find the bot's token and the room in pasted text, whatever stands around them. PURE."""

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote, urlsplit

from hangbot.claims import read_claims
from hangbot.errors import UsageError
from hangbot.text import is_uuid

__all__ = ["find_rooms", "find_token"]

_JWT: Final = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_WRAPPED: Final = re.compile(r"[\w.-]+[\"',;}\])\s]*", re.ASCII)
"""A line with nothing but the rest of a token."""
_TOKEN_CHARACTER: Final = re.compile(r"[\w.-]\Z", re.ASCII)
_BEFORE: Final = re.compile(
    r"""\s*(?:export\s+)?(?:BOT_USER_TOKEN\s*=\s*)?["']?(?:Authorization\s*:\s*)?(?:Bearer\s+)?""",
    re.IGNORECASE,
)
_INVISIBLE: Final = dict.fromkeys(map(ord, "\ufeff\u200b\u200c\u200d\u2060\u00ad"))
_NAME: Final = re.compile(r"[\w.~-]{1,200}")
_PAGE: Final = "docs/bot-token.md tells where a bot's token comes from."
_CATEGORY: Final = "da"
"""The part before the slug in an address: ``https://hang.fm/da/SLUG`` (a public bot's guide)."""


def find_token(text: str, *, where: str) -> str:
    """Return the bot's token from pasted text.

    A byte order mark, quotes, line breaks, ``Bearer``, a header, ``BOT_USER_TOKEN=``, an answer in JSON
    or a line of cookies may stand around it, and it may be wrapped over several lines.

    Args:
        text: What was read.
        where: The source, for the errors: a file, standard input, the environment.

    Raises:
        UsageError: There is none, it is a person's, or there are tokens of several bots.
    """
    text = text.translate(_INVISIBLE)
    found: list[str] = list(dict.fromkeys(_JWT.findall(_unwrapped(text))))
    roles = {token: claims.role for token in found if (claims := read_claims(token))}
    bots = [token for token, role in roles.items() if role == "bot"]
    if len(bots) > 1:
        raise UsageError(
            f"there are {len(bots)} bots' tokens in {where}", remedy="Leave the one that is meant."
        )
    if bots:
        return bots[0]
    others = [token for token, role in roles.items() if role is None] or [t for t in found if t not in roles]
    if others:
        return others[0]
    if roles:
        role = next(iter(roles.values()))
        raise UsageError(f'the token in {where} is not a bot\'s: its role is "{role}"', remedy=_PAGE)
    plain = _BEFORE.sub("", text, count=1).strip().strip("\"'`").strip()
    if not plain:
        raise UsageError(f"there is no token in {where}", remedy=_PAGE)
    if re.search(r"\s", plain):
        raise UsageError(f"what stands in {where} is no token: there is white space in it", remedy=_PAGE)
    return plain


def _unwrapped(text: str) -> str:
    """Join lines that continue the token before them."""
    joined = ""
    for line in filter(None, map(str.strip, text.splitlines())):
        another = line.startswith("eyJ") and not joined.endswith(".")
        goes_on = _TOKEN_CHARACTER.search(joined) and _WRAPPED.fullmatch(line) and not another
        joined = joined + line if goes_on else f"{joined}\n{line}"
    return joined


def find_rooms(text: str) -> Sequence[str]:
    """Return the possible names of the room in a text, the likeliest first: uuids and slugs.

    Args:
        text: A slug in any case, a UUID, or the address of any page of the room.

    Raises:
        UsageError: Nothing in it can be a room's name.
    """
    text = text.translate(_INVISIBLE).strip().strip("\"'<>").strip()
    try:
        path = urlsplit(text if "://" in text else f"https://{text}").path if "/" in text else text
    except ValueError:  # not an address
        path = ""
    names = [name for part in path.split("/") if _NAME.fullmatch(name := unquote(part).strip())]
    if not names:
        raise UsageError(
            "there is no room's name in what was given",
            remedy="Give the last part of the room's address, the whole address, or its UUID.",
        )
    uuids = [name.lower() for name in names if is_uuid(name.lower())]
    if uuids:
        return uuids
    slugs = names[1:] + names[:1] if len(names) > 1 and names[0].lower() == _CATEGORY else names
    return list(dict.fromkeys(spelt for slug in slugs for spelt in (slug, slug.lower())))

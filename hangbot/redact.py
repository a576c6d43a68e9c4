"""One redactor for everything that leaves the program: logs, journals, reports.

It masks two kinds of text: the secrets it was given (in every form in which they travel
through URLs, headers and JSON), and any other text that has the shape of a token. The
tokens of Hang.fm travel in the query of the room socket's URL (captured from ActionHero
29.3.5), in the chat's ``authToken`` header and as ``Authorization: Bearer`` to the gateway
(seen in public bots), so those are the shapes.
"""

import base64
import json
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.parse import quote, quote_plus

from hangbot.redact_pieces import DOTS, Cuttable, mask_shortened

__all__ = ["MASK", "RedactingFilter", "Redactor", "without_login"]

T = TypeVar("T")

MASK: Final = "<masked>"
SHORTEST_SECRET: Final = 6
_SHORTEST_SHAPE: Final = len("://x@")
DEEPEST: Final = 64

# What may stand in a token's place, up to its end. MASK is included, so that a token of which only the
# beginning was known is masked whole, and so that masking twice changes nothing.
_VALUE: Final = rf"""(?:{MASK}|[^\s"'`&,;<>\\)\]}}])+"""
# Between a name and its value: `name: value`, `name=value`, `"name": "value"`, `(b'name', b'value')`.
_BETWEEN: Final = r"""(?:\\?["']\s*[:=,]\s*(?:b?\\?["'])?|\s*[:=]\s*(?:b?\\?["'])?)"""
_IN_WORD: Final = rf"""(?:{MASK}|[^\s"'<>])"""
# An empty group marks the end of the part to keep. The scheme comes before name=value: otherwise
# `Authorization: Bearer TOKEN` would lose its "Bearer" and keep its token.
# Every alternative begins with a plain letter, so that the search skips other letters quickly.
_SHAPES: Final = re.compile(
    "|".join(
        (
            r"eyJ[A-Za-z0-9_-]{2,}(?:\.[A-Za-z0-9_-]{2,})?\.{3}[A-Za-z0-9_.-]*",  # one that was shortened
            r"eyJ[A-Za-z0-9_-]{2,}\.[A-Za-z0-9_-]{2,}\.[A-Za-z0-9_-]*",
            r"eyJ[A-Za-z0-9_-]{9,}(?:\.[A-Za-z0-9_-]*)?",  # or the rest of one
            *(rf"{a}(?i:uthorization){_BETWEEN}(?i:bearer|basic)\s+(){_VALUE}" for a in "Aa"),
            *(rf"{a}(?i:uthorization){_BETWEEN}()[A-Za-z0-9._~+/=-]{{16,}}" for a in "Aa"),
            *(rf"{b}(?i:earer)\s+()[A-Za-z0-9._~+/=-]{{16,}}" for b in "Bb"),
            *(rf"{a}(?i:uth_?token){_BETWEEN}(){_VALUE}" for a in "Aa"),
            *(rf"{t}(?i:oken)(?:=|%3[Dd])(){_VALUE}" for t in "Tt"),
            *(rf"""{t}(?i:oken)\\?["']\s*:\s*\\?["'](){_VALUE}""" for t in "Tt"),
            r"auth_[A-Za-z0-9_-]{40,}",
            r"auth_(?=[a-z0-9_-]*[A-Z])[A-Za-z0-9_-]{12,}",  # or the rest of one
            # Up to the last @ of the word, because a password may hold unquoted characters. Bounded, so
            # that a text full of these takes no longer than any other.
            rf"""://()(?=(?:{MASK}|[^\s/@"'<>]){{0,100}}:){_IN_WORD}{{1,400}}(?=@)""",
            rf"://()(?:{MASK}|[^\s/?#\"'<>])+(?=@)",
        )
    )
)
# CometChat's, separate because nearly every text is searched for it; the UUID before it is no secret.
_OLD_TOKEN: Final = re.compile(r"_(?<=-[0-9A-Fa-f]{12}_)[0-9a-f]{12,}")
_UNRESERVED: Final = re.compile(r"[A-Za-z0-9._~-]*")
_PADDINGS: Final = ("", "=", "==", "%3D", "%3D%3D")
_HINTS: Final = ("token", "eyj", "authorization", "bearer", "auth_", "://")
_NAMES_OF_SECRETS: Final = frozenset({"auth", "authorization", "apikey", "fat", "jwt"})
_STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class Redactor:
    """Masks known secrets, and whatever looks like a token, in text and in nested values.

    Args:
        secrets: Values to mask wherever they appear: as they are, percent-quoted, escaped
            as in JSON or ``repr``, and in base64. A value of fewer than six characters is
            ignored, because masking it would spoil ordinary text.
        pieces: Whether to mask, too, what is left of a secret where a longer text was cut: twelve or more
            characters of its beginning or end, and before or after ``...`` four. To look for them takes
            as long again.
    """

    def __init__(self, secrets: Iterable[str] = (), *, pieces: bool = True) -> None:
        self._known: dict[str, _Secret] = {}
        self._needles: list[tuple[str, _Secret]] = []
        self._pieces = pieces
        self._cuttable: list[Cuttable] = []
        self.add(*secrets)

    def __repr__(self) -> str:
        return f"<Redactor of {len(self._known)} secrets>"

    def add(self, *secrets: str) -> None:
        """Mask these as well from now on; a known one changes nothing."""
        # A part of the mask itself cannot be masked, because the mask would contain it again.
        for secret in secrets:
            if len(secret) >= SHORTEST_SECRET and secret not in MASK and secret not in self._known:
                self._known[secret] = found = _Secret.of(secret)
                self._needles += ((needle, found) for needle in found.needles)
                if self._pieces:
                    self._cuttable += found.cuttable

    def text(self, s: str) -> str:
        """Return the text with ``<masked>`` in the place of every secret."""
        if len(s) < _SHORTEST_SHAPE:
            return s
        folded = s.casefold()
        # Searching for strings is many times faster than a pattern, and nearly no text holds a secret.
        found = [secret for needle, secret in self._needles if needle in folded]
        if found:
            forms = sorted({form for secret in found for form in secret.forms}, key=len, reverse=True)
            s = re.sub("|".join(map(_form_pattern, forms)), MASK, s)
        if any(hint in folded for hint in _HINTS):
            s = _SHAPES.sub(_keep_prefix, s)
        if "_" in s:
            s = _OLD_TOKEN.sub(f"_{MASK}", s)
        for piece in self._cuttable:
            if piece.head in s or piece.tail in s:
                s = piece.masked_in(s, MASK)
        if self._pieces and DOTS in s:
            s = mask_shortened(s, (secret.hidden for secret in self._known.values()), MASK)
        return s

    def holds(self, s: str) -> bool:
        """Return whether a text holds a known secret; the mere shape of a token does not count."""
        folded = s.casefold()
        return any(form in s for needle, secret in self._needles if needle in folded for form in secret.forms)

    def value(self, obj: T) -> T:
        """Return a copy of ``obj`` with every secret masked, through dicts, lists and tuples.

        Keys are masked too, and text under a key that names a token (``authToken``,
        ``Authorization``) goes as a whole. Values of other types are handed back as they are.
        """
        return self._value(obj, 0)  # type: ignore[return-value]  # same shape; only text is replaced

    def _value(self, obj: object, depth: int) -> object:
        if isinstance(obj, str):
            return self.text(obj)
        if not isinstance(obj, dict | list | tuple):
            return obj
        if depth == DEEPEST:
            return MASK
        if isinstance(obj, dict):
            return {self._value(k, depth + 1): self._under(k, v, depth + 1) for k, v in obj.items()}
        items = [self._value(item, depth + 1) for item in obj]
        return items if isinstance(obj, list) else tuple(items)

    def _under(self, key: object, obj: object, depth: int) -> object:
        if isinstance(key, str) and isinstance(obj, str) and obj:
            name = key.lower()
            if name.endswith("token") or name in _NAMES_OF_SECRETS:
                return MASK
        return self._value(obj, depth)

    @property
    def filter(self) -> "RedactingFilter":
        """A logging filter for handlers that masks with this redactor."""
        return RedactingFilter(self)


def without_login(address: str) -> str:
    """Return an address without anything that may be a password, even if the address does not parse."""
    found = _SCHEME.match(address)  # anything else before a :// may be the beginning of a password
    before, there = (found[0], address[found.end() :]) if found else ("", address)
    _, at, host = there.rpartition("@")
    return f"{before}{MASK}@{host}" if at else before + _NO_PORT.sub(MASK, there)


_SCHEME: Final = re.compile(r"(?i)(?:https?|wss?|socks[0-9a-z]{0,2}|ftp)://")
_NO_PORT: Final = re.compile(r"(?s)(?<=:)(?![0-9]{1,5}(?:/|\Z)).+")


class RedactingFilter(logging.Filter):
    """Masks a log record before a handler formats it.

    It belongs on *handlers*: a filter on a logger does not see the records of child loggers.
    The record is formatted here once, its traceback too, so that no later formatter can
    reach the arguments or the exception, which may hold a secret.
    """

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask the record in place; it is always let through."""
        try:
            message = record.getMessage()
        except Exception as exc:  # noqa: BLE001  the line must come out, whatever an argument's __str__ raises
            said = self._redactor.text(repr(record.msg))  # before the cut: the rest would not be recognised
            message = f"(a log line that cannot be formatted: {type(exc).__name__}) {said:.200}"
        record.msg, record.args = self._redactor.text(message), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = _PLAIN.formatException(record.exc_info)
        record.exc_info = None
        if record.exc_text:
            record.exc_text = self._redactor.text(record.exc_text)
        if record.stack_info:
            record.stack_info = self._redactor.text(record.stack_info)
        for name in record.__dict__.keys() - _STANDARD:
            record.__dict__[name] = self._redactor.value(record.__dict__[name])
        return True


_PLAIN: Final = logging.Formatter()


def _keep_prefix(match: re.Match[str]) -> str:
    kept = match.end(match.lastindex) if match.lastindex else match.start()
    return match.string[match.start() : kept] + MASK


@dataclass(frozen=True, slots=True, repr=False)
class _Secret:
    forms: frozenset[str]
    """Every spelling in which the secret may travel."""
    needles: tuple[str, ...]
    """Case-folded texts; a case-folded text without any of them holds none of the forms."""
    cuttable: tuple[Cuttable, ...]
    hidden: str
    """The secret without the public part before it."""

    @classmethod
    def of(cls, secret: str) -> "_Secret":
        raw = secret.encode("utf-8", "surrogatepass")
        forms = {secret}
        if not _UNRESERVED.fullmatch(secret):  # otherwise no form quotes or escapes any of it
            forms |= {
                repr(secret)[1:-1],
                json.dumps(secret)[1:-1],
                json.dumps(secret, ensure_ascii=False)[1:-1],
            }
            forms |= {quote(raw, safe=""), quote(raw), quote_plus(raw), quote(raw, safe=":@!$&'()*+,;=/")}
        standard = base64.b64encode(raw).decode("ascii").rstrip("=")
        bare = {standard, standard.replace("+", "-").replace("/", "_")}
        bare.add(standard.replace("+", "%2B").replace("/", "%2F"))
        # A form that contains another needle needs none of its own.
        tellers = {form.casefold() for form in forms | bare}
        forms |= {form + padding for form in bare for padding in _PADDINGS}
        tales = tuple(f for f in tellers if not any(g in f for g in tellers - {f}))
        public = len(owner[0]) if (owner := _OWNER.match(secret)) else 0
        # As it is shown, and in an address; base64 is made for machines and is not cut.
        spelt = dict.fromkeys((secret, repr(secret)[1:-1], quote(raw, safe="")))
        cuttable = (Cuttable.of(form, public if form == secret else 0) for form in spelt)
        pieces = tuple(found for found in cuttable if found is not None)
        return cls(frozenset(forms), tales, pieces, secret[public:])


_OWNER: Final = re.compile(r"[0-9A-Za-z-]{1,100}_(?=[0-9a-f]{16,}\Z)")
"""The beginning of CometChat's tokens: the user's id, which is no secret."""


def _form_pattern(form: str) -> str:
    """Return a form as a pattern in which the hex digits of percent-escapes may be of either case."""
    return re.sub(r"%([0-9A-F]{2})", lambda m: f"%(?i:{m[1]})", re.escape(form))

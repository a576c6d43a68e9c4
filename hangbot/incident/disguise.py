"""Stand-ins for everything in a bundle that may be about a person: the same one for the same text.

Only what the protocol itself says stays (`hangbot.incident.vocabulary`): a field that is not known
is hidden as well. Ids stay ids: what is put together of others is disguised part by part. Lengths stay.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any, Final
from urllib.parse import quote, unquote

from hangbot.incident.stand_ins import StandIns
from hangbot.incident.vocabulary import (
    COMMAND_WORDS,
    HEADERS,
    KEYS,
    NUMBERS,
    PREFIXES,
    QUERY,
    SEGMENTS,
    WORDS,
)
from hangbot.redact import MASK

__all__ = ["Disguise"]

_UUID: Final = re.compile(
    r"(?<![0-9A-Za-z])[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}"
    r"(?![0-9A-Za-z])"
)
_HEX: Final = re.compile(r"[0-9a-f]{6,}")
_PIECE: Final = re.compile(r"[^\W_]+|[^\x00-\x7f]+")
_WORD: Final = re.compile(rf"{re.escape(MASK)}|[^\W\d_][^\W_]*|\d+(?:\.\d+)?|[^\x00-\x7f]")
_COMMAND: Final = re.compile(r"([/!][a-z][a-z0-9_-]{0,20})(?=\s|\Z)(.*)", re.DOTALL)
_BEAT: Final = re.compile(r"primus::p[io]ng::\d{1,15}")
_TAG: Final = re.compile(r"\[[A-Z]{2,8}\]")
_INDEX: Final = re.compile(r"\d{1,6}|-")
_TYPE: Final = re.compile(
    r"(?:application/(?:json|problem\+json|xhtml\+xml|octet-stream)|text/(?:html|plain))"
    r"(?:;\s*charset=[\w-]{1,20})?",
    re.IGNORECASE,
)
_HTML: Final = re.compile(r"\s*(?:<!doctype html>?|<html>?|<head>?|<body>?|<\?xml)", re.IGNORECASE)
_DATE: Final = re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")
_NUMBER: Final = re.compile(r"-?\d{1,10}(?:\.\d{1,6})?")
_FIGURE: Final = re.compile(r"\d{1,6}(?:\.\d{1,6})?")
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
_DIGITS: Final = "0123456789abcdef"
_SHORTEST_NAME: Final = 3
_TRIES: Final = 200
_DEEPEST: Final = 64
_NAMES: Final = frozenset({"nickname", "name", "userName", "userNickname", "firstName", "lastName", "slug"})
_PRIVATE: Final = frozenset({"text", "message", "caption", "url"})


class Disguise:
    """Replaces what may be about a person.

    Args:
        key: What stand-ins are made with; to be forgotten afterwards, so that none can be looked up.
        own: Words of hangbot's own sentences, in small letters: they stay in logs and errors.
    """

    def __init__(self, key: bytes, own: Collection[str] = ()) -> None:
        self._stand_ins = StandIns(key)
        self._own = frozenset(own)
        self._texts: dict[str, str] = {}
        """What is looked for in sentences: whole texts, and the names of people and rooms."""
        self._known: re.Pattern[str] | None = None
        self._names: set[str] = set()

    # -- single texts

    def id(self, text: str) -> str:
        """Return a stand-in for an id, part by part: what joins the parts stays."""
        if text in WORDS:
            return text
        done, at = [], 0
        for found in _UUID.finditer(text):
            done += [self._parts(text[at : found.start()]), self._stand_ins.uuid(found[0])]
            at = found.end()
        return "".join([*done, self._parts(text[at:])])

    def text(self, text: str, *, direct: bool = False) -> str:
        """Return a stand-in for what a user wrote or is called; of a command, its name stays.

        Args:
            text: The text.
            direct: Whether it is between two people: then nothing of it stays but its length.
        """
        if text in WORDS:
            return text
        if direct:
            return "x" * len(text)
        if (command := _COMMAND.fullmatch(text)) and command[1][1:] not in self._names:
            return command[1] + _PIECE.sub(lambda word: self._argument(word[0]), command[2])
        if not any(letter.isspace() for letter in text):
            return self.id(text)
        if text not in self._texts:
            stream = self._stand_ins.letters(text)
            self._texts[text] = "".join(
                was if was in " \n" else drawn for was, drawn in zip(text, stream, strict=True)
            )
            self._known = None
        return self._texts[text]

    def sentence(self, text: str) -> str:
        """Return a line of hangbot's own: its words stay, what it names is replaced as everywhere."""
        known, done, at = self._known_texts(), [], 0
        for found in known.finditer(text) if known else ():
            done += [self._unnamed(text[at : found.start()]), self._texts[found[0]]]
            at = found.end()
        return "".join([*done, self._unnamed(text[at:])])

    def foreign(self, text: str) -> str:
        """Return a stand-in for a line that is not hangbot's own; tags at its beginning stay."""
        tag = _TAG.match(text)
        return (tag[0] if tag else "") + self.text(text[tag.end() if tag else 0 :])

    # -- what went over the wire

    def target(self, target: str) -> str:
        """Return the path and query of a request."""
        path, mark, query = target.partition("?")
        done = "/".join(self._segment(segment) for segment in path.split("/"))
        pairs = [pair.partition("=") for pair in query.split("&")] if mark else []
        return (
            done
            + mark
            + "&".join(
                (name if name in QUERY else self._quoted(name)) + equals + self._query_value(value)
                for name, equals, value in pairs
            )
        )

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Return the headers of an answer that a bot looks at."""
        done = {}
        for name, value in headers.items():
            if name not in HEADERS:
                continue
            safe = {"content-type": _TYPE, "date": _DATE, "retry-after": _NUMBER}.get(name)
            kept = (safe and safe.fullmatch(value)) or (name == "retry-after" and _DATE.fullmatch(value))
            done[name] = value if kept else self.text(value)
        return done

    def body(self, text: str) -> str:
        """Return a body that is no JSON: how a page begins, and how long it is."""
        page = _HTML.match(text)
        start = page[0] if page else ""
        return start + "".join("\n" if letter == "\n" else "x" for letter in text[len(start) :])

    def value(self, value: Any, key: str = "", *, direct: bool = False, depth: int = 0) -> Any:  # noqa: ANN401  any JSON value
        """Return a JSON value of the protocol.

        Args:
            value: The value.
            key: The field it stands in.
            direct: Whether it belongs to a direct message.
            depth: How deep it stands.
        """
        if depth > _DEEPEST:
            return None
        if isinstance(value, dict):
            return self._object(value, direct=direct, depth=depth)
        if isinstance(value, list):
            return [self.value(each, key, direct=direct, depth=depth + 1) for each in value]
        if isinstance(value, str):
            return self._string(value, key, direct=direct)
        if isinstance(value, bool) or value is None or key in NUMBERS:
            return value
        return type(value)(0)

    # -- the parts

    def _object(self, value: dict[str, Any], *, direct: bool, depth: int) -> dict[str, Any]:
        direct = direct or value.get("receiverType") == "user" or value.get("conversationType") == "user"
        path = value.get("path")
        if isinstance(path, str) and "op" in value:
            steps = [step for step in path.split("/") if not _INDEX.fullmatch(step)]
            done = {"op": self.value(value["op"], "op", depth=depth + 1)}
            for name in ("path", "from"):
                if isinstance(value.get(name), str):
                    done[name] = "/".join(map(self._key_of, value[name].split("/")))
            if "value" in value:
                done["value"] = self.value(value["value"], steps[-1] if steps else "", depth=depth + 1)
            return done
        return {
            self._key_of(name): self.value(each, name, direct=direct, depth=depth + 1)
            for name, each in value.items()
        }

    def _key_of(self, name: str) -> str:
        return name if name in KEYS or _INDEX.fullmatch(name) or not name else self.id(name)

    def _string(self, text: str, key: str, *, direct: bool) -> str:
        if text in WORDS or _BEAT.fullmatch(text):
            return text
        if key in NUMBERS and _NUMBER.fullmatch(text) and len(text) <= _DEEPEST:
            return text
        if direct and key in _PRIVATE:
            return "x" * len(text)
        done = self.text(text)
        if key in _NAMES and text not in self._texts:
            self._texts[text] = done
            self._names.update(word.lower() for word in text.split())
            self._known = None
        return done

    def _segment(self, segment: str) -> str:
        plain = unquote(segment)
        return segment if plain in SEGMENTS or _NUMBER.fullmatch(plain) else self._quoted(segment)

    def _query_value(self, value: str) -> str:
        plain = unquote(value)
        return value if plain in WORDS or _NUMBER.fullmatch(plain) else self._quoted(value)

    def _quoted(self, text: str) -> str:
        return quote(self.id(unquote(text)), safe="")

    def _argument(self, word: str) -> str:
        return word if word.lower() in COMMAND_WORDS or _INDEX.fullmatch(word) else self.id(word)

    def _parts(self, text: str) -> str:
        return _PIECE.sub(lambda piece: self._piece(piece[0], first=piece.start() == 0), text)

    def _unnamed(self, text: str) -> str:
        """Return a part of a sentence in which no name and no text stands that is known as a whole."""
        done, at = [], 0
        for found in _UUID.finditer(text):
            done += [self._words(text[at : found.start()]), self._stand_ins.uuid(found[0])]
            at = found.end()
        return "".join([*done, self._words(text[at:])])

    def _words(self, text: str) -> str:
        return _WORD.sub(lambda word: self._own_word(word[0]), text)

    def _own_word(self, word: str) -> str:
        if word in {MASK, "a", "s"} or word.lower() in self._own or word in WORDS or word in SEGMENTS:
            return word
        if _FIGURE.fullmatch(word):
            return word
        return self._piece(word, first=True) if word.isalnum() else "x" * len(word)

    def _piece(self, piece: str, *, first: bool) -> str:
        return piece if first and piece in PREFIXES else self._stand_ins.piece(piece)

    def _known_texts(self) -> re.Pattern[str] | None:
        """Return what finds the names and texts with blanks in them that were replaced, the longest first."""
        if self._known is None and self._texts:
            long = sorted(
                (text for text in self._texts if len(text) >= _SHORTEST_NAME), key=len, reverse=True
            )
            either = "|".join(map(re.escape, long))
            self._known = re.compile(rf"(?<!\w)(?:{either})(?!\w)") if long else None
        return self._known

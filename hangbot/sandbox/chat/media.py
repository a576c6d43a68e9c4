"""What is attached to a message: files, addresses of files, and how they are shown.

PURE. Measured on OpenChat: `data.url` becomes an attachment, the text (or nothing) becomes the
caption, and the `chatMessage` that it invents shows what the client itself called attached.
"""

from mimetypes import MimeTypes
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import urlsplit

from hangbot.sandbox.chat.rows import Json, Row
from hangbot.sandbox.chat.rules import ChatRefusal
from hangbot.sandbox.ids import Ids

__all__ = ["Upload", "uploads", "with_media", "without_details"]

_KINDS: Final = ("image", "file", "audio", "video")
_KEPT: Final = ("url", "name", "extension", "mimeType")
_guess: Final = MimeTypes(filenames=()).guess_type  # without this machine's own lists


class Upload(dict[str, Any]):
    """A file that came in a form: `name`, `mimeType`, `size` in bytes."""


def uploads(value: Json, ids: Ids) -> list[Row]:
    """Attachments made of the files of a form, each stored under an address of its own."""
    found = value if isinstance(value, list) else [value]
    return [_stored(file, ids) for file in found if isinstance(file, Upload)]


def _stored(file: Upload, ids: Ids) -> Row:
    suffix = PurePosixPath(file["name"]).suffix
    return {**file, "extension": suffix[1:], "url": f"/media/{ids.urlsafe(10)}-upload{suffix}"}


def with_media(kind: Json, data: Row, files: list[Row]) -> tuple[Json, Row, Row]:
    """Read what is attached: the message's type, its data, and what an invented line shows.

    A picture without a picture is stored as a text (measured).

    Raises:
        ChatRefusal: `bad_value`.
    """
    given, url = data.get("attachments"), data.get("url") if kind in _KINDS else None
    if not isinstance(given, list | None) or not isinstance(url, str | None):
        raise ChatRefusal("bad_value", parameter="data.attachments")
    given = files or given or []
    text = data.get("text")
    if given or url:
        attached = given or [_at(url or "")]
        shown = {"caption": text or "", **data, "attachments": attached}
        return kind, shown, _line(kind, given, url)
    if kind in _KINDS:
        rest = {name: value for name, value in data.items() if name not in ("attachments", "url")}
        return "text", {"caption": text or "", **rest, "text": text}, {}
    return kind, data, {}


def _at(url: str) -> Row:
    name = PurePosixPath(urlsplit(url).path).name
    return {
        "url": url,
        "name": name,
        "extension": PurePosixPath(name).suffix[1:],
        "mimeType": _guess(name)[0] or "application/octet-stream",
    }


def _line(kind: Json, given: list[Row], url: str | None) -> Row:
    """Return what the invented `chatMessage` says; of an address alone only that it is a picture."""
    pictures = [item.get("url") for item in given if str(item.get("mimeType")).startswith("image/")]
    if kind == "image" and url:
        pictures.append(url)
    first = given[0] if given else {}
    media = {
        "name": first.get("name"),
        "type": first.get("mimeType"),
        "uri": first.get("url"),
        "url": first.get("url"),
    }
    return {
        "imageUrls": list(dict.fromkeys(url for url in pictures if url is not None)),
        "media": {name: value for name, value in media.items() if value is not None},
        "name": first.get("name"),
    }


def without_details(data: Row) -> Row:
    """Return what a deleted message still says of what is attached: no size, and its address there alone."""
    attached = data.get("attachments")
    if not isinstance(attached, list) or not attached:
        return data
    kept = [
        {name: item[name] for name in _KEPT if name in item} if isinstance(item, dict) else item
        for item in attached
    ]
    return {name: value for name, value in data.items() if name != "url"} | {"attachments": kept}

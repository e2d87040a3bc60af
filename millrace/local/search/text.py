"""From the bytes of a document to the text that is searched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

MARKUP = frozenset({"HTML", "XML", "XSLT"})
PLAIN = frozenset({"PLAIN_TEXT", "MD", "CSV"})


class Unindexable(Exception):
    """The document cannot be indexed; `code` says of which sort the reason is, the message what it is."""

    def __init__(self, reason: str, code: str = "InvalidRequest") -> None:
        super().__init__(reason)
        self.code = code


def extract(content: bytes, kind: str) -> str:
    """The text of a document of this kind (as Kendra's ContentType names it). Raises Unindexable."""
    text = _text(content, kind).replace("\x00", " ").strip()
    if not text:
        raise Unindexable("The document is empty: no text could be extracted")
    return text


def _text(content: bytes, kind: str) -> str:
    if kind not in PLAIN | MARKUP | {"JSON"}:
        raise Unindexable(f"The embedded AWS extracts no text from documents of the type {kind}", "InternalError")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unindexable(f"The document is not UTF-8: byte {error.start} cannot be decoded") from None
    if kind == "JSON":
        try:
            return "\n".join(_strings(json.loads(text))) if text.strip() else ""
        except ValueError as error:
            raise Unindexable(f"The document is not valid JSON: {error}") from None
        except RecursionError:
            raise Unindexable("The document is not valid JSON: it is nested too deeply") from None
    if kind in MARKUP:
        reader = _Markup()
        reader.feed(text)
        reader.close()
        return " ".join(reader.found)
    return text


def _strings(value: Any) -> Iterator[str]:
    match value:
        case dict():
            for item in value.values():
                yield from _strings(item)
        case list():
            for item in value:
                yield from _strings(item)
        case None | bool():
            return
        case _:
            yield str(value)


class _Markup(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style") and self._hidden > 0

    def handle_data(self, data: str) -> None:
        if not self._hidden and data.strip():
            self.found.append(data.strip())

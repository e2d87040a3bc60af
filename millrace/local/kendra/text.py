"""From the bytes of a document to the text that is searched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import PurePosixPath
from typing import Any

from millrace.local.kendra.limits import FILE_BYTES, TEXT_BYTES

BY_ENDING = {
    ".csv": "CSV",
    ".doc": "MS_WORD",
    ".docx": "MS_WORD",
    ".htm": "HTML",
    ".html": "HTML",
    ".json": "JSON",
    ".md": "MD",
    ".pdf": "PDF",
    ".ppt": "PPT",
    ".pptx": "PPT",
    ".rtf": "RTF",
    ".xls": "MS_EXCEL",
    ".xlsx": "MS_EXCEL",
    ".xml": "XML",
    ".xslt": "XSLT",
}
MARKUP = frozenset({"HTML", "XML", "XSLT"})
PLAIN = frozenset({"PLAIN_TEXT", "MD", "CSV"})


class Unindexable(Exception):
    """The document cannot be indexed; `code` and the message become its FailureCode and FailureReason."""

    def __init__(self, reason: str, code: str = "InvalidRequest") -> None:
        super().__init__(reason)
        self.code = code


def kind_of(document: dict[str, Any]) -> str:
    """The document's ContentType, or what the ending of its key says."""
    if "ContentType" in document:
        return document["ContentType"]
    return BY_ENDING.get(PurePosixPath(document.get("S3Path", {}).get("Key", "")).suffix.lower(), "PLAIN_TEXT")


def extract(content: bytes, kind: str) -> str:
    """The text of a document. Raises Unindexable."""
    if len(content) > FILE_BYTES:
        raise Unindexable(f"The document is {len(content)} bytes; the limit of a file is {FILE_BYTES}")
    text = _text(content, kind).replace("\x00", " ").strip()
    if not text:
        raise Unindexable("The document is empty: no text could be extracted")
    size = len(text.encode())
    if size > TEXT_BYTES:
        raise Unindexable(f"The extracted text is {size} bytes; the limit of a document is {TEXT_BYTES}")
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

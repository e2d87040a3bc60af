"""Which text Kendra finds in a document, and how much of it."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from millrace.local.kendra.limits import FILE_BYTES, TEXT_BYTES
from millrace.local.search import text
from millrace.local.search.text import Unindexable

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


def kind_of(document: dict[str, Any]) -> str:
    """The document's ContentType, or what the ending of its key says."""
    if "ContentType" in document:
        return document["ContentType"]
    return BY_ENDING.get(PurePosixPath(document.get("S3Path", {}).get("Key", "")).suffix.lower(), "PLAIN_TEXT")


def extract(content: bytes, kind: str) -> str:
    """The text of a document. Raises Unindexable."""
    if len(content) > FILE_BYTES:
        raise Unindexable(f"The document is {len(content)} bytes; the limit of a file is {FILE_BYTES}")
    found = text.extract(content, kind)
    size = len(found.encode())
    if size > TEXT_BYTES:
        raise Unindexable(f"The extracted text is {size} bytes; the limit of a document is {TEXT_BYTES}")
    return found

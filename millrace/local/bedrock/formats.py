"""Which documents a knowledge base takes, and as what they are read.

By file name: user guide, "Prerequisites for your Amazon Bedrock knowledge base data", supported document formats (.txt,
.md, .html, .doc, .docx, .csv, .xls, .xlsx, .pdf; JSON is not among them). By MIME type: API reference, ByteContentDoc.
The kinds are those of `search.text`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

BY_ENDING: Mapping[str, str] = {
    ".csv": "CSV",
    ".doc": "MS_WORD",
    ".docx": "MS_WORD",
    ".html": "HTML",
    ".md": "MD",
    ".pdf": "PDF",
    ".txt": "PLAIN_TEXT",
    ".xls": "MS_EXCEL",
    ".xlsx": "MS_EXCEL",
}
WORD = "MS_WORD"
EXCEL = "MS_EXCEL"
BY_MIME_TYPE: Mapping[str, str] = {
    "text/plain": "PLAIN_TEXT",
    "text/html": "HTML",
    "text/csv": "CSV",
    "text/vtt": "PLAIN_TEXT",
    "message/rfc822": "PLAIN_TEXT",
    "application/xhtml+xml": "HTML",
    "application/pdf": "PDF",
    "application/msword": WORD,
    "application/vnd.ms-word.document.macroenabled.12": WORD,
    "application/vnd.ms-word.template.macroenabled.12": WORD,
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": WORD,
    "application/vnd.openxmlformats-officedocument.wordprocessingml.template": WORD,
    "application/vnd.ms-excel": EXCEL,
    "application/vnd.ms-excel.addin.macroenabled.12": EXCEL,
    "application/vnd.ms-excel.sheet.macroenabled.12": EXCEL,
    "application/vnd.ms-excel.template.macroenabled.12": EXCEL,
    "application/vnd.ms-excel.sheet.binary.macroenabled.12": EXCEL,
    "application/vnd.ms-spreadsheetml": EXCEL,
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": EXCEL,
    "application/vnd.openxmlformats-officedocument.spreadsheetml.template": EXCEL,
}


def kind_of_file(key: str) -> str | None:
    """The kind of the object, None if knowledge bases do not take such files."""
    return BY_ENDING.get(PurePosixPath(key).suffix.lower())


def kind_of_bytes(mime_type: str) -> str | None:
    """The kind of inline bytes, None if knowledge bases do not take them."""
    return BY_MIME_TYPE.get(mime_type.partition(";")[0].strip().lower())

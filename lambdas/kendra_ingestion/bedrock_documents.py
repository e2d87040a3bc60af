"""A document in the words of a Bedrock knowledge base's custom data source. Pure.

What does not fit is refused with a reason, never cut: a list cut short would find too little, an access list cut short
would show too much. Limits without a note are the API model's (KnowledgeBaseDocument)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from kendra_ingestion.documents import Document, Principal
from kendra_ingestion.errors import DocumentInvalid
from kendra_ingestion.failures import FailureCode
from kendra_ingestion.metadata import CONTENT_TYPE_OF_SUFFIX, AttributeType, as_date
from kendra_ingestion.packing import DOCUMENT_MAX_BYTES
from kendra_ingestion.sink import INVALID_REQUEST
from kendra_ingestion.strict_json import pointer

TITLE = "_document_title"
GROUPS_ALLOWED, GROUPS_DENIED = "_groups_allowed", "_groups_denied"

READ_FROM_S3 = frozenset({".csv", ".doc", ".docx", ".html", ".md", ".pdf", ".xls", ".xlsx"})
"""What knowledge bases read by its ending (user guide, "Supported document formats"), less .txt: they take that as
ASCII, and text in line as Unicode."""

TEXT = frozenset({"JSON", "MD", "PLAIN_TEXT", "XML", "XSLT"})

MIME_TYPES = {
    "CSV": "text/csv",
    "HTML": "text/html",
    "MS_EXCEL": "application/vnd.ms-excel",
    "MS_WORD": "application/msword",
    "PDF": "application/pdf",
}
MIME_TYPES_OF_ZIPPED = {
    "MS_EXCEL": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "MS_WORD": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}
"""Office's files since 2007 (.docx, .xlsx) are ZIP archives and begin like them."""
ZIP = b"PK\x03\x04"

UTF8_WITH_MARK = "utf-8-sig"
"""UTF-8, and a byte order mark at its beginning is no part of the text."""

URI_MAX_CHARACTERS = 1024
S3_URI = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.{1,1024}")
ATTRIBUTES_MAX = 50
LIST_MAX = 10
STRING_MAX_CHARACTERS = 2048

Types = Mapping[str, AttributeType]


def metadata(document: Document, types: Types) -> dict[str, Any] | None:
    """What is known of a document beside its content; None where nothing is. Raises DocumentInvalid.

    A date in one of `types` becomes seconds since 1970, so that filters can compare it. Users of the access list go
    into the API's own, which knows no groups: these become attributes to filter by
    (`docs/decisions/bedrock-access.md`)."""
    attributes = _attributes(document, types)
    if len(attributes) > ATTRIBUTES_MAX:
        raise _refused(
            f"the document has {len(attributes)} attributes, its title and groups among them; "
            f"a knowledge base takes {ATTRIBUTES_MAX}"
        )
    users = [
        {"name": entry["name"], "type": "USER", "access": entry["access"]}
        for entry in document["accessControlList"]
        if entry["type"] == "USER"
    ]
    if not attributes and not users:
        return None
    translated: dict[str, Any] = {"type": "IN_LINE_ATTRIBUTE"}
    if attributes:
        translated["inlineAttributes"] = [{"key": key, "value": value} for key, value in attributes.items()]
    if users:
        translated["accessControlList"] = users
    return translated


def location(document: Document, bucket: str, known: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The content as a place in S3 that the knowledge base reads itself; None where it has to go in line.

    It has to wherever there is metadata: content and metadata must be given in the same way (user guide, "Ingest
    documents directly into a knowledge base")."""
    suffix = PurePosixPath(document["key"]).suffix
    uri = f"s3://{bucket}/{document['key']}"
    if (
        known is not None
        or suffix not in READ_FROM_S3
        or CONTENT_TYPE_OF_SUFFIX[suffix] != document["contentType"]
        or len(uri) > URI_MAX_CHARACTERS
        or not S3_URI.fullmatch(uri)
    ):
        return None
    return {"sourceType": "S3_LOCATION", "s3Location": {"uri": uri}}


def check_format(document: Document) -> None:
    """Refuse, by DocumentInvalid, a format that knowledge bases do not read in any way."""
    content_type = document["contentType"]
    if content_type not in TEXT and content_type not in MIME_TYPES:
        raise _refused(
            f"{pointer('ContentType')} is {content_type}, which a knowledge base does not read; "
            f"allowed: {', '.join(sorted(TEXT | set(MIME_TYPES)))}"
        )


def in_line(content_type: str, body: bytes) -> dict[str, Any]:
    """The content itself. `body` may be cut off after DOCUMENT_MAX_BYTES + 1. Raises DocumentInvalid."""
    if len(body) > DOCUMENT_MAX_BYTES:
        raise DocumentInvalid(
            FailureCode.DOCUMENT_TOO_LARGE,
            f"the document has grown since it was listed; at most {DOCUMENT_MAX_BYTES:,} bytes",
        )
    if content_type in TEXT:
        text = _text(body)
        content: dict[str, Any] = {"type": "TEXT", "textContent": {"data": text}}
        empty = not text
    else:
        content = {"type": "BYTE", "byteContent": {"mimeType": _mime_type(content_type, body), "data": body}}
        empty = not body
    if empty:
        raise _refused("the document is empty")
    return {"sourceType": "IN_LINE", "inlineContent": content}


def _text(body: bytes) -> str:
    try:
        return body.decode(UTF8_WITH_MARK)
    except UnicodeDecodeError as error:
        raise _refused(
            f"the document is not UTF-8: byte 0x{error.object[error.start]:02x} at offset {error.start}"
        ) from None


def _mime_type(content_type: str, body: bytes) -> str:
    types = MIME_TYPES_OF_ZIPPED if body.startswith(ZIP) else MIME_TYPES
    return types.get(content_type, MIME_TYPES[content_type])


def _attributes(document: Document, types: Types) -> dict[str, dict[str, Any]]:
    given = document["attributes"]
    if reserved := given.keys() & {GROUPS_ALLOWED, GROUPS_DENIED}:
        raise _refused(
            f"{pointer('Attributes', min(reserved))}: this name is for the groups of the access list; take another"
        )
    attributes = {key: _value(key, value, types) for key, value in given.items() if value != []}
    title = document.get("title")
    if title and TITLE not in attributes:
        attributes[TITLE] = _string(title, "Title")
    for name, access in ((GROUPS_ALLOWED, "ALLOW"), (GROUPS_DENIED, "DENY")):
        if groups := _groups(document["accessControlList"], access):
            attributes[name] = _strings(groups, f"{pointer('AccessControlList')} with {access} for groups")
    return attributes


def _groups(entries: Sequence[Principal], access: str) -> list[str]:
    names = (entry["name"] for entry in entries if entry["type"] == "GROUP" and entry["access"] == access)
    return list(dict.fromkeys(names))


def _value(key: str, value: Any, types: Types) -> dict[str, Any]:
    if isinstance(value, list):
        return _strings(value, pointer("Attributes", key))
    if isinstance(value, int):
        return _number(key, value)
    if types.get(key) is AttributeType.DATE:
        return {"type": "NUMBER", "numberValue": as_date(value).timestamp()}
    return _string(value, pointer("Attributes", key))


def _number(key: str, value: int) -> dict[str, Any]:
    if int(float(value)) != value:
        raise _refused(
            f"{pointer('Attributes', key)} is {value}; a knowledge base keeps numbers as 64-bit floats, which do not "
            "hold it exactly"
        )
    return {"type": "NUMBER", "numberValue": float(value)}


def _strings(values: Sequence[str], what: str) -> dict[str, Any]:
    if len(values) > LIST_MAX:
        raise _refused(f"{what} has {len(values)} values; a knowledge base takes {LIST_MAX}")
    return {"type": "STRING_LIST", "stringListValue": list(values)}


def _string(value: str, what: str) -> dict[str, Any]:
    if len(value) > STRING_MAX_CHARACTERS:
        raise _refused(f"{what} has {len(value):,} characters; a knowledge base takes {STRING_MAX_CHARACTERS:,}")
    return {"type": "STRING", "stringValue": value}


def _refused(message: str) -> DocumentInvalid:
    return DocumentInvalid(INVALID_REQUEST, message)

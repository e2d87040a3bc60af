"""From a document's S3 metadata file, in the format of Kendra's own S3 connector, to a document of ours.

Two steps, because they know different things: `read` checks the file by itself; `check_attributes` compares
it with the attributes that the index defines. Every error names the field and says what is allowed. Limits
without a note are the API model's (Document, Principal, DocumentAttribute)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any, NoReturn

from kendra_ingestion.documents import Document, Principal
from kendra_ingestion.errors import DocumentInvalid
from kendra_ingestion.failures import FailureCode
from kendra_ingestion.packing import DOCUMENT_MAX_BYTES, MEGABYTE
from kendra_ingestion.strict_json import NotJson, parse, pointer, shown

METADATA_MAX_BYTES = 64 * 1024
"""Our own limit: 200 principals with the longest names, and attributes beside them, fit. It bounds the memory
of planning, which holds a chunk's documents at once."""

FIELDS = ("DocumentId", "Title", "ContentType", "Attributes", "AccessControlList")

CONTENT_TYPE_OF_SUFFIX = {
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
    ".txt": "PLAIN_TEXT",
    ".xls": "MS_EXCEL",
    ".xlsx": "MS_EXCEL",
    ".xml": "XML",
    ".xslt": "XSLT",
}
"""What a document is where its metadata does not say, by its key's ending."""

CONTENT_TYPES = tuple(sorted(set(CONTENT_TYPE_OF_SUFFIX.values())))

ID_MAX_CHARACTERS = 2048
NAME_MAX_CHARACTERS = 200
STRING_MAX_CHARACTERS = 2048
LONG_MIN, LONG_MAX = -(2**63), 2**63 - 1
ATTRIBUTE_KEY = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_-]{0,199}")


class AttributeType(StrEnum):
    """The types that an index gives its attributes (DocumentMetadataConfiguration)."""

    STRING = "STRING_VALUE"
    STRING_LIST = "STRING_LIST_VALUE"
    LONG = "LONG_VALUE"
    DATE = "DATE_VALUE"


WHAT_FITS = {
    AttributeType.STRING: f"a string of 1 to {STRING_MAX_CHARACTERS} characters",
    AttributeType.STRING_LIST: f"a list of strings of 1 to {STRING_MAX_CHARACTERS} characters",
    AttributeType.LONG: "a whole number of 64 bits",
    AttributeType.DATE: 'a date in ISO 8601, such as "2025-10-05T12:00:00Z"',
}


def default_id(bucket: str, key: str) -> str:
    """The id of a document whose metadata gives none, as in Kendra's own S3 connector."""
    return f"s3://{bucket}/{key}"


def read(body: bytes, *, bucket: str, key: str, size: int) -> Document:
    """Read a metadata file for the document at `key`, which has `size` bytes. Raises DocumentInvalid."""
    try:
        fields = parse(body)
    except NotJson as error:
        raise _invalid(f"the metadata {error}") from None
    if not isinstance(fields, dict):
        raise _invalid(f"the metadata is {shown(fields)}; it must be an object with {', '.join(FIELDS)}")
    document_id = _document_id(fields, default_id(bucket, key))
    try:
        for name in fields:
            if name not in FIELDS:
                raise _invalid(f"{pointer(name)} is not known; allowed: {', '.join(FIELDS)}")
        document: Document = {
            "documentId": document_id,
            "key": key,
            "contentType": _content_type(fields, key),
            "attributes": _attributes(fields.get("Attributes", {})),
            "accessControlList": _access_list(fields.get("AccessControlList", [])),
            "size": size,
        }
        if "Title" in fields:
            document["title"] = _title(fields["Title"])
        _check_size(size)
    except DocumentInvalid as error:
        error.document_id = document_id
        raise
    return document


def check_attributes(attributes: Mapping[str, Any], types: Mapping[str, AttributeType]) -> None:
    """Compare a document's attributes with those that the index defines. Raises DocumentInvalid.

    An index takes a document with an attribute that it does not define, and fails it later, with less to say.
    """
    for key, value in attributes.items():
        wanted = types.get(key)
        if wanted is None:
            raise DocumentInvalid(
                FailureCode.UNKNOWN_ATTRIBUTE,
                f"{pointer('Attributes', key)}: the index defines no attribute {shown(key)}; "
                "define it (Kendra: document metadata configuration; Bedrock: attribute_types), or take it out of the "
                "metadata",
            )
        if not _fits(value, wanted):
            raise DocumentInvalid(
                FailureCode.ATTRIBUTE_TYPE_MISMATCH,
                f"{pointer('Attributes', key)} is {shown(value)}; the index defines it as {wanted}: "
                f"{WHAT_FITS[wanted]}",
            )


def as_date(text: str) -> datetime:
    """Read an ISO 8601 date as UTC; one without a time zone is taken as UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text} lies outside the years 1 to 9999 in UTC") from None


def _document_id(fields: dict[str, Any], default: str) -> str:
    if "DocumentId" not in fields:
        return default
    document_id = fields["DocumentId"]
    if not isinstance(document_id, str):
        _refuse(document_id, f"a string of 1 to {ID_MAX_CHARACTERS} characters", "DocumentId")
    if not 1 <= len(document_id) <= ID_MAX_CHARACTERS:
        raise _invalid(
            f"{pointer('DocumentId')} has {len(document_id):,} characters; allowed: 1 to {ID_MAX_CHARACTERS}"
        )
    return document_id


def _content_type(fields: dict[str, Any], key: str) -> str:
    if "ContentType" not in fields:
        suffix = PurePosixPath(key).suffix.lower()
        if suffix not in CONTENT_TYPE_OF_SUFFIX:
            raise _invalid(
                f"{pointer('ContentType')} is missing, and the key's ending does not tell it; "
                f"allowed: {', '.join(CONTENT_TYPES)}"
            )
        return CONTENT_TYPE_OF_SUFFIX[suffix]
    content_type = fields["ContentType"]
    if content_type not in CONTENT_TYPES:
        _refuse(content_type, f"one of {', '.join(CONTENT_TYPES)}", "ContentType")
    return content_type


def _title(title: Any) -> str:
    if not isinstance(title, str):
        _refuse(title, "a string", "Title")
    return title


def _attributes(attributes: Any) -> dict[str, Any]:
    if not isinstance(attributes, dict):
        _refuse(attributes, "an object", "Attributes")
    for key, value in attributes.items():
        if not ATTRIBUTE_KEY.fullmatch(key):
            raise _invalid(
                f"{pointer('Attributes', key[:200])}: an attribute's key has 1 to 200 of a-z A-Z 0-9 _ - "
                "and does not begin with -"
            )
        if not any(
            _fits(value, kind) for kind in (AttributeType.STRING, AttributeType.STRING_LIST, AttributeType.LONG)
        ):
            _refuse(
                value,
                f"{WHAT_FITS[AttributeType.STRING]}, a list of such strings, or {WHAT_FITS[AttributeType.LONG]}",
                "Attributes",
                key,
            )
    return attributes


def _access_list(entries: Any) -> list[Principal]:
    if not isinstance(entries, list):
        _refuse(entries, "a list of objects with Name, Type and Access", "AccessControlList")
    return [_principal(entry, place) for place, entry in enumerate(entries)]


def _principal(entry: Any, place: int) -> Principal:
    where = ("AccessControlList", place)
    if not isinstance(entry, dict) or set(entry) != {"Name", "Type", "Access"}:
        _refuse(entry, "an object with exactly Name, Type and Access", *where)
    name = entry["Name"]
    if not (isinstance(name, str) and 1 <= len(name) <= NAME_MAX_CHARACTERS) or _has_control(name):
        _refuse(name, f"a string of 1 to {NAME_MAX_CHARACTERS} characters, none of them control", *where, "Name")
    if entry["Type"] not in ("USER", "GROUP"):
        _refuse(entry["Type"], "USER or GROUP", *where, "Type")
    if entry["Access"] not in ("ALLOW", "DENY"):
        _refuse(entry["Access"], "ALLOW or DENY", *where, "Access")
    return {"name": name, "type": entry["Type"], "access": entry["Access"]}


def _check_size(size: int) -> None:
    if size > DOCUMENT_MAX_BYTES:
        raise DocumentInvalid(
            FailureCode.DOCUMENT_TOO_LARGE,
            f"the document has {size:,} bytes; at most {DOCUMENT_MAX_BYTES:,} ({DOCUMENT_MAX_BYTES // MEGABYTE} MB)",
        )


def _fits(value: Any, kind: AttributeType) -> bool:
    if kind is AttributeType.LONG:
        return isinstance(value, int) and not isinstance(value, bool) and LONG_MIN <= value <= LONG_MAX
    if kind is AttributeType.STRING_LIST:
        return isinstance(value, list) and all(_fits(item, AttributeType.STRING) for item in value)
    if not (isinstance(value, str) and 1 <= len(value) <= STRING_MAX_CHARACTERS):
        return False
    if kind is AttributeType.DATE:
        try:
            as_date(value)
        except ValueError:
            return False
    return True


def _has_control(text: str) -> bool:
    return any(unicodedata.category(character).startswith("C") for character in text)


def _refuse(value: Any, allowed: str, *path: str | int) -> NoReturn:
    raise _invalid(f"{pointer(*path)} is {shown(value)}; allowed: {allowed}")


def _invalid(message: str) -> DocumentInvalid:
    return DocumentInvalid(FailureCode.METADATA_INVALID, message)

"""What an incident becomes: a document to search, and metadata to filter by. docs/incident_sync.md has both shapes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from incident_sync import dates
from incident_sync.errors import IncidentInvalid
from incident_sync.fields import EPOCH_ENDING, KEY, STATUS, Fields
from incident_sync.incidents import Item
from incident_sync.values import AttributeValue, MetadataValue, Unfit, as_json, as_metadata, says_nothing, texts

T = TypeVar("T")

SUFFIX = ".json.md"
"""The document is JSON. A knowledge base reads no `.json` from S3, and of the texts that it reads `.md` is the one in
UTF-8 (Bedrock user guide, supported document formats; decisions/incident_objects.md)."""

METADATA_SUFFIX = ".metadata.json"
"""Where Bedrock looks for an object's metadata (user guide, "Connect to Amazon S3 for your knowledge base")."""

DOCUMENT_MAX_BYTES = 262_144
"""Our own limit: what is longer is a log and no report."""

METADATA_MAX_BYTES = 10 * 1024
"""Bedrock's limit of a metadata file (user guide, "Connect to Amazon S3 for your knowledge base")."""

INCIDENT_ID = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
"""Safe in a key, a path and a command line."""


class Document(NamedTuple):
    """The contents of an incident's two objects, UTF-8 JSON. Those of the same incident have the same bytes."""

    incident_id: str
    body: bytes
    metadata: bytes


def object_key(prefix: str, incident_id: str) -> str:
    """Where the document is."""
    return f"{prefix}{incident_id}{SUFFIX}"


def metadata_key(key: str) -> str:
    """Where the metadata of the document at `key` is."""
    return key + METADATA_SUFFIX


def is_object_name(incident_id: str) -> bool:
    """Whether the id can be part of a key. One that cannot has no objects."""
    return INCIDENT_ID.fullmatch(incident_id) is not None


def document(item: Item, fields: Fields) -> Document:
    """The document of an incident, as DynamoDB gives it. A field that is null, blank or empty is left out.

    Raises IncidentInvalid, which names the field."""
    incident_id = _incident_id(item)
    said = {name: item[name] for name in fields.names if name in item and not says_nothing(item[name])}
    lines = {KEY: json.dumps(incident_id)}
    lines |= {name: _of_field(name, as_json, value) for name, value in said.items()}
    if not any(text.strip() for name in fields.text if name in said for text in texts(said[name])):
        raise IncidentInvalid(f"{', '.join(fields.text)}: there is no text in any of them; write some, to be searched")
    return Document(incident_id, _body(lines), _metadata(incident_id, said, fields))


def _incident_id(item: Item) -> str:
    if KEY not in item:
        raise IncidentInvalid(f"{KEY} is missing")
    match item[KEY]:
        case {"S": str(incident_id)} if is_object_name(incident_id):
            return incident_id
    raise IncidentInvalid(
        f"{KEY} cannot be part of an object's name; allowed: a text of 1 to 128 of A-Z a-z 0-9 . _ - that begins with "
        "a letter or a digit and has no .."
    )


def _body(lines: dict[str, str]) -> bytes:
    """One line a field, so that a chunk of the text begins and ends where a field does as often as it can."""
    text = (
        "{\n"
        + ",\n".join(f"  {json.dumps(name, ensure_ascii=False)}: {value}" for name, value in lines.items())
        + "\n}\n"
    )
    return _limited(text, DOCUMENT_MAX_BYTES, "document", lines)


def _metadata(incident_id: str, said: dict[str, AttributeValue], fields: Fields) -> bytes:
    attributes: dict[str, MetadataValue] = {KEY: incident_id}
    for name in (STATUS, *fields.attributes):
        if name in said and (value := _of_field(name, as_metadata, said[name])) != []:
            attributes[name] = value
    for name in fields.dates:
        if name in said:
            date = _of_field(name, _date, said[name])
            attributes |= {name: date.text, name + EPOCH_ENDING: date.seconds}
    text = json.dumps({"metadataAttributes": attributes}, ensure_ascii=False)
    lines = {name: json.dumps(value, ensure_ascii=False) for name, value in attributes.items()}
    return _limited(text, METADATA_MAX_BYTES, "metadata", lines)


def _date(value: AttributeValue) -> dates.Date:
    match value:
        case {"S": str(text)}:
            try:
                return dates.read(text)
            except ValueError as error:
                raise Unfit(str(error)) from None
    raise Unfit(f"is no text with a date; allowed: {dates.ALLOWED}")


def _of_field(name: str, make: Callable[[AttributeValue], T], value: AttributeValue) -> T:
    try:
        return make(value)
    except Unfit as error:
        raise IncidentInvalid(f"{name} {error}") from None


def _limited(text: str, most: int, what: str, lines: dict[str, str]) -> bytes:
    body = text.encode("utf-8")
    if len(body) > most:
        longest = max(lines, key=lambda name: len(lines[name].encode("utf-8")))
        raise IncidentInvalid(
            f"{longest}, the longest field, makes the {what} too long: {len(body):,} bytes; at most {most:,}"
        )
    return body

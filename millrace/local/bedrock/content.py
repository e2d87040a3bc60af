"""What a document of a request is: its identity, and whether it is whole. The shapes are those of the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from millrace.local.bedrock.formats import kind_of_bytes
from millrace.local.bedrock.metadata import flaw_of_attributes


class WrongDocument(Exception):
    """The API refuses the document or identifier; the message says why."""


def id_of(identifier: Mapping[str, Any], source_type: str) -> str:
    """The id of a DocumentIdentifier, by which its data source knows the document. Raises WrongDocument."""
    _check_type(identifier["dataSourceType"], source_type)
    if source_type == "CUSTOM":
        return _chosen(identifier, "custom", "s3")["id"]
    return _chosen(identifier, "s3", "custom")["uri"]


def identifier_of(document_id: str, source_type: str) -> dict[str, Any]:
    """The DocumentIdentifier of that id."""
    if source_type == "CUSTOM":
        return {"dataSourceType": "CUSTOM", "custom": {"id": document_id}}
    return {"dataSourceType": "S3", "s3": {"uri": document_id}}


def id_of_document(document: Mapping[str, Any], source_type: str) -> str:
    """The id of a document to ingest, after checking that it is whole. Raises WrongDocument."""
    content = document["content"]
    _check_type(content["dataSourceType"], source_type)
    if source_type == "CUSTOM":
        custom = _chosen(content, "custom", "s3")
        _check_custom(custom)
        in_line = custom["sourceType"] == "IN_LINE"
        document_id: str = custom["customDocumentIdentifier"]["id"]
    else:
        document_id = _chosen(content, "s3", "custom")["s3Location"]["uri"]
        bucket_and_key(document_id)
        in_line = False
    if "metadata" in document:
        _check_metadata(document["metadata"], in_line=in_line)
    return document_id


def bucket_and_key(uri: str) -> tuple[str, str]:
    """The parts of `s3://bucket/key`. Raises WrongDocument."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not bucket or not key:
        raise WrongDocument(f"{uri} does not name an object")
    return bucket, key


def _check_type(given: str, source_type: str) -> None:
    if given != source_type:
        raise WrongDocument(f"dataSourceType is {given}, but the data source is {source_type}")


def _check_custom(custom: Mapping[str, Any]) -> None:
    if custom["sourceType"] == "S3_LOCATION":
        bucket_and_key(_chosen(custom, "s3Location", "inlineContent")["uri"])
        return
    inline = _chosen(custom, "inlineContent", "s3Location")
    if inline["type"] == "TEXT":
        _chosen(inline, "textContent", "byteContent")
        return
    mime_type = _chosen(inline, "byteContent", "textContent")["mimeType"]
    if kind_of_bytes(mime_type) is None:
        raise WrongDocument(f"the MIME type {mime_type} is not supported")


def _check_metadata(metadata: Mapping[str, Any], *, in_line: bool) -> None:
    """`in_line`: so the content is given, and so must the metadata be (user guide, "Ingest documents directly into a
    knowledge base": both are defined with the same method)."""
    if in_line != (metadata["type"] == "IN_LINE_ATTRIBUTE"):
        raise WrongDocument("content and metadata must both be given inline, or both in S3")
    if not in_line:
        bucket_and_key(_chosen(metadata, "s3Location", "inlineAttributes", "accessControlList")["uri"])
        return
    given = [member for member in ("inlineAttributes", "accessControlList") if member in metadata]
    _chosen(metadata, given[0] if given else "inlineAttributes", "s3Location")
    flaw = flaw_of_attributes(metadata.get("inlineAttributes", []))
    if flaw:
        raise WrongDocument(flaw)


def _chosen(whole: Mapping[str, Any], name: str, *others: str) -> Any:
    """The member that the type beside it chose, which stands in place of the others."""
    if name not in whole:
        raise WrongDocument(f"{name} must be given")
    extra = [other for other in others if other in whole]
    if extra:
        raise WrongDocument(f"{', '.join(extra)} cannot be given together with {name}")
    return whole[name]

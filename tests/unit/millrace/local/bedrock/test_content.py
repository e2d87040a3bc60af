from __future__ import annotations

import pytest

from millrace.local.bedrock.content import WrongDocument, id_of, id_of_document, identifier_of


def custom(document_id="a", source="IN_LINE", metadata=None, **parts):
    parts = parts or {"inlineContent": {"type": "TEXT", "textContent": {"data": "words"}}}
    content = {"customDocumentIdentifier": {"id": document_id}, "sourceType": source, **parts}
    document = {"content": {"dataSourceType": "CUSTOM", "custom": content}}
    return document if metadata is None else {**document, "metadata": metadata}


def in_s3(uri="s3://bucket/a.txt", **more):
    return {"content": {"dataSourceType": "S3", "s3": {"s3Location": {"uri": uri}}}, **more}


def test_a_document_is_known_by_the_id_of_its_kind_of_source():
    assert id_of_document(custom("a"), "CUSTOM") == "a"
    assert id_of_document(in_s3(), "S3") == "s3://bucket/a.txt"


@pytest.mark.parametrize(("document_id", "source_type"), [("a", "CUSTOM"), ("s3://bucket/a.txt", "S3")])
def test_an_identifier_names_the_id_that_it_was_made_of(document_id, source_type):
    assert id_of(identifier_of(document_id, source_type), source_type) == document_id


INLINE = {"type": "TEXT", "textContent": {"data": "x"}}
LOCATION = {"uri": "s3://bucket/a.txt"}


@pytest.mark.parametrize(
    ("document", "source_type", "said"),
    [
        (custom(), "S3", "dataSourceType is CUSTOM, but the data source is S3"),
        (in_s3(), "CUSTOM", "dataSourceType is S3, but the data source is CUSTOM"),
        ({"content": {"dataSourceType": "CUSTOM"}}, "CUSTOM", "custom must be given"),
        (custom(inlineContent=INLINE, s3Location=LOCATION), "CUSTOM", "s3Location cannot be given together"),
        (custom(source="S3_LOCATION"), "CUSTOM", "s3Location must be given"),
        (custom(source="S3_LOCATION", s3Location={"uri": "s3://bucket/"}), "CUSTOM", "does not name an object"),
        (custom(inlineContent={"type": "BYTE"}), "CUSTOM", "byteContent must be given"),
        (
            custom(inlineContent={"type": "BYTE", "byteContent": {"mimeType": "application/json", "data": "e30="}}),
            "CUSTOM",
            "application/json is not supported",
        ),
        (
            custom(metadata={"type": "S3_LOCATION", "s3Location": LOCATION}),
            "CUSTOM",
            "must both be given inline, or both in S3",
        ),
        (
            custom(source="S3_LOCATION", s3Location=LOCATION, metadata={"type": "IN_LINE_ATTRIBUTE"}),
            "CUSTOM",
            "must both be given inline, or both in S3",
        ),
        (
            custom(source="S3_LOCATION", s3Location=LOCATION, metadata={"type": "S3_LOCATION"}),
            "CUSTOM",
            "s3Location must be given",
        ),
        (custom(metadata={"type": "IN_LINE_ATTRIBUTE"}), "CUSTOM", "inlineAttributes must be given"),
        (
            custom(
                source="S3_LOCATION",
                s3Location=LOCATION,
                metadata={"type": "S3_LOCATION", "s3Location": LOCATION, "accessControlList": []},
            ),
            "CUSTOM",
            "accessControlList cannot be given together",
        ),
        (
            custom(
                metadata={
                    "type": "IN_LINE_ATTRIBUTE",
                    "inlineAttributes": [{"key": "a", "value": {"type": "STRING", "numberValue": 1}}],
                }
            ),
            "CUSTOM",
            "The attribute a of type STRING",
        ),
        (in_s3(metadata={"type": "IN_LINE_ATTRIBUTE"}), "S3", "must both be given inline, or both in S3"),
        (in_s3("s3://bucket"), "S3", "does not name an object"),
    ],
)
def test_a_document_that_is_not_whole_says_what_is_wrong(document, source_type, said):
    with pytest.raises(WrongDocument, match=said):
        id_of_document(document, source_type)

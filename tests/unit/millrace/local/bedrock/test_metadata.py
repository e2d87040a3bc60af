from __future__ import annotations

import json

import pytest

from millrace.local.bedrock.metadata import flaw_of_attributes, of_attributes, of_file
from millrace.local.search.text import Unindexable

WHERE = "s3://bucket/a.txt.metadata.json"


def attribute(key, kind, **value):
    return {"key": key, "value": {"type": kind, **value}}


WHOLE = [
    attribute("name", "STRING", stringValue="a"),
    attribute("year", "NUMBER", numberValue=1.5),
    attribute("open", "BOOLEAN", booleanValue=False),
    attribute("tags", "STRING_LIST", stringListValue=["b", "c"]),
]
VALUES = {"name": "a", "year": 1.5, "open": False, "tags": ["b", "c"]}


def test_each_type_of_attribute_becomes_its_value():
    assert flaw_of_attributes(WHOLE) is None
    assert of_attributes(WHOLE) == VALUES


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ([attribute("a", "STRING", numberValue=1)], "must have stringValue and no other value, found numberValue"),
        ([attribute("a", "STRING")], "found none"),
        ([attribute("a", "STRING", stringValue="x", numberValue=1)], "found numberValue, stringValue"),
        ([attribute("a", "STRING", stringValue="x")] * 2, "more than once"),
    ],
)
def test_a_value_that_its_type_does_not_have_is_a_flaw(attributes, said):
    assert said in flaw_of_attributes(attributes)


def test_a_metadata_file_has_plain_values_or_typed_ones():
    plain = json.dumps({"metadataAttributes": VALUES}).encode()
    typed = {item["key"]: {"value": item["value"], "includeForEmbedding": True} for item in WHOLE}
    assert of_file(plain, WHERE) == VALUES
    assert of_file(json.dumps({"metadataAttributes": typed}).encode(), WHERE) == VALUES


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "not valid JSON"),
        (b"\xff", "not valid JSON"),
        (b"[]", "no object metadataAttributes"),
        (b'{"Attributes": {}}', "no object metadataAttributes"),
        (b'{"metadataAttributes": {"a": null}}', "attribute a"),
        (b'{"metadataAttributes": {"a": [1]}}', "attribute a"),
        (b'{"metadataAttributes": {"a": {"value": {"type": "STRING", "numberValue": 1}}}}', "attribute a"),
        (b" " * 10241, "10241 bytes; the limit is 10240"),
    ],
)
def test_a_metadata_file_that_cannot_be_read_says_why_and_where(content, said):
    with pytest.raises(Unindexable, match=said) as raised:
        of_file(content, WHERE)
    assert WHERE in str(raised.value)

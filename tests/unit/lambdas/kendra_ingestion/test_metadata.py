from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kendra_ingestion.documents import Document
from kendra_ingestion.errors import DocumentInvalid
from kendra_ingestion.failures import FailureCode
from kendra_ingestion.metadata import CONTENT_TYPES, AttributeType, as_date, check_attributes, read

TYPES = {
    "_created_at": AttributeType.DATE,
    "_view_count": AttributeType.LONG,
    "department": AttributeType.STRING,
    "topics": AttributeType.STRING_LIST,
}


def read_fields(fields: Any, *, key: str = "p/batches/x.json", size: int = 10) -> Document:
    return read(json.dumps(fields).encode(), bucket="in", key=key, size=size)


def refusal(fields: Any, **place: Any) -> DocumentInvalid:
    with pytest.raises(DocumentInvalid) as refused:
        read_fields(fields, **place)
    return refused.value


def test_a_metadata_file_becomes_a_document() -> None:
    fields = {
        "DocumentId": "emp-123",
        "Title": "Ada",
        "ContentType": "JSON",
        "Attributes": {"department": "R&D", "topics": ["a", "b"], "_view_count": 7},
        "AccessControlList": [{"Name": "staff", "Type": "GROUP", "Access": "ALLOW"}],
    }
    assert read_fields(fields) == {
        "documentId": "emp-123",
        "key": "p/batches/x.json",
        "title": "Ada",
        "contentType": "JSON",
        "attributes": {"department": "R&D", "topics": ["a", "b"], "_view_count": 7},
        "accessControlList": [{"name": "staff", "type": "GROUP", "access": "ALLOW"}],
        "size": 10,
    }


def test_every_field_may_be_left_out() -> None:
    document = read_fields({})
    assert document["documentId"] == "s3://in/p/batches/x.json"
    assert document["contentType"] == "JSON"
    assert "title" not in document


@pytest.mark.parametrize(
    ("key", "content_type"),
    [
        ("a/x.MD", "MD"),
        ("a/x.html", "HTML"),
        ("a/x.pdf", "PDF"),
        ("a/x.txt", "PLAIN_TEXT"),
        ("a/x.docx", "MS_WORD"),
    ],
)
def test_the_content_type_follows_from_the_key(key: str, content_type: str) -> None:
    assert read_fields({}, key=key)["contentType"] == content_type


def test_the_content_types_are_the_api_models() -> None:
    model = botocore.session.get_session().get_service_model("kendra")
    assert set(CONTENT_TYPES) == set(model.shape_for("ContentType").enum)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ([], "the metadata is a list"),
        ("x", 'the metadata is "x"'),
        ({"Tittle": "x"}, "/Tittle is not known; allowed: DocumentId, Title"),
        ({"DocumentId": ""}, "/DocumentId has 0 characters; allowed: 1 to 2048"),
        ({"DocumentId": "x" * 2049}, "/DocumentId has 2,049 characters"),
        ({"DocumentId": 7}, "/DocumentId is 7"),
        ({"DocumentId": None}, "/DocumentId is null"),
        ({"Title": ["x"]}, "/Title is a list; allowed: a string"),
        ({"ContentType": "WORD"}, '/ContentType is "WORD"; allowed: one of CSV, HTML'),
        ({"ContentType": []}, "/ContentType is a list"),
        ({"Attributes": []}, "/Attributes is a list; allowed: an object"),
        ({"Attributes": {"a b": "x"}}, "/Attributes/a b: an attribute's key has 1 to 200 of"),
        ({"Attributes": {"": "x"}}, "/Attributes/: an attribute's key"),
        ({"Attributes": {"-a": "x"}}, "does not begin with -"),
        ({"Attributes": {"a\n": "x"}}, "an attribute's key"),
        ({"Attributes": {"a": None}}, "/Attributes/a is null"),
        ({"Attributes": {"a": ""}}, '/Attributes/a is ""'),
        ({"Attributes": {"a": True}}, "/Attributes/a is true"),
        ({"Attributes": {"a": 1.5}}, "/Attributes/a is 1.5"),
        ({"Attributes": {"a": 2**63}}, "/Attributes/a is 9223372036854775808"),
        ({"Attributes": {"a": {"b": 1}}}, "/Attributes/a is an object"),
        ({"Attributes": {"a": ["x", 1]}}, "/Attributes/a is a list"),
        ({"Attributes": {"a": "x" * 2049}}, "1 to 2048 characters"),
        ({"AccessControlList": {}}, "/AccessControlList is an object"),
        ({"AccessControlList": ["x"]}, '/AccessControlList/0 is "x"'),
        ({"AccessControlList": [{"Name": "x", "Type": "USER"}]}, "exactly Name, Type and Access"),
        (
            {"AccessControlList": [{"Name": "", "Type": "USER", "Access": "ALLOW"}]},
            '/AccessControlList/0/Name is ""',
        ),
        (
            {"AccessControlList": [{"Name": "a\n", "Type": "USER", "Access": "ALLOW"}]},
            "/AccessControlList/0/Name",
        ),
        (
            {"AccessControlList": [{"Name": "x", "Type": "user", "Access": "ALLOW"}]},
            '/AccessControlList/0/Type is "user"; allowed: USER or GROUP',
        ),
        (
            {"AccessControlList": [{"Name": "x", "Type": "USER", "Access": {}}]},
            "/AccessControlList/0/Access is an object; allowed: ALLOW or DENY",
        ),
    ],
)
def test_a_wrong_field_is_named_with_what_is_allowed(fields: Any, says: str) -> None:
    error = refusal(fields)
    assert error.code == FailureCode.METADATA_INVALID
    assert says in error.message


def test_an_unknown_ending_without_a_content_type_is_no_guess() -> None:
    assert "/ContentType is missing" in refusal({}, key="a/x.bin").message


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"\xef\xbb\xbf{}", b"[" * 100_000, b'{"Title": "\\ud800"}'])
def test_what_is_not_json_is_refused_without_an_id(body: bytes) -> None:
    with pytest.raises(DocumentInvalid) as refused:
        read(body, bucket="in", key="x.json", size=1)
    assert refused.value.code == FailureCode.METADATA_INVALID
    assert refused.value.document_id is None


def test_a_refusal_carries_the_id_where_the_metadata_gives_a_good_one() -> None:
    assert refusal({"DocumentId": "emp-1", "Title": 5}).document_id == "emp-1"
    assert refusal({"DocumentId": "x" * 2049}).document_id is None


def test_a_document_of_6_mb_is_too_large() -> None:
    error = refusal({"DocumentId": "emp-1"}, size=6 * 1024 * 1024)
    assert error.code == FailureCode.DOCUMENT_TOO_LARGE
    assert error.document_id == "emp-1"
    assert "6,291,456 bytes; at most 5,242,880" in error.message
    assert read_fields({}, size=5 * 1024 * 1024)


@given(st.recursive(st.none() | st.text() | st.integers(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
def test_any_json_is_read_or_refused(fields: Any) -> None:
    with suppress(DocumentInvalid):
        assert read_fields(fields)["documentId"]


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"department": "x", "topics": ["x"], "_view_count": -3},
        {"topics": []},
        {"_created_at": "2025-10-05T12:00:00Z"},
        {"_created_at": "2025-10-05T12:00:00.123+02:00"},
        {"_created_at": "2025-10-05"},
    ],
)
def test_attributes_of_the_indexs_types_are_taken(attributes: dict[str, Any]) -> None:
    check_attributes(attributes, TYPES)


@pytest.mark.parametrize(
    ("attributes", "code", "says"),
    [
        (
            {"dept": "x"},
            "UnknownAttribute",
            '/Attributes/dept: the index defines no attribute "dept"; define it',
        ),
        (
            {"department": 5},
            "AttributeTypeMismatch",
            "/Attributes/department is 5; the index defines it as STRING_VALUE",
        ),
        ({"topics": "x"}, "AttributeTypeMismatch", "STRING_LIST_VALUE: a list of strings"),
        ({"_view_count": "7"}, "AttributeTypeMismatch", "LONG_VALUE: a whole number"),
        ({"_created_at": "yesterday"}, "AttributeTypeMismatch", "DATE_VALUE: a date in ISO 8601"),
        ({"_created_at": "0001-01-01T00:00:00+14:00"}, "AttributeTypeMismatch", "DATE_VALUE"),
        ({"_created_at": 1759665600}, "AttributeTypeMismatch", "DATE_VALUE"),
    ],
)
def test_attributes_that_the_index_would_fail_on_are_refused(attributes: dict[str, Any], code: str, says: str) -> None:
    with pytest.raises(DocumentInvalid) as refused:
        check_attributes(attributes, TYPES)
    assert refused.value.code == code
    assert says in refused.value.message


def test_a_date_without_a_time_zone_is_utc() -> None:
    assert (
        as_date("2025-10-05T12:00:00") == as_date("2025-10-05T14:00:00+02:00") == datetime(2025, 10, 5, 12, tzinfo=UTC)
    )

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kendra_ingestion.bedrock_documents import READ_FROM_S3, check_format, in_line, location, metadata
from kendra_ingestion.documents import Document
from kendra_ingestion.errors import DocumentInvalid
from kendra_ingestion.metadata import CONTENT_TYPE_OF_SUFFIX, CONTENT_TYPES, AttributeType
from tests.fakes.api_model import service_model, violation

METADATA_SHAPE = service_model("bedrock-agent").shape_for("DocumentMetadata")
CONTENT_SHAPE = service_model("bedrock-agent").shape_for("CustomContent")


def document(**change: Any) -> Document:
    plain: Document = {
        "documentId": "emp-1",
        "key": "p/batches/emp-1.json",
        "contentType": "JSON",
        "attributes": {},
        "accessControlList": [],
        "size": 10,
    }
    return plain | change  # type: ignore[return-value]


def attributes_of(given_document: Document, **types: AttributeType) -> dict[str, Any]:
    """The attributes by key, each with its one value."""
    translated = metadata(given_document, types)
    assert translated is not None
    assert violation(translated, METADATA_SHAPE) is None
    return {
        item["key"]: next(value for name, value in item["value"].items() if name != "type")
        for item in translated["inlineAttributes"]
    }


def principals(kind: str, access: str, *names: str) -> list[dict[str, str]]:
    return [{"name": name, "type": kind, "access": access} for name in names]


def refusal(given_document: Document) -> str:
    with pytest.raises(DocumentInvalid) as raised:
        metadata(given_document, {})
    assert raised.value.code == "InvalidRequest"
    return raised.value.message


def test_a_document_of_which_nothing_is_known_has_no_metadata() -> None:
    assert metadata(document(), {}) is None
    assert metadata(document(title="", attributes={"topics": []}), {}) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01", 0.0),
        ("2025-10-05T12:00:00Z", 1_759_665_600.0),
        ("2025-10-05T14:00:00+02:00", 1_759_665_600.0),
        ("1969-12-31T23:59:59.5Z", -0.5),
    ],
)
def test_dates_become_seconds_that_filters_can_compare(text: str, seconds: float) -> None:
    dated = document(attributes={"_created_at": text})
    assert attributes_of(dated, _created_at=AttributeType.DATE) == {"_created_at": seconds}


def test_a_date_that_nothing_says_is_one_stays_text() -> None:
    assert attributes_of(document(attributes={"_created_at": "2025-10-05"})) == {"_created_at": "2025-10-05"}


def test_the_metadatas_own_title_attribute_stands_above_the_title() -> None:
    both = document(title="Ada", attributes={"_document_title": "Ada Lovelace"})
    assert attributes_of(both) == {"_document_title": "Ada Lovelace"}


def test_users_go_into_the_access_list_and_groups_into_attributes() -> None:
    entries = [
        *principals("USER", "ALLOW", "ada"),
        *principals("GROUP", "ALLOW", "staff", "board", "staff"),
        *principals("USER", "DENY", "bob"),
        *principals("GROUP", "DENY", "guests"),
    ]
    translated = metadata(document(accessControlList=entries), {})
    assert translated is not None
    assert translated["accessControlList"] == principals("USER", "ALLOW", "ada") + principals("USER", "DENY", "bob")
    assert attributes_of(document(accessControlList=entries)) == {
        "_groups_allowed": ["staff", "board"],
        "_groups_denied": ["guests"],
    }


def test_a_document_with_users_alone_has_an_access_list_alone() -> None:
    translated = metadata(document(accessControlList=principals("USER", "ALLOW", "ada")), {})
    assert translated == {"type": "IN_LINE_ATTRIBUTE", "accessControlList": principals("USER", "ALLOW", "ada")}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {"accessControlList": principals("GROUP", "ALLOW", *map(str, range(11)))},
            "/AccessControlList with ALLOW for groups has 11 values; a knowledge base takes 10",
        ),
        (
            {"accessControlList": principals("GROUP", "DENY", *map(str, range(11)))},
            "/AccessControlList with DENY for groups has 11 values; a knowledge base takes 10",
        ),
        ({"attributes": {"topics": ["a"] * 11}}, "/Attributes/topics has 11 values; a knowledge base takes 10"),
        ({"attributes": {f"a{number}": 1 for number in range(51)}}, "has 51 attributes"),
        ({"attributes": {f"a{number}": 1 for number in range(50)}, "title": "one more"}, "has 51 attributes"),
        ({"title": "x" * 2049}, "Title has 2,049 characters; a knowledge base takes 2,048"),
        ({"attributes": {"_view_count": 2**53 + 1}}, "/Attributes/_view_count is 9007199254740993; "),
        ({"attributes": {"_groups_allowed": ["all"]}}, "/Attributes/_groups_allowed: this name is for the groups"),
    ],
)
def test_what_does_not_fit_is_refused_and_never_cut(change: dict[str, Any], reason: str) -> None:
    assert reason in refusal(document(**change))


keys = st.text("abc_-", min_size=1, max_size=20)
strings = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=50)


@given(
    st.dictionaries(keys, strings | st.lists(strings, max_size=12) | st.integers(-(2**63), 2**63 - 1), max_size=60),
    st.none() | st.text(max_size=50),
)
def test_metadata_is_refused_or_whole_and_inside_the_apis_limits(given_ones: Any, title: str | None) -> None:
    plain = document(attributes=given_ones) if title is None else document(attributes=given_ones, title=title)
    try:
        translated = metadata(plain, {})
    except DocumentInvalid:
        return
    if translated is None:
        assert not title
        assert all(value == [] for value in given_ones.values())
        return
    expected = {key: value for key, value in given_ones.items() if value != []}
    assert attributes_of(plain) == expected | ({"_document_title": title} if title else {})


@pytest.mark.parametrize("suffix", sorted(CONTENT_TYPE_OF_SUFFIX))
def test_every_format_goes_by_its_place_or_in_line_or_is_refused(suffix: str) -> None:
    content_type = CONTENT_TYPE_OF_SUFFIX[suffix]
    plain = document(key=f"p/batches/x{suffix}", contentType=content_type)
    if content_type in ("PPT", "RTF"):
        with pytest.raises(
            DocumentInvalid, match=f"{content_type}, which a knowledge base does not read; allowed: CSV"
        ):
            check_format(plain)
        return
    check_format(plain)
    there = location(plain, "ingestion", None)
    assert (there is not None) == (suffix in READ_FROM_S3)
    content = there or in_line(content_type, b"text")
    assert violation(content, CONTENT_SHAPE) is None


@pytest.mark.parametrize(
    "change",
    [
        {"key": "p/batches/paper", "contentType": "PDF"},
        {"key": "p/batches/paper.PDF", "contentType": "PDF"},
        {"key": "p/batches/paper.txt", "contentType": "PLAIN_TEXT"},
        {"key": "p/batches/paper.csv", "contentType": "PLAIN_TEXT"},
        {"key": "p/batches/two\nlines.pdf", "contentType": "PDF"},
        {"key": f"p/batches/{'x' * 1000}.pdf", "contentType": "PDF"},
    ],
)
def test_content_goes_in_line_where_its_key_does_not_tell_the_service_what_it_is(change: dict[str, Any]) -> None:
    assert location(document(**change), "ingestion", None) is None


def test_content_goes_in_line_where_there_is_metadata() -> None:
    titled = document(key="p/batches/paper.pdf", contentType="PDF", title="Ada")
    assert location(titled, "ingestion", metadata(titled, {})) is None


@pytest.mark.parametrize(
    ("content_type", "body", "mime_type"),
    [
        ("PDF", b"%PDF-1.7", "application/pdf"),
        ("HTML", b"<p>", "text/html"),
        ("CSV", b"a,b", "text/csv"),
        ("MS_WORD", b"\xd0\xcf\x11\xe0", "application/msword"),
        ("MS_EXCEL", b"\xd0\xcf\x11\xe0", "application/vnd.ms-excel"),
        ("MS_WORD", b"PK\x03\x04", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("MS_EXCEL", b"PK\x03\x04", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        ("CSV", b"PK\x03\x04", "text/csv"),
    ],
)
def test_bytes_are_told_by_their_mime_type(content_type: str, body: bytes, mime_type: str) -> None:
    content = in_line(content_type, body)["inlineContent"]["byteContent"]
    assert content == {"mimeType": mime_type, "data": body}
    assert mime_type in service_model("bedrock-agent").shape_for("ByteContentDoc").members["mimeType"].documentation


@pytest.mark.parametrize("content_type", ["JSON", "XML", "XSLT", "MD", "PLAIN_TEXT"])
def test_text_goes_as_text_without_its_byte_order_mark(content_type: str) -> None:
    content = in_line(content_type, "\ufeffñandú".encode())["inlineContent"]
    assert content == {"type": "TEXT", "textContent": {"data": "ñandú"}}


@pytest.mark.parametrize("content_type", sorted(set(CONTENT_TYPES) - {"PPT", "RTF"}))
def test_an_empty_document_is_refused_in_every_format(content_type: str) -> None:
    with pytest.raises(DocumentInvalid, match="empty"):
        in_line(content_type, b"")

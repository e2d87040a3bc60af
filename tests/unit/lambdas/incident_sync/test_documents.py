from __future__ import annotations

import json
from datetime import UTC
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_sync.documents import (
    DOCUMENT_MAX_BYTES,
    METADATA_MAX_BYTES,
    document,
    is_object_name,
    metadata_key,
    object_key,
)
from incident_sync.errors import IncidentInvalid
from incident_sync.fields import Fields
from millrace.local.bedrock.formats import kind_of_file
from millrace.local.bedrock.metadata import of_file
from millrace.local.bedrock.scan import is_document

FIELDS = Fields(("title", "description"), ("priority", "tags"), ("created_at",))
PREFIX = "incidents/closed/"

Item = dict[str, Any]


def incident(**attributes: Any) -> Item:
    """A closed incident; an attribute that is given as None is left out."""
    item = {"incident_id": {"S": "INC-1"}, "status": {"S": "CLOSED"}, "title": {"S": "Disk full"}} | attributes
    return {name: value for name, value in item.items() if value is not None}


def body(item: Item, fields: Fields = FIELDS) -> Any:
    return json.loads(document(item, fields).body, parse_float=Decimal, parse_int=Decimal)


def metadata(item: Item, fields: Fields = FIELDS) -> dict[str, Any]:
    """The attributes as a knowledge base reads them from the file."""
    return of_file(document(item, fields).metadata, "here")


def refusal(item: Item, fields: Fields = FIELDS) -> str:
    with pytest.raises(IncidentInvalid) as refused:
        document(item, fields)
    return str(refused.value)


def test_an_incident_becomes_a_document_and_its_metadata(fields: Fields) -> None:
    item = incident(
        closed_at={"S": "2025-10-06T09:30:00+02:00"},
        created_at={"S": "2025-10-05"},
        tags={"SS": ["storage", "prod"]},
        priority={"S": "P1"},
        service={"S": "billing"},
        resolution={"L": [{"S": "Rotated the logs"}, {"M": {"freed_gb": {"N": "12.50"}}}]},
        description={"S": "The volume of the billing service was full."},
        assignee={"S": "nobody reads this"},
    )
    made = document(item, fields)
    assert made.incident_id == "INC-1"
    assert made.body.decode() == (
        "{\n"
        '  "incident_id": "INC-1",\n'
        '  "title": "Disk full",\n'
        '  "description": "The volume of the billing service was full.",\n'
        '  "resolution": ["Rotated the logs", {"freed_gb": 12.50}],\n'
        '  "status": "CLOSED",\n'
        '  "priority": "P1",\n'
        '  "service": "billing",\n'
        '  "tags": ["prod", "storage"],\n'
        '  "created_at": "2025-10-05",\n'
        '  "closed_at": "2025-10-06T09:30:00+02:00"\n'
        "}\n"
    )
    assert json.loads(made.metadata) == {
        "metadataAttributes": {
            "incident_id": "INC-1",
            "status": "CLOSED",
            "priority": "P1",
            "service": "billing",
            "tags": ["prod", "storage"],
            "created_at": "2025-10-05T00:00:00Z",
            "created_at_epoch": 1_759_622_400,
            "closed_at": "2025-10-06T07:30:00Z",
            "closed_at_epoch": 1_759_735_800,
        }
    }


def test_the_order_in_which_dynamodb_tells_means_nothing() -> None:
    item = incident(
        description={"M": {"b": {"S": "x"}, "a": {"NS": ["2", "1"]}}}, tags={"SS": ["b", "a"]}, priority={"N": "1"}
    )
    turned = dict(reversed(item.items())) | {
        "description": {"M": {"a": {"NS": ["1", "2"]}, "b": {"S": "x"}}},
        "tags": {"SS": ["a", "b"]},
    }
    assert document(item, FIELDS) == document(turned, FIELDS)


def test_other_attributes_are_never_read() -> None:
    secret = incident(
        password={"S": "hunter2"}, photo={"B": b"\xff"}, kb_sync_status={"M": {"synced": {"BOOL": False}}}
    )
    assert document(secret, FIELDS) == document(incident(), FIELDS)


@pytest.mark.parametrize("nothing", [{"NULL": True}, {"S": ""}, {"S": "  "}, {"L": []}, {"M": {}}])
def test_a_field_that_says_nothing_is_left_out(nothing: Any) -> None:
    item = incident(description=nothing, priority=nothing, tags=nothing, created_at=nothing)
    assert document(item, FIELDS) == document(incident(), FIELDS)


def test_a_list_of_blank_texts_is_nothing_to_filter_by() -> None:
    item = incident(tags={"L": [{"S": ""}]})
    assert body(item)["tags"] == [""]
    assert "tags" not in metadata(item)


@pytest.mark.parametrize("number", ["0.1", "3.10", "1234567890123456789012345678.9012345678", "1E-130", "-9.9E+125"])
def test_a_decimal_in_a_text_field_keeps_every_digit(number: str) -> None:
    item = incident(description={"M": {"loss": {"N": number}}})
    assert number in document(item, FIELDS).body.decode()
    assert body(item)["description"]["loss"] == Decimal(number)


def test_a_whole_number_is_a_number_to_filters() -> None:
    assert metadata(incident(priority={"N": "2.0"}))["priority"] == 2
    assert metadata(incident(priority={"BOOL": True}))["priority"] is True


@pytest.mark.parametrize(
    "incident_id",
    ["", " ", "../INC-1", "a/../b", "INC 1", "INC-1 ", "a/b", "a\\b", "a..b", ".a", "-a", "_a", "é", "a\n", "a" * 129],
)
def test_an_id_that_cannot_be_part_of_a_name_is_refused(incident_id: str) -> None:
    assert refusal(incident(incident_id={"S": incident_id})).startswith("incident_id cannot be part")


@pytest.mark.parametrize("incident_id", ["1", "INC-2025.10_05", "a" * 128, "A.json.md", "a.b.c"])
def test_an_id_that_can_is_taken(incident_id: str) -> None:
    assert body(incident(incident_id={"S": incident_id}))["incident_id"] == incident_id


@pytest.mark.parametrize("value", [{"N": "1"}, {"B": b"1"}, {}, None])
def test_an_id_that_is_no_text_or_not_there_is_refused(value: Any) -> None:
    assert refusal(incident(incident_id=value)).startswith("incident_id")


@pytest.mark.parametrize(
    ("attributes", "named"),
    [
        ({"title": None}, "title, description: there is no text"),
        ({"title": {"S": " \n"}}, "title, description"),
        ({"title": {"N": "5"}}, "title, description"),
        ({"title": {"L": [{"S": " "}, {"NULL": True}]}}, "title, description: there is no text"),
        ({"title": {"B": b"bytes"}}, "title"),
        ({"description": {"L": [{"BS": [b"bytes"]}]}}, "description"),
        ({"description": {"S": "\udc00"}}, "description"),
        ({"priority": {"N": "2.5"}}, "priority is a number that is not whole"),
        ({"priority": {"M": {"level": {"S": "P1"}}}}, "priority is a map"),
        ({"tags": {"L": [{"N": "1"}]}}, "tags"),
        ({"created_at": {"S": "05/10/2025"}}, "created_at is no date in ISO 8601"),
        ({"created_at": {"S": "2025-10-05 12:00"}}, "created_at"),
        ({"created_at": {"N": "1759622400"}}, "created_at"),
    ],
)
def test_a_field_that_fits_nowhere_is_named(attributes: Item, named: str) -> None:
    assert refusal(incident(**attributes)).startswith(named)


def test_a_body_up_to_its_limit_is_taken_and_one_byte_more_refused() -> None:
    room = DOCUMENT_MAX_BYTES - len(document(incident(description={"S": "x"}), FIELDS).body) + 1
    assert len(document(incident(description={"S": "x" * room}), FIELDS).body) == DOCUMENT_MAX_BYTES
    assert refusal(incident(description={"S": "x" * (room + 1)})).startswith(
        "description, the longest field, makes the"
    )


def test_a_body_is_measured_in_bytes_and_not_in_characters() -> None:
    assert refusal(incident(description={"S": "障" * 100_000})).startswith("description, the longest field, makes the")


def test_400_kb_are_refused_by_the_name_of_the_longest_field() -> None:
    told = refusal(incident(title={"S": "x" * 1_000}, description={"S": "y" * 400_000}))
    assert told.startswith("description, the longest field, makes the")
    assert "262,144" in told


def test_metadata_up_to_its_limit_is_taken_and_one_byte_more_refused() -> None:
    room = METADATA_MAX_BYTES - len(document(incident(priority={"S": "x"}), FIELDS).metadata) + 1
    assert len(document(incident(priority={"S": "x" * room}), FIELDS).metadata) == METADATA_MAX_BYTES
    assert refusal(incident(priority={"S": "x" * (room + 1)})).startswith("priority, the longest field, makes the")


def test_a_knowledge_base_takes_the_objects_for_what_they_are() -> None:
    key = object_key(PREFIX, "INC-1")
    assert key == "incidents/closed/INC-1.json.md"
    assert metadata_key(key) == "incidents/closed/INC-1.json.md.metadata.json"
    assert is_document(key)
    assert not is_document(metadata_key(key))
    assert kind_of_file(key) == "MD"


@given(
    st.lists(
        st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,5}(\.json|\.md|\.metadata){0,3}", fullmatch=True),
        min_size=2,
        unique=True,
    )
)
def test_no_two_incidents_share_an_object(incident_ids: list[str]) -> None:
    names = [incident_id for incident_id in incident_ids if is_object_name(incident_id)]
    keys = [object_key(PREFIX, name) for name in names]
    assert len({*keys, *map(metadata_key, keys)}) == 2 * len(names)


TEXTS = st.text(max_size=20)
NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, places=None).map(str) | st.integers().map(str)
SCALARS = st.one_of(
    TEXTS.map(lambda text: {"S": text}),
    NUMBERS.map(lambda number: {"N": number}),
    st.booleans().map(lambda truth: {"BOOL": truth}),
    st.just({"NULL": True}),
    st.binary(max_size=5).map(lambda content: {"B": content}),
    st.lists(TEXTS, min_size=1, max_size=3, unique=True).map(lambda members: {"SS": members}),
    st.lists(NUMBERS, min_size=1, max_size=3, unique=True).map(lambda members: {"NS": members}),
    st.lists(st.binary(max_size=5), min_size=1, max_size=3, unique=True).map(lambda members: {"BS": members}),
    st.dates().map(lambda date: {"S": date.isoformat()}),
    st.datetimes().map(lambda moment: {"S": moment.isoformat() + "Z"}),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: {"L": items})
        | st.dictionaries(TEXTS, inner, max_size=3).map(lambda members: {"M": members})
    ),
    max_leaves=6,
)
NONSENSE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["S", "N", "L", "M", "SS", "NS", "BOOL", "B", "x"]), inner, max_size=2)
    ),
    max_leaves=6,
)
NAMES = ("title", "description", "status", "priority", "tags", "created_at")
FILTERED = st.one_of(
    TEXTS.map(lambda text: {"S": text}),
    st.integers().map(lambda number: {"N": str(number)}),
    st.booleans().map(lambda truth: {"BOOL": truth}),
    st.lists(TEXTS, max_size=3).map(lambda members: {"L": [{"S": text} for text in members]}),
)
DATES = st.one_of(st.dates(), st.datetimes(timezones=st.just(UTC))).map(lambda date: {"S": date.isoformat()})
ORDINARY = st.fixed_dictionaries(
    {"incident_id": st.just({"S": "INC-1"}), "status": st.just({"S": "CLOSED"}), "title": st.just({"S": "Disk full"})},
    optional={"description": VALUES, "priority": FILTERED, "tags": FILTERED, "created_at": DATES, "other": VALUES},
)
SPOILT = st.builds(
    lambda item, name, value: item | {name: value},
    ORDINARY,
    st.sampled_from(("incident_id", *NAMES)),
    VALUES | NONSENSE,
)


@given(ORDINARY | SPOILT)
def test_whatever_an_incident_holds_it_becomes_json_or_a_reason_that_names_a_field(item: Item) -> None:
    try:
        made = document(item, FIELDS)
    except IncidentInvalid as error:
        reason = str(error)
    else:
        names = list(json.loads(made.body))
        assert names == [name for name in ("incident_id", *NAMES) if name in names]
        assert of_file(made.metadata, "here")["incident_id"] == item["incident_id"]["S"]
        return
    assert reason.startswith(("incident_id ", *(f"{name} " for name in NAMES), "title, description:"))


@given(VALUES)
def test_what_a_document_says_is_what_the_incident_says(value: Any) -> None:
    item = incident(description=value)
    try:
        found = body(item).get("description")
    except IncidentInvalid as error:
        assert "binary" in str(error) or "number" in str(error)  # noqa: PT017
        return
    if found is not None:
        assert found == plain(value)


def plain(value: Any) -> Any:
    """The value as JSON with exact numbers reads it back."""
    (kind, content), *_ = value.items()
    if kind == "N":
        return Decimal(content)
    if kind == "NS":
        return sorted(map(Decimal, content))
    if kind == "SS":
        return sorted(content)
    if kind == "L":
        return [plain(item) for item in content]
    if kind == "M":
        return {name: plain(member) for name, member in content.items()}
    return None if kind == "NULL" else content

from __future__ import annotations

from typing import Any

import pytest

from incident_sync.fields import Fields
from incident_sync.incidents import is_closed, is_synced, says_the_same, seen

FIELDS = Fields(("title",), ("tags",), ("closed_at",))


def test_only_closed_incidents_belong_into_the_knowledge_base() -> None:
    assert is_closed({"status": {"S": "CLOSED"}})
    for status in ({"S": "OPEN"}, {"S": "closed"}, {"SS": ["CLOSED"]}, {"BOOL": True}):
        assert not is_closed({"status": status})
    assert not is_closed({})


@pytest.mark.parametrize(
    ("mark", "synced"),
    [
        ({"M": {"synced": {"BOOL": True}}}, True),
        ({"M": {"synced": {"BOOL": False}}}, False),
        ({"M": {"synced": {"S": "true"}}}, False),
        ({"M": {}}, False),
        ({"S": "synced"}, False),
        ({"NULL": True}, False),
    ],
)
def test_an_incident_is_synced_if_its_mark_says_so(mark: dict[str, Any], synced: bool) -> None:
    assert is_synced({"kb_sync_status": mark}) is synced
    assert not is_synced({})


def test_what_was_seen_is_status_and_every_field_as_dynamodb_gave_it() -> None:
    item = {"incident_id": {"S": "INC-1"}, "status": {"S": "CLOSED"}, "tags": {"SS": ["b", "a"]}, "other": {"S": "x"}}
    assert seen(item, FIELDS) == {
        "title": None,
        "status": {"S": "CLOSED"},
        "tags": {"SS": ["b", "a"]},
        "closed_at": None,
    }


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"tags": {"SS": ["a", "b"]}}, {"tags": {"SS": ["b", "a"]}}),
        ({"title": {"M": {"x": {"L": [{"NS": ["1", "2"]}]}}}}, {"title": {"M": {"x": {"L": [{"NS": ["2", "1"]}]}}}}),
        ({"title": {"M": {"SS": {"S": "a"}}}}, {"title": {"M": {"SS": {"S": "a"}}}}),
        ({"title": {"S": "a"}, "other": {"S": "x"}}, {"title": {"S": "a"}}),
    ],
)
def test_the_order_of_a_sets_members_and_other_attributes_mean_nothing(one: Any, other: Any) -> None:
    assert says_the_same(one, other, FIELDS)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"title": {"S": "a"}}, {"title": {"S": "b"}}),
        ({"title": {"S": "1"}}, {"title": {"N": "1"}}),
        ({"title": {"S": "a"}}, {}),
        ({"title": {"NULL": True}}, {}),
        ({"title": {"L": [{"S": "a"}, {"S": "b"}]}}, {"title": {"L": [{"S": "b"}, {"S": "a"}]}}),
        ({"title": {"M": {"SS": {"S": "a"}}}}, {"title": {"M": {"SS": {"S": "b"}}}}),
        ({"tags": {"SS": ["a"]}}, {"tags": {"SS": ["a", "b"]}}),
        ({"tags": {"SS": ["a"]}}, {"tags": {"L": [{"S": "a"}]}}),
        ({"status": {"S": "OPEN"}}, {"status": {"S": "CLOSED"}}),
    ],
)
def test_any_other_difference_counts(one: Any, other: Any) -> None:
    assert not says_the_same(one, other, FIELDS)

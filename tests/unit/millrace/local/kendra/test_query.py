from __future__ import annotations

import pytest

from millrace.local.kendra.attributes import built_in
from millrace.local.kendra.query import InvalidFilter, check_filter, highlighted, passes


def attribute(key, **value):
    return {"Key": key, "Value": value}


DOCUMENT = [
    attribute("_category", StringValue="guide"),
    attribute("_authors", StringListValue=["ann", "bob"]),
    attribute("_view_count", LongValue=5),
    attribute("_created_at", DateValue=1_700_000_000.0),
]


def test_highlights_count_characters_of_the_text_without_marks():
    shown = highlighted("ä \x01fox\x02 and \x01foxes\x02")
    assert shown["Text"] == "ä fox and foxes"
    assert [(mark["BeginOffset"], mark["EndOffset"]) for mark in shown["Highlights"]] == [(2, 5), (10, 15)]


def test_a_text_is_cut_at_the_limit_and_no_highlight_points_behind_it():
    shown = highlighted("x" * 2047 + "\x01fox\x02")
    assert len(shown["Text"]) == 2048
    assert shown["Highlights"] == []


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({}, True),
        ({"EqualsTo": attribute("_category", StringValue="guide")}, True),
        ({"EqualsTo": attribute("_category", StringValue="Guide")}, False),
        ({"EqualsTo": attribute("_source_uri", StringValue="x")}, False),
        ({"ContainsAny": attribute("_authors", StringListValue=["bob", "eve"])}, True),
        ({"ContainsAll": attribute("_authors", StringListValue=["bob", "eve"])}, False),
        ({"ContainsAll": attribute("_authors", StringListValue=["bob", "ann"])}, True),
        ({"GreaterThan": attribute("_view_count", LongValue=5)}, False),
        ({"GreaterThanOrEquals": attribute("_view_count", LongValue=5)}, True),
        ({"LessThan": attribute("_created_at", DateValue=1_800_000_000)}, True),
        ({"LessThanOrEquals": attribute("_created_at", DateValue=1_600_000_000)}, False),
        ({"NotFilter": {"EqualsTo": attribute("_category", StringValue="guide")}}, False),
        (
            {
                "OrAllFilters": [
                    {"EqualsTo": attribute("_category", StringValue="x")},
                    {"EqualsTo": attribute("_view_count", LongValue=5)},
                ]
            },
            True,
        ),
        (
            {
                "AndAllFilters": [
                    {"EqualsTo": attribute("_category", StringValue="x")},
                    {"EqualsTo": attribute("_view_count", LongValue=5)},
                ]
            },
            False,
        ),
    ],
)
def test_a_filter_decides_by_the_documents_attributes(condition, expected):
    check_filter(condition, built_in())
    assert passes(condition, DOCUMENT) is expected


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ({"EqualsTo": attribute("colour", StringValue="x")}, "colour"),
        ({"NotFilter": {"EqualsTo": attribute("colour", StringValue="x")}}, "colour"),
        ({"AndAllFilters": [{"EqualsTo": attribute("_category")}]}, "exactly one value"),
        ({"GreaterThan": attribute("_category", StringValue="x")}, "numbers and dates"),
    ],
)
def test_a_filter_that_cannot_be_answered_is_refused(condition, said):
    with pytest.raises(InvalidFilter, match=said):
        check_filter(condition, built_in())

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from incident_sync.values import NESTING_MAX, NUMBER_MAX_CHARACTERS, Unfit, as_json, as_metadata, says_nothing, texts


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {"S": "deep"}
    for _ in range(levels):
        value = {"L": [value]}
    return value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"S": 'a "quoted"\nline'}, '"a \\"quoted\\"\\nline"'),
        ({"S": "Störung 障害 🔥"}, '"Störung 障害 🔥"'),
        ({"N": "3.10"}, "3.10"),
        ({"N": "0.1"}, "0.1"),
        ({"N": "-0"}, "-0"),
        ({"N": "12345678901234567890123456789012345678"}, "12345678901234567890123456789012345678"),
        ({"N": "1E-130"}, "1E-130"),
        ({"N": "9.9999999999999999999999999999999999999E+125"}, "9.9999999999999999999999999999999999999E+125"),
        ({"N": ".5"}, "0.5"),
        ({"N": "+5."}, "5"),
        ({"N": "007"}, "7"),
        ({"BOOL": True}, "true"),
        ({"BOOL": False}, "false"),
        ({"NULL": True}, "null"),
        ({"SS": ["b", "a", "é"]}, '["a", "b", "é"]'),
        ({"NS": ["10", "9", "-1.5"]}, "[-1.5, 9, 10]"),
        ({"L": [{"S": "b"}, {"N": "1.0"}, {"NULL": True}]}, '["b", 1.0, null]'),
        ({"M": {"z": {"N": "1"}, "a": {"M": {}}}}, '{"a": {}, "z": 1}'),
    ],
)
def test_a_value_is_written_as_it_is(value: dict[str, Any], text: str) -> None:
    assert as_json(value) == text
    json.loads(text)


def test_as_many_levels_as_dynamodb_has_are_written() -> None:
    assert json.loads(as_json(nested(NESTING_MAX)))
    with pytest.raises(Unfit, match="nested"):
        as_json(nested(NESTING_MAX + 1))
    with pytest.raises(Unfit, match="nested"):
        as_json(nested(5_000))


def test_the_longest_number_that_dynamodb_writes_is_taken() -> None:
    smallest = f"-0.{'0' * 129}{'1' * 38}"
    assert len(smallest) <= NUMBER_MAX_CHARACTERS
    assert Decimal(as_json({"N": smallest})) == Decimal(smallest)


@pytest.mark.parametrize(
    "value",
    [
        {},
        None,
        "text",
        {"S": 5},
        {"S": "a", "N": "1"},
        {"X": "unknown"},
        {"S": "\ud800"},
        {"N": 3.14},
        {"N": ""},
        {"N": "NaN"},
        {"N": "Infinity"},
        {"N": "1_000"},
        {"N": " 1"},
        {"N": "٣"},
        {"N": "1E+1000"},
        {"N": "9" * 5_000},
        {"NS": ["1", "one"]},
        {"SS": ["a", 1]},
        {"SS": "ab"},
        {"L": {"S": "a"}},
        {"L": ["a"]},
        {"M": {"\ud800": {"S": "a"}}},
        {"M": {1: {"S": "a"}}},
        {"B": b"bytes"},
        {"BS": [b"bytes"]},
        {"L": [{"M": {"file": {"B": b"bytes"}}}]},
    ],
)
def test_what_no_document_can_hold_is_refused(value: Any) -> None:
    with pytest.raises(Unfit):
        as_json(value)


@pytest.mark.parametrize(
    ("value", "metadata"),
    [
        ({"S": "P1"}, "P1"),
        ({"N": "3"}, 3),
        ({"N": "3.00"}, 3),
        ({"N": "-0"}, 0),
        ({"N": "1E+3"}, 1000),
        ({"N": "9007199254740993"}, 9_007_199_254_740_993),
        ({"BOOL": False}, False),
        ({"SS": ["b", "a", " "]}, ["a", "b"]),
        ({"L": [{"S": "b"}, {"S": "a"}, {"S": ""}]}, ["b", "a"]),
        ({"L": [{"S": ""}]}, []),
    ],
)
def test_metadata_is_what_filters_compare(value: dict[str, Any], metadata: Any) -> None:
    made = as_metadata(value)
    assert made == metadata
    assert type(made) is type(metadata)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"M": {}}, "map"),
        ({"N": "3.14"}, "not whole"),
        ({"N": "1E-3"}, "not whole"),
        ({"N": "12345678901234567890123456789012345678.5"}, "not whole"),
        ({"B": b"bytes"}, "binary"),
        ({"BS": [b"bytes"]}, "binary"),
        ({"NS": ["1"]}, "compare"),
        ({"NULL": True}, "compare"),
        ({"L": [{"S": "a"}, {"N": "1"}]}, "something else than texts"),
        ({"L": [{"L": []}]}, "something else than texts"),
        ({"N": "none"}, "number"),
        ({"S": "\ud800"}, "surrogate"),
        ({}, "compare"),
    ],
)
def test_what_filters_cannot_compare_is_refused_with_its_reason(value: dict[str, Any], why: str) -> None:
    with pytest.raises(Unfit, match=why):
        as_metadata(value)


@pytest.mark.parametrize(
    "value", [{"NULL": True}, {"S": ""}, {"S": " \n\t"}, {"L": []}, {"M": {}}, {"SS": []}, {"NS": []}]
)
def test_null_blank_and_empty_say_nothing(value: dict[str, Any]) -> None:
    assert says_nothing(value)


@pytest.mark.parametrize(
    "value", [{"BOOL": False}, {"N": "0"}, {"S": "."}, {"L": [{"NULL": True}]}, {"S": 5}, {}, None]
)
def test_whatever_else_says_something(value: Any) -> None:
    assert not says_nothing(value)


def test_texts_are_found_however_deep() -> None:
    value = {
        "M": {
            "name": {"S": "a"},
            "list": {"L": [{"S": "b"}, {"SS": ["c", "d"]}, {"N": "1"}, {"NULL": True}]},
        }
    }
    assert sorted(texts(value)) == ["a", "b", "c", "d"]

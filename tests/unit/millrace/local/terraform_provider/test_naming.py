from __future__ import annotations

from typing import Any

import pytest
from botocore.model import Shape, ShapeResolver

from millrace.local.terraform_provider.naming import (
    NOWHERE,
    as_pairs,
    from_answer,
    from_pairs,
    member,
    place_of,
    to_request,
    unsent,
)
from millrace.local.terraform_provider.wire import UNKNOWN

SHAPES = ShapeResolver(
    {
        "Input": {
            "type": "structure",
            "members": {
                "Name": {"shape": "Text"},
                "SSEAlgorithm": {"shape": "Text"},
                "Rules": {"shape": "Rules"},
                "Attributes": {"shape": "Settings"},
                "Dimensions": {"shape": "Dimensions"},
                "Threshold": {"shape": "Real"},
                "Count": {"shape": "Whole"},
                "Target": {"shape": "Target"},
            },
        },
        "Rules": {"type": "list", "member": {"shape": "Rule"}},
        "Rule": {"type": "structure", "members": {"Prefix": {"shape": "Text"}}},
        "Settings": {"type": "map", "key": {"shape": "Text"}, "value": {"shape": "Text"}},
        "Dimensions": {"type": "list", "member": {"shape": "Dimension"}},
        "Dimension": {"type": "structure", "members": {"Name": {"shape": "Text"}, "Value": {"shape": "Text"}}},
        "Target": {"type": "structure", "members": {"Arn": {"shape": "Text"}}},
        "Text": {"type": "string"},
        "Real": {"type": "double"},
        "Whole": {"type": "integer"},
    }
)
INPUT: Shape = SHAPES.get_shape_by_name("Input")
PLACES = {"delay_seconds": "Attributes.DelaySeconds", "fifo": "Attributes.FifoQueue", "color": NOWHERE}
BLOCK: dict[str, Any] = {
    "attributes": {
        "name": {"type": "string"},
        "sse_algorithm": {"type": "string"},
        "delay_seconds": {"type": "number"},
        "fifo": {"type": "bool"},
        "dimensions": {"type": ["map", "string"]},
        "threshold": {"type": "number"},
        "count": {"type": "number"},
        "color": {"type": "string"},
        "unheard_of": {"type": "string"},
    },
    "block_types": {
        "rule": {
            "nesting_mode": "list",
            "block": {"attributes": {"prefix": {"type": "string"}, "suffix": {"type": "string"}}},
        },
        "target": {"nesting_mode": "list", "block": {"attributes": {"arn": {"type": "string"}}}},
    },
}


@pytest.mark.parametrize(
    ("attribute", "name"),
    [("sse_algorithm", "SSEAlgorithm"), ("rule", "Rules"), ("name", "Name"), ("nothing", None)],
)
def test_an_attribute_is_its_member_but_for_underscores_capitals_and_a_plural(attribute: str, name: str | None) -> None:
    assert member(INPUT.members, attribute) == name


@pytest.mark.parametrize("own", ["id", "region", "tags", "tags_all"])
def test_what_belongs_to_terraform_has_no_member(own: str) -> None:
    shape = ShapeResolver(
        {
            "Input": {"type": "structure", "members": {name: {"shape": "T"} for name in ("Id", "Region", "Tags")}},
            "T": {"type": "string"},
        }
    ).get_shape_by_name("Input")
    assert place_of(shape, own, {}) is None


def test_a_request_carries_what_is_set_in_the_services_words() -> None:
    value = {
        "name": "n",
        "sse_algorithm": None,
        "delay_seconds": 5,
        "fifo": True,
        "dimensions": {"b": "2", "a": "1"},
        "threshold": 1,
        "count": 3,
        "color": "red",
        "rule": [{"prefix": "x", "suffix": None}],
        "target": [{"arn": UNKNOWN}],
    }
    assert to_request(BLOCK, value, INPUT, PLACES) == {
        "Name": "n",
        "Attributes": {"DelaySeconds": "5", "FifoQueue": "true"},
        "Dimensions": [{"Name": "a", "Value": "1"}, {"Name": "b", "Value": "2"}],
        "Threshold": 1.0,
        "Count": 3,
        "Rules": [{"Prefix": "x"}],
        "Target": {},
    }


def test_what_no_request_carries_is_told_by_its_path() -> None:
    config = {"name": "n", "color": "red", "unheard_of": "x", "rule": [{"suffix": "s"}], "target": UNKNOWN}
    assert list(unsent(BLOCK, config, INPUT, PLACES, frozenset())) == ["color", "unheard_of", "rule.suffix"]


def test_what_the_types_own_code_sends_is_not_told() -> None:
    config = {"color": "red", "unheard_of": UNKNOWN, "rule": [{"suffix": "s"}]}
    assert list(unsent(BLOCK, config, INPUT, PLACES, frozenset({"color", "unheard_of", "rule.*"}))) == []


def test_an_answer_is_read_back_into_terraforms_words() -> None:
    answer = {
        "Name": "n",
        "Attributes": {"DelaySeconds": "5", "FifoQueue": "false"},
        "Dimensions": [{"Name": "a", "Value": "1"}],
        "Threshold": 2.5,
        "Rules": [{"Prefix": "x"}],
        "Target": {"Arn": "t"},
    }
    seen = from_answer(BLOCK, answer, INPUT, PLACES)
    assert seen == {
        "name": "n",
        "sse_algorithm": None,
        "delay_seconds": 5,
        "fifo": False,
        "dimensions": {"a": "1"},
        "threshold": 2.5,
        "count": None,
        "rule": [{"prefix": "x"}],
        "target": [{"arn": "t"}],
    }


def test_what_an_answer_cannot_hold_is_absent_and_what_it_does_not_say_is_nothing() -> None:
    seen = from_answer(BLOCK, {}, INPUT, PLACES)
    assert "unheard_of" not in seen
    assert "color" not in seen
    assert seen["name"] is None
    assert seen["rule"] == []


@pytest.mark.parametrize("name", ["Dimensions", "Attributes"])
def test_pairs_and_maps_are_read_back_as_they_were_sent(name: str) -> None:
    assert from_pairs(as_pairs({"a": "1", "b": "2"}, INPUT.members[name])) == {"a": "1", "b": "2"}

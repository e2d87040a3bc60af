from __future__ import annotations

import json
from typing import Any

import pytest

from millrace.local.terraform_provider.reading import merged, same
from millrace.local.terraform_provider.wire import UNKNOWN

NOTHING_SILENT: dict[str, Any] = {}


def block(nesting: str = "list") -> dict[str, Any]:
    inner = {
        "attributes": {
            "key": {"type": "string"},
            "note": {"type": "string"},
            "id": {"type": "string", "computed": True},
        }
    }
    return {
        "attributes": {
            "name": {"type": "string", "required": True},
            "policy": {"type": "string", "optional": True},
            "size": {"type": "number", "optional": True},
            "labels": {"type": ["map", "string"], "optional": True},
            "arn": {"type": "string", "computed": True},
        },
        "block_types": {"rule": {"nesting_mode": nesting, "block": inner}},
    }


STATE: dict[str, Any] = {"name": "n", "policy": None, "size": None, "labels": None, "arn": UNKNOWN, "rule": []}


def test_what_is_computed_is_what_the_service_says() -> None:
    assert merged(block(), STATE, {"arn": "a"}, NOTHING_SILENT)["arn"] == "a"


def test_a_change_by_hand_is_seen() -> None:
    assert merged(block(), STATE, {"name": "other"}, NOTHING_SILENT)["name"] == "other"


def test_a_setting_taken_away_by_hand_is_seen() -> None:
    state = STATE | {"size": 5, "rule": [{"key": "k", "note": None, "id": None}]}
    seen = merged(block(), state, {"size": None, "rule": []}, NOTHING_SILENT)
    assert seen["size"] is None
    assert seen["rule"] == []


def test_a_setting_added_by_hand_is_seen() -> None:
    seen = merged(block(), STATE, {"size": 5, "labels": {"a": "b"}, "rule": [{"key": "k"}]}, NOTHING_SILENT)
    assert seen["size"] == 5
    assert seen["labels"] == {"a": "b"}
    assert seen["rule"] == [{"key": "k", "note": None, "id": None}]


def test_what_a_service_says_of_a_setting_that_nobody_made_is_no_change() -> None:
    silent = {"size": 3, "rule": [{"key": "default"}]}
    answer = {"size": 3, "labels": {}, "rule": [{"key": "default", "note": "by the service"}]}
    assert merged(block(), STATE, answer, silent) == STATE


def test_another_word_than_the_service_says_by_itself_is_a_change() -> None:
    assert merged(block(), STATE, {"size": 4}, {"size": 3})["size"] == 4


@pytest.mark.parametrize("nothing", [None, "", 0, False, [], {}])
def test_absent_and_empty_say_the_same(nothing: Any) -> None:
    assert same("string", nothing, None)
    assert same("string", None, nothing)


def test_a_document_is_the_same_in_other_words_only() -> None:
    document = {"Statement": [{"Action": ["s3:Get", "s3:Put"], "Effect": "Allow"}]}
    assert same("string", json.dumps(document, indent=2), json.dumps(document, sort_keys=True))
    wider = json.dumps(document).replace('"s3:Put"', '"s3:Put", "s3:*"')
    assert not same("string", json.dumps(document), wider)
    reordered = {"Statement": [{"Action": ["s3:Put", "s3:Get"], "Effect": "Allow"}]}
    assert not same("string", json.dumps(document), json.dumps(reordered))
    assert not same("string", '{"flag": true}', '{"flag": 1}')


def test_a_map_with_one_entry_more_is_another_map() -> None:
    state = STATE | {"labels": {"a": "1"}}
    assert merged(block(), state, {"labels": {"a": "1", "b": "2"}}, NOTHING_SILENT)["labels"] == {"a": "1", "b": "2"}


def test_the_order_of_a_set_does_not_count_and_that_of_a_list_does() -> None:
    assert same(["set", "string"], ["a", "b"], ["b", "a"])
    assert not same(["list", "string"], ["a", "b"], ["b", "a"])
    assert not same(["set", "string"], ["a", "b"], ["a", "b", "b"])


def test_inside_a_block_what_the_service_adds_is_no_change_and_what_is_computed_is_filled_in() -> None:
    state = STATE | {"rule": [{"key": "k", "note": None, "id": UNKNOWN}]}
    seen = merged(block(), state, {"rule": [{"key": "k", "note": "default", "id": "1"}]}, NOTHING_SILENT)
    assert seen["rule"] == [{"key": "k", "note": None, "id": "1"}]


def test_an_empty_block_that_the_service_leaves_out_is_no_change() -> None:
    state = STATE | {"rule": [{"key": None, "note": None, "id": None}]}
    assert merged(block(), state, {"rule": []}, NOTHING_SILENT) == state


def test_blocks_of_a_set_are_matched_whatever_their_order_and_one_more_is_a_change() -> None:
    state = STATE | {"rule": [{"key": "a", "note": None, "id": None}, {"key": "b", "note": None, "id": None}]}
    same_rules = merged(block("set"), state, {"rule": [{"key": "b"}, {"key": "a"}]}, NOTHING_SILENT)
    assert same_rules["rule"] == state["rule"]
    more = merged(block("set"), state, {"rule": [{"key": "b"}, {"key": "a"}, {"key": "c"}]}, NOTHING_SILENT)
    assert [rule["key"] for rule in more["rule"]] == ["a", "b", "c"]


def test_one_block_of_a_list_more_is_a_change() -> None:
    state = STATE | {"rule": [{"key": "a", "note": None, "id": None}]}
    seen = merged(block(), state, {"rule": [{"key": "a"}, {"key": "b"}]}, NOTHING_SILENT)
    assert [rule["key"] for rule in seen["rule"]] == ["a", "b"]

from __future__ import annotations

import json

import pytest

from millrace.local.pipes.filters import InvalidPattern, compiled


def taken(pattern: object, body: object) -> bool:
    text = body if isinstance(body, str) else json.dumps(body)
    return compiled([json.dumps(pattern)])({"body": text, "attributes": {"MessageGroupId": "g"}})


def test_without_patterns_everything_is_taken():
    assert compiled([])({"body": "x"})


@pytest.mark.parametrize(
    ("pattern", "body", "is_taken"),
    [
        ({"body": {"kind": ["put"]}}, {"kind": "put"}, True),
        ({"body": {"kind": ["put"]}}, {"kind": "delete"}, False),
        ({"body": {"kind": ["put"]}}, "put", False),
        ({"body": ["put"]}, "put", True),
        ({"body": {"kind": [{"anything-but": {"prefix": "sweep-"}}]}}, {"kind": "sweep-1"}, False),
        ({"body": {"size": [{"numeric": [">", 3]}]}}, {"size": 4}, True),
        ({"body": {"a": [{"exists": False}]}}, {"b": 1}, True),
        ({"attributes": {"MessageGroupId": ["g"]}}, "x", True),
        ({"body": {"$or": [{"a": [1]}, {"b": [2]}]}}, {"b": 2}, True),
    ],
)
def test_an_event_is_taken_when_the_pattern_matches(pattern, body, is_taken):
    assert taken(pattern, body) is is_taken


def test_one_of_several_patterns_is_enough():
    is_taken = compiled(['{"body": ["a"]}', '{"body": ["b"]}'])
    assert [is_taken({"body": body}) for body in "abc"] == [True, True, False]


@pytest.mark.parametrize("pattern", ['{"body": "a"}', "[]", "no JSON", '{"body": [{"prefix": 1}]}'])
def test_what_is_no_pattern_is_refused(pattern):
    with pytest.raises(InvalidPattern):
        compiled([pattern])

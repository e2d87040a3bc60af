from __future__ import annotations

import json

import pytest

from millrace.local.pipes.template import InvalidTemplate, NotFilled, Template

EVENT = {
    "messageId": "m1",
    "body": '{"key": "a/b.json", "size": 5, "tags": ["x", "y"], "records": [{"id": 1}, {"id": 2}]}',
    "attributes": {"SenderId": "S"},
}
PIPE = {"aws.pipes.pipe-name": "p"}


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ('{"a": 1, "b": [true, null]}', {"a": 1, "b": [True, None]}),
        ('"fixed"', "fixed"),
        ("<$.attributes.SenderId>", "S"),
        ('"hello, <$.attributes.SenderId>"', "hello, S"),
        ('{"key": <$.body.key>, "quoted": "<$.body.key>"}', {"key": "a/b.json", "quoted": "a/b.json"}),
        ('{"size": <$.body.size>, "text": "<$.body.size>"}', {"size": 5, "text": "5"}),
        ('{"tags": <$.body.tags>, "text": "<$.body.tags>"}', {"tags": ["x", "y"], "text": "[x, y]"}),
        ('{"second": <$.body.records[1].id>, "ids": <$.body.records[*].id>}', {"second": 2, "ids": [1, 2]}),
        (
            '{"gone": <$.body.no>, "far": <$.body.records[9]>, "text": "(<$.no>)"}',
            {"gone": None, "far": None, "text": "()"},
        ),
        ('{"pipe": <aws.pipes.pipe-name>}', {"pipe": "p"}),
        ('{"event": <aws.pipes.event>}', {"event": EVENT}),
        ("<$>", EVENT),
        ('{"less": "a < b > c"}', {"less": "a < b > c"}),
        ('{"body": <$.body>}', {"body": EVENT["body"]}),
    ],
)
def test_a_template_is_filled_by_an_event(template, filled):
    assert Template.of(template).fill(EVENT, PIPE) == filled


def test_a_body_that_is_no_json_has_nothing_inside():
    assert Template.of('{"k": <$.body.key>}').fill({"body": "plain"}, {}) == {"k": None}


@pytest.mark.parametrize("template", ['{"a": }', '{"a": <b>}', '{"a": <$..b>}', "<$.body.a> and more", '{"a": <$.b'])
def test_what_can_never_be_json_is_refused(template):
    with pytest.raises(InvalidTemplate):
        Template.of(template)


def test_a_text_is_not_escaped_inside_a_string():
    template = Template.of('{"key": "<$.body.key>", "safe": <$.body.key>}')
    with pytest.raises(NotFilled):
        template.fill({"body": json.dumps({"key": 'a"b'})}, {})
    assert template.fill({"body": json.dumps({"key": "a'b"})}, {}) == {"key": "a'b", "safe": "a'b"}

from __future__ import annotations

import json
from typing import Any

import pytest

from millrace.local.terraform_provider.types.containers import same_containers, seen_as

MAIN: dict[str, Any] = {
    "name": "main",
    "image": "i",
    "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": ""}],
}


def same(**other: Any) -> bool:
    return same_containers(json.dumps([MAIN]), json.dumps([{**MAIN, **other}]))


@pytest.mark.parametrize(
    "filled_in",
    [
        {"essential": True},
        {"cpu": 0, "portMappings": [], "mountPoints": [], "volumesFrom": [], "user": None},
        {"environment": MAIN["environment"][::-1]},
    ],
)
def test_what_ecs_fills_in_and_the_order_of_variables_say_nothing(filled_in):
    assert same(**filled_in)


@pytest.mark.parametrize(
    "other",
    [
        {"essential": False},
        {"image": "j"},
        {"stopTimeout": 60},
        {"command": ["a"]},
        {"environment": MAIN["environment"][:1]},
        {"readonlyRootFilesystem": True},
    ],
)
def test_another_container_is_another(other):
    assert not same(**other)


@pytest.mark.parametrize("broken", [None, "", "{", "[1]", "{}", '[{"environment": 1}]'])
def test_a_broken_document_is_like_no_other(broken):
    assert not same_containers(json.dumps([MAIN]), broken)


def test_a_thing_is_named_as_the_configuration_names_it():
    arn = "arn:aws:ecs:us-east-1:123456789012:cluster/c"
    assert seen_as("c", arn) == "c"
    assert seen_as(arn, arn) == seen_as(None, arn) == arn
    assert seen_as("another", arn) == "c"
